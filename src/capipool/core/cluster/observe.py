"""Gather what a decision about a Cluster needs, from caches: its provider objects and its workers, found by index."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from capipool.api import indexes
from capipool.api.constants import ConditionType, Label
from capipool.api.core import (
    Cluster,
    ContractVersionedObjectReference,
    Machine,
    MachineDeployment,
    MachinePool,
    MachineSet,
)
from capipool.api.v1beta2.cluster import ClusterReplicas
from capipool.contract import conditions, control_plane, infra_cluster
from capipool.core import ownership
from capipool.core.cluster.world import ControlPlane, InfraCluster, World
from capipool.core.references import Absent, References, Served
from capipool.machinery.objects import Object, Unstructured
from capipool.runtime.cache import Cache
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections

BY_CLUSTER_ALONE = "cluster, of what belongs to nothing else"

T = TypeVar("T", bound=Object)


class Observer:
    """Reads the world of one Cluster."""

    def __init__(self, manager: Manager, connections: Connections, references: References, namespace: str) -> None:
        self._connections = connections
        self._references = references
        self.pools = manager.caches.of(MachinePool, namespace)
        self.deployments = manager.caches.of(MachineDeployment, namespace)
        self.sets = manager.caches.of(MachineSet, namespace)
        self.machines = manager.caches.of(Machine, namespace)
        self.pools.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        self.deployments.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        self.sets.add_index(BY_CLUSTER_ALONE, _of_set_alone)
        self.machines.add_index(BY_CLUSTER_ALONE, _of_machine_alone)

    async def observe(self, cluster: Cluster) -> World:
        """The world of a Cluster now. Raises ApiError or TimeoutError where a provider's kind cannot be read."""
        key, scope = cluster.key, str(cluster.key)
        return World(
            cluster=cluster,
            infra=await self._infra(cluster, cluster.spec.infrastructure_ref),
            control_plane=await self._control_plane(cluster, cluster.spec.control_plane_ref),
            pools=_sorted(self.pools, indexes.CLUSTER_NAME, scope),
            deployments=_sorted(self.deployments, indexes.CLUSTER_NAME, scope),
            sets=_sorted(self.sets, BY_CLUSTER_ALONE, scope),
            machines=_sorted(self.machines, BY_CLUSTER_ALONE, scope),
            connected=self._connections.get(key) is not None,
            unavailable=self._connections.unavailable_reason(key),
            tried=self._connections.is_known(key),
        )

    async def _infra(
        self, cluster: Cluster, ref: ContractVersionedObjectReference | None
    ) -> InfraCluster | Absent | None:
        found = await self._get(cluster, ref)
        return infra_object(*found) if isinstance(found, tuple) else found

    async def _control_plane(
        self, cluster: Cluster, ref: ContractVersionedObjectReference | None
    ) -> ControlPlane | Absent | None:
        found = await self._get(cluster, ref)
        return control_plane_object(*found) if isinstance(found, tuple) else found

    async def _get(
        self, cluster: Cluster, ref: ContractVersionedObjectReference | None
    ) -> tuple[Unstructured, Served] | Absent | None:
        if ref is None:
            return None
        return await self._references.get(ref, cluster.metadata.namespace, confirm_gone=cluster.deleting)


def infra_object(obj: Unstructured, served: Served) -> InfraCluster:
    """An infrastructure cluster's facts."""
    return InfraCluster(
        object=obj,
        resource=served.resource,
        provisioned=infra_cluster.provisioned(obj, served.contract),
        endpoint=infra_cluster.control_plane_endpoint(obj),
        failure_domains=infra_cluster.failure_domains(obj, served.contract),
        ready=conditions.find(obj, ConditionType.READY),
        legacy_ready=conditions.find_legacy(obj, ConditionType.READY, served.contract),
    )


def control_plane_object(obj: Unstructured, served: Served) -> ControlPlane:
    """A control plane's facts."""
    return ControlPlane(
        object=obj,
        resource=served.resource,
        initialized=control_plane.initialized(obj, served.contract),
        endpoint=control_plane.endpoint(obj),
        replicas=ClusterReplicas(
            desired_replicas=control_plane.wanted_replicas(obj),
            replicas=control_plane.replicas(obj),
            ready_replicas=control_plane.ready_replicas(obj),
            available_replicas=control_plane.available_replicas(obj),
            up_to_date_replicas=control_plane.up_to_date_replicas(obj, served.contract),
        ),
        available=conditions.find(obj, ConditionType.AVAILABLE),
        ready=conditions.find(obj, ConditionType.READY),
        legacy_ready=conditions.find_legacy(obj, ConditionType.READY, served.contract),
    )


def stands_alone(machine: Machine) -> bool:
    """Whether a Machine is the Cluster's own concern: of its control plane, or of nothing else."""
    labels = machine.metadata.labels
    if Label.MACHINE_CONTROL_PLANE in labels:
        return True
    return ownership.controller_of(machine) is None and Label.MACHINE_POOL_NAME not in labels


def _of_set_alone(machine_set: MachineSet) -> tuple[str, ...]:
    return () if ownership.controller_of(machine_set) else indexes.cluster_name(machine_set)


def _of_machine_alone(machine: Machine) -> tuple[str, ...]:
    return indexes.cluster_name(machine) if stands_alone(machine) else ()


def _sorted(cache: Cache[T], index: str, value: str) -> tuple[T, ...]:
    found: Iterable[T] = cache.by(index, value)
    return tuple(sorted(found, key=lambda o: o.metadata.name))
