"""Reconciles AzureManagedClusters: they show what their control plane says. Used by `setup`; makes no call."""

from __future__ import annotations

from capipool.api import labels
from capipool.api.core import Cluster
from capipool.machinery import objects
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.managedcluster import AzureManagedCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.sdk import writes
from capipool.sdk.inputs import cluster_of, is_paused
from capipool.sdk.managed.pools import control_plane

FINALIZER = "azuremanagedcluster.infrastructure.cluster.x-k8s.io"
"""Upstream's. capipool sets none, and takes it off objects that came from there."""


class AzureManagedClusterReconciler:
    """Takes an AzureManagedCluster to what its control plane is."""

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self.objects = manager.caches.of(AzureManagedCluster)
        self.clusters = manager.caches.of(Cluster)
        self.control_planes = manager.caches.of(AzureManagedControlPlane)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; an object that somebody else manages is left alone."""
        obj = self.objects.get(key)
        if obj is None or labels.is_externally_managed(obj.metadata.annotations):
            return DONE
        if obj.deleting:
            await writes.remove_finalizer(self._client, obj, FINALIZER)
            return DONE
        cluster = cluster_of(obj, self.clusters)
        if cluster is None or is_paused(obj, cluster):
            return DONE
        found = control_plane(cluster, self.control_planes, AzureManagedControlPlane)
        if found is not None and found.spec.control_plane_endpoint.host:
            endpoint = objects.part_to_raw(found.spec.control_plane_endpoint)
            await writes.bring(self._client, obj, spec={"controlPlaneEndpoint": endpoint}, status={"ready": True})
        return DONE
