"""Which changes make the pools of a cluster be looked at again (its network, its account, its tags), and which itself.

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
from capipool.providers.aws.identities import watching as identities
from capipool.runtime.cache import Cache
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.sdk import news
from capipool.sdk.inputs import SecretMeta
from capipool.workload.connections import kubeconfig_secret_name

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
    identities.watch(controller, manager.caches, lambda: (pool.key for pool in pools.list()))


def watch_clusters(controller: Controller, manager: Manager, clusters: Cache[AWSCluster]) -> None:
    """Have the controller of AWSClusters look again where a kubeconfig or an identity came that one may wait for."""
    owners, suffix = manager.caches.of(Cluster), kubeconfig_secret_name("")

    def secret_changed(old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        if new is None or not new.metadata.name.endswith(suffix):
            return ()
        owner = owners.get(ObjectKey(new.metadata.namespace, new.metadata.name.removesuffix(suffix)))
        found = (clusters.get(key) for key in news.infrastructure(owner, AWSCluster))
        return [each.key for each in found if each is not None and not each.spec.control_plane_endpoint.host]

    controller.watch(manager.caches.of(SecretMeta), secret_changed)
    identities.watch(controller, manager.caches, lambda: (c.key for c in clusters.list() if c.spec.identity_ref))


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
