"""Which changes are news for which AzureMachine. Pure but for a look into a cache."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.core import Cluster, Machine
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machine import AzureMachine
from capipool.runtime.cache import Cache


def cluster_changed(old: Cluster | None, new: Cluster | None, machines: Cache[Machine]) -> Iterable[ObjectKey]:
    """A Cluster whose infrastructure came, or that goes on after a pause."""
    if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
        return ()
    return _of(new.metadata.namespace, new.metadata.name, machines)


def place_changed(old: AzureCluster | None, new: AzureCluster | None, machines: Cache[Machine]) -> Iterable[ObjectKey]:
    """An AzureCluster that came, or has another identity, network or tags."""
    if new is None or (old is not None and old.spec == new.spec):
        return ()
    return machines_of([new], machines)


def machines_of(clusters: Iterable[AzureCluster], machines: Cache[Machine]) -> Iterable[ObjectKey]:
    """The machines of clusters."""
    owners = [
        (each.metadata.namespace, owner.name)
        for each in clusters
        for owner in each.metadata.owner_references
        if owner.group_kind == Cluster.RESOURCE.group_kind
    ]
    return [key for namespace, name in owners for key in _of(namespace, name, machines)]


def _of(namespace: str, cluster: str, machines: Cache[Machine]) -> list[ObjectKey]:
    return [_key(m) for m in machines.list(namespace) if m.spec.cluster_name == cluster and _is_ours(m)]


def _is_ours(machine: Machine) -> bool:
    return machine.spec.infrastructure_ref.group_kind == AzureMachine.RESOURCE.group_kind


def _key(machine: Machine) -> ObjectKey:
    return ObjectKey(machine.metadata.namespace, machine.spec.infrastructure_ref.name)


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    spec = cluster.spec
    return (spec.paused, spec.infrastructure_ref, cluster.status.initialization.infrastructure_provisioned)
