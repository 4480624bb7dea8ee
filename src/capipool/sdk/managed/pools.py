"""Whose a pool of a managed service is, and whose pools a cluster has. Pure but for looks into caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from capipool.api.core import Cluster, MachinePool
from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache, Caches
from capipool.sdk import inputs

PoolT = TypeVar("PoolT", bound=Object)
PlaneT = TypeVar("PlaneT", bound=Object)


@dataclass(frozen=True, slots=True)
class World(Generic[PoolT, PlaneT]):
    """A pool, and whom it belongs to."""

    obj: PoolT
    owner: MachinePool | None
    cluster: Cluster | None
    plane: PlaneT | None


class Surroundings(Generic[PoolT, PlaneT]):
    """Finds what is around pools of one kind, in clusters whose control plane is of another."""

    def __init__(self, caches: Caches, pool: type[PoolT], plane: type[PlaneT]) -> None:
        self._pool = pool
        self._plane = plane
        self.machine_pools = caches.of(MachinePool)
        self.clusters = caches.of(Cluster)
        self.planes = caches.of(plane)

    def of(self, obj: PoolT) -> World[PoolT, PlaneT]:
        """Its MachinePool, its Cluster, and the control plane that the Cluster names, as far as they are there."""
        owner = inputs.machine_pool_of(obj, self.machine_pools)
        cluster = inputs.cluster_of_pool(obj, owner, self.clusters)
        plane = control_plane(cluster, self.planes, self._plane) if cluster is not None else None
        return World(obj, owner, cluster, plane)

    def missing(self, plane: PlaneT | None) -> str:
        """What a pool waits for whose control plane is not ready, with the reason that this gives itself."""
        kind = self._plane.RESOURCE.kind
        if plane is None:
            return f"there is no {kind} that the Cluster names"
        why = waits_for(plane)
        return f"{kind} {plane.metadata.name} is not ready yet" + (f": {why}" if why else "")

    def pool_of(self, machine_pool: MachinePool) -> list[ObjectKey]:
        """The pool that a MachinePool names, if it is of this kind."""
        reference = machine_pool.spec.template.spec.infrastructure_ref
        same = reference.group_kind == self._pool.RESOURCE.group_kind
        return [ObjectKey(machine_pool.metadata.namespace, reference.name)] if same else []

    def pools_of(self, cluster: ObjectKey) -> list[ObjectKey]:
        """The pools of this kind that the MachinePools of a Cluster name."""
        pools = self.machine_pools.list(cluster.namespace)
        return [key for pool in pools if pool.spec.cluster_name == cluster.name for key in self.pool_of(pool)]


def control_plane(cluster: Cluster, planes: Cache[PlaneT], kind: type[PlaneT]) -> PlaneT | None:
    """The control plane that a Cluster names, if it is of this kind and there."""
    reference = cluster.spec.control_plane_ref
    if reference is None or reference.group_kind != kind.RESOURCE.group_kind:
        return None
    return planes.get(ObjectKey(cluster.metadata.namespace, reference.name))


def waits_for(plane: Object) -> str:
    """Why a control plane by the contract of v1beta1 is not ready, in its own words; empty where it says nothing."""
    status: Any = getattr(plane, "status", None)
    found: Sequence[V1Beta1Condition] = status.conditions if status is not None and not status.ready else ()
    return next((c.message for c in found if c.type == "Ready" and c.status != "True"), "")
