"""Gather what a decision about a pool needs, from caches: the pool's own objects and nodes, found by index.

The only calls made here confirm that an object is really gone before a deletion goes on; everything else is memory.
"""

from __future__ import annotations

from capipool.api.core import Cluster, ContractVersionedObjectReference, Machine, MachinePool
from capipool.contract import infra_pool
from capipool.core.bootstrap import BootstrapObject, bootstrap_object
from capipool.core.machinepool import facts, machines
from capipool.core.machinepool.world import InfraMachine, InfraObject, Nodes, World
from capipool.core.references import Absent, References
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections, WorkloadCluster

_LABELLED = "pool labels"


class Observer:
    """Reads the world of one pool."""

    def __init__(self, manager: Manager, connections: Connections, references: References, namespace: str) -> None:
        self._clusters = manager.caches.of(Cluster, namespace)
        self._machines = manager.caches.of(Machine, namespace)
        self._machines.add_index(_LABELLED, _pool_label)
        self._connections = connections
        self._references = references

    def connected(self, pool: MachinePool) -> WorkloadCluster | None:
        """The pool's workload cluster, while it is connected."""
        return self._connections.get(ObjectKey(pool.metadata.namespace, pool.spec.cluster_name))

    async def observe(self, pool: MachinePool) -> World:
        """The world of a pool now. Raises ApiError or TimeoutError where a provider's kind cannot be read."""
        spec = pool.spec.template.spec
        cluster = ObjectKey(pool.metadata.namespace, pool.spec.cluster_name)
        infra = await self._infra(pool, spec.infrastructure_ref)
        bootstrap = None
        if spec.bootstrap.config_ref is not None:
            bootstrap = await self._bootstrap(pool, spec.bootstrap.config_ref)
        connected = self._connections.get(cluster)
        return World(
            pool=pool,
            cluster=self._clusters.get(cluster),
            infra=infra,
            bootstrap=bootstrap,
            nodes=observe_nodes(connected, pool, infra) if connected is not None else None,
            nodes_unavailable=self._connections.unavailable_reason(cluster),
            machines=self._own_machines(pool),
            infra_machines=await self._infra_machines(pool, infra),
        )

    async def _infra(self, pool: MachinePool, ref: ContractVersionedObjectReference) -> InfraObject | Absent:
        found = await self._references.get(ref, pool.metadata.namespace, confirm_gone=pool.deleting)
        if isinstance(found, Absent):
            return found
        obj, served = found
        kind = infra_pool.infrastructure_machine_kind(obj)
        machine = self._references.beside(GroupKind(ref.api_group, kind), served) if kind else None
        return facts.infra_object(obj, served, machine)

    async def _bootstrap(self, pool: MachinePool, ref: ContractVersionedObjectReference) -> BootstrapObject | Absent:
        found = await self._references.get(ref, pool.metadata.namespace, confirm_gone=pool.deleting)
        return found if isinstance(found, Absent) else bootstrap_object(*found)

    def _own_machines(self, pool: MachinePool) -> tuple[Machine, ...]:
        wanted = machines.infra_machine_labels(pool)
        found = self._machines.by(_LABELLED, _label_key(pool.metadata.namespace, wanted[machines.POOL_LABEL]))
        return tuple(
            m
            for m in sorted(found, key=lambda m: m.metadata.name)
            if wanted.items() <= m.metadata.labels.items() and not machines.is_excluded(m, pool.metadata.uid)
        )

    async def _infra_machines(self, pool: MachinePool, infra: InfraObject | Absent) -> tuple[InfraMachine, ...] | None:
        if isinstance(infra, Absent) or not infra.machine_kind:
            return ()
        if infra.machine_resource is None:
            return None
        cache = await self._references.cache(infra.machine_resource)
        cache.add_index(_LABELLED, _pool_label)
        wanted = machines.infra_machine_labels(pool)
        found = cache.by(_LABELLED, _label_key(pool.metadata.namespace, wanted[machines.POOL_LABEL]))
        return tuple(
            facts.infra_machine_object(obj)
            for obj in sorted(found, key=lambda o: o.metadata.name)
            if wanted.items() <= obj.metadata.labels.items()
        )


def observe_nodes(connected: WorkloadCluster, pool: MachinePool, infra: InfraObject | Absent) -> Nodes:
    """The nodes of the instances that are or were listed, those referred to, and those that carry the pool's mark."""
    index = connected.nodes
    listed = pool.spec.provider_id_list
    if not isinstance(infra, Absent) and infra.provider_ids != listed:
        listed = (*listed, *infra.provider_ids)
    by_provider_id = {i: found for i in listed if (found := index.by_provider_id(i))}
    by_name = {ref.name: node for ref in pool.status.node_refs if (node := index.get(ref.name)) is not None}
    return Nodes(by_provider_id, by_name, index.of_owner(pool.RESOURCE.kind, pool.key))


def _pool_label(obj: Machine | Unstructured) -> tuple[str, ...]:
    value = obj.metadata.labels.get(machines.POOL_LABEL)
    return (_label_key(obj.metadata.namespace, value),) if value is not None else ()


def _label_key(namespace: str, value: str) -> str:
    return f"{namespace}/{value}"
