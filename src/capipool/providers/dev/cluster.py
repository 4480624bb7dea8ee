"""Reconciles DevClusters: makes the API server of a workload cluster, and says how it is reached."""

from __future__ import annotations

import datetime as dt
from urllib.parse import urlsplit

import msgspec

from capipool.api.constants import GROUP
from capipool.api.core import Cluster
from capipool.api.v1beta2.cluster import APIEndpoint, FailureDomain
from capipool.client import kubeconfig
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.spaces import WorkloadSpaces
from capipool.runtime import reconcile
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Result
from capipool.sdk import kubeconfigs, writes
from capipool.sdk.inputs import is_paused
from capipool.workload.connections import KUBECONFIG_KEY, Connections

FINALIZER = "devcluster.infrastructure.cluster.x-k8s.io"


class DevClusterReconciler:
    """Takes a DevCluster to an API server, a kubeconfig secret and an endpoint; and back."""

    def __init__(self, manager: Manager, connections: Connections, spaces: WorkloadSpaces) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._connections = connections
        self._spaces = spaces
        self.objects = manager.caches.of(DevCluster)
        self.clusters = manager.caches.of(Cluster)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat."""
        obj = self.objects.get(key)
        if obj is None:
            return reconcile.DONE
        owner = owner_of(obj)
        cluster = self.clusters.get(ObjectKey(key.namespace, owner)) if owner else None
        if obj.deleting:
            await self._delete(obj, owner)
        elif cluster is not None and not is_paused(obj, cluster) and obj.spec.backend.in_memory is not None:
            await self._provision(obj, cluster)
        return reconcile.DONE

    async def _provision(self, obj: DevCluster, cluster: Cluster) -> None:
        if FINALIZER not in obj.metadata.finalizers:
            await writes.set_finalizers(self._client, obj, [*obj.metadata.finalizers, FINALIZER])
        config = await self._spaces.ensure(obj.metadata.namespace, cluster.metadata.name)
        await self._publish(obj, cluster, config)
        server = urlsplit(kubeconfig.parse(config).server)
        endpoint = APIEndpoint(host=server.hostname or "", port=server.port or 443)
        if obj.spec.control_plane_endpoint != endpoint:
            await writes.bring(self._client, obj, spec={"controlPlaneEndpoint": msgspec.to_builtins(endpoint)})
        await writes.bring(self._client, obj, status=_status(obj, self._clock.now()))

    async def _publish(self, obj: DevCluster, cluster: Cluster, config: bytes) -> None:
        """Keep the kubeconfig secret as the contract has it: type, label, key `value`."""
        wanted = kubeconfigs.secret(obj, cluster, {KUBECONFIG_KEY: config})
        if await kubeconfigs.store(self._client, wanted, await kubeconfigs.find(self._client, cluster)):
            self._connections.nudge(cluster.key)

    async def _delete(self, obj: DevCluster, owner: str) -> None:
        if FINALIZER not in obj.metadata.finalizers:
            return
        if owner:
            await self._spaces.drop(obj.metadata.namespace, owner)
        await writes.remove_finalizer(self._client, obj, FINALIZER)


def owner_of(obj: DevCluster) -> str:
    """The name of the Cluster that owns it; empty where none does yet."""
    owners = (o.name for o in obj.metadata.owner_references if o.group_kind == (GROUP, Cluster.RESOURCE.kind))
    return next(owners, "")


def _status(obj: DevCluster, now: dt.datetime) -> Raw:
    spec = obj.spec.backend.in_memory
    domains: tuple[FailureDomain, ...] = spec.failure_domains if spec is not None else ()
    ready = Condition(
        type="Ready", status="True", reason="Ready", observed_generation=obj.metadata.generation, message=""
    )
    status: Raw = {
        "initialization": {"provisioned": True},
        "conditions": [msgspec.to_builtins(c) for c in conditions.set_all(obj.status.conditions, [ready], now)],
    }
    return status | ({"failureDomains": [msgspec.to_builtins(d) for d in domains]} if domains else {})
