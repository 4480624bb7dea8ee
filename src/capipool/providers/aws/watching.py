"""Which change of a cluster's facts makes its pools be looked at again: its network, its account, its tags.

Used by `setup`. What the engine watches by itself (MachinePools, boot data, nodes) is not here.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.constants import GROUP, Label
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.runtime.cache import Cache
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager

_BY_CLUSTER = "capipool.io/cluster"
_Facts = AWSCluster | AWSManagedControlPlane


def watch(controller: Controller, manager: Manager) -> None:
    """Have the controller of AWSMachinePools look again where what is known of a cluster in AWS changed."""
    pools = manager.caches.of(AWSMachinePool)
    pools.add_index(_BY_CLUSTER, _cluster_of)

    def changed(old: _Facts | None, new: _Facts | None) -> Iterable[ObjectKey]:
        return () if old is not None and new is not None and _facts(old) == _facts(new) else _pools(pools, new or old)

    controller.watch(manager.caches.of(AWSCluster), changed)
    controller.watch(manager.caches.of(AWSManagedControlPlane), changed)


def _facts(obj: _Facts) -> tuple[object, ...]:
    return (obj.metadata.uid, obj.spec, obj.status.network_status)


def _pools(pools: Cache[AWSMachinePool], obj: _Facts | None) -> list[ObjectKey]:
    if obj is None:
        return []
    meta = obj.metadata
    owners = [o.name for o in meta.owner_references if o.group_kind == (GROUP, Cluster.RESOURCE.kind)]
    return [pool.key for name in owners for pool in pools.by(_BY_CLUSTER, f"{meta.namespace}/{name}")]


def _cluster_of(pool: AWSMachinePool) -> Iterable[str]:
    name = pool.metadata.labels.get(Label.CLUSTER_NAME, "")
    return [f"{pool.metadata.namespace}/{name}"] if name else ()
