"""Reconciles AWSManagedClusters: they show what their control plane says. Used by `setup`; makes no call."""

from __future__ import annotations

import datetime as dt

from capipool.api import labels
from capipool.api.core import Cluster
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.eks.api.cluster import AWSManagedCluster
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.sdk import writes
from capipool.sdk.conditions import condition, merged
from capipool.sdk.inputs import cluster_of, is_paused
from capipool.sdk.managed.pools import control_plane

NO_CONTROL_PLANE = "WaitingForEKSControlPlane"


class AWSManagedClusterReconciler:
    """Takes an AWSManagedCluster to what its control plane is."""

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self.objects = manager.caches.of(AWSManagedCluster)
        self.clusters = manager.caches.of(Cluster)
        self.control_planes = manager.caches.of(AWSManagedControlPlane)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; an object that somebody else manages is left alone."""
        obj = self.objects.get(key)
        if obj is None or obj.deleting or labels.is_externally_managed(obj.metadata.annotations):
            return DONE
        cluster = cluster_of(obj, self.clusters)
        if cluster is None or is_paused(obj, cluster):
            return DONE
        found = control_plane(cluster, self.control_planes, AWSManagedControlPlane)
        spec, status = decide(obj, found, self._clock.now())
        await writes.bring(self._client, obj, spec=spec, status=status)
        return DONE


def decide(obj: AWSManagedCluster, found: AWSManagedControlPlane | None, now: dt.datetime) -> tuple[Raw, Raw]:
    """Spec and status: ready once the control plane has an endpoint, and from then on. Pure."""
    endpoint = found.spec.control_plane_endpoint if found is not None else None
    spec: Raw = {}
    status: Raw = {}
    if found is not None and endpoint is not None and endpoint.host:
        spec["controlPlaneEndpoint"] = objects.part_to_raw(endpoint)
        domains = {zone: objects.part_to_raw(domain) for zone, domain in found.status.failure_domains.items()}
        status |= {"ready": True, "failureDomains": domains}
    ready = bool(spec) or bool(obj.status.ready)
    said = "the AWSManagedControlPlane that the Cluster names has no endpoint yet"
    wanted = [condition("Ready", ready, reason=NO_CONTROL_PLANE, message=said)]
    return spec, status | {"conditions": merged(obj.status.conditions, wanted, now)}
