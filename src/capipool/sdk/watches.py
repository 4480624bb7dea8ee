"""Which change makes which pool be looked at again. A heartbeat, or a write of one's own status, makes none."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, Generic, TypeVar

from capipool.api import indexes
from capipool.api.builtin import Node
from capipool.api.constants import Annotation, ConditionType
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.machinery import conditions
from capipool.machinery.objects import Object
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.runtime.controller import Controller
from capipool.sdk import intents, removal
from capipool.sdk.inputs import SecretMeta
from capipool.sdk.machines.census import Records
from capipool.sdk.provider import PoolProvider, PushesChanges
from capipool.sdk.reconciler import PoolReconciler
from capipool.workload import nodes
from capipool.workload.connections import Connections, WorkloadCluster

ObjectT = TypeVar("ObjectT", bound=Object)

COALESCE = dt.timedelta(milliseconds=100)
"""Nodes and instances change in bursts; a pool is looked at once for all that happens in this time."""
_DATA_SECRET = "spec.template.spec.bootstrap.dataSecretName"


class Watches(Generic[ObjectT]):
    """Maps changes to keys for one provider's reconciler."""

    def __init__(
        self, provider: PoolProvider[ObjectT], reconciler: PoolReconciler[ObjectT], connections: Connections
    ) -> None:
        self._provider = provider
        self._reconciler = reconciler
        self._inputs = reconciler.inputs
        self._connections = connections
        self._kind: GroupKind = provider.kind.RESOURCE.group_kind
        self._nodes: dict[ObjectKey, tuple[Any, Callable[[], None]]] = {}

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch everything that matters."""
        pools = self._inputs.machine_pools
        pools.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        pools.add_index(_DATA_SECRET, _data_secret)
        controller.watch(self._reconciler.objects, self._object_changed)
        controller.watch(pools, self._machine_pool_changed)
        controller.watch(self._inputs.clusters, self._cluster_changed)
        controller.watch(self._inputs.secrets, self._secret_changed)
        self._connections.subscribe(lambda key, workload: self._connected(controller, key, workload))
        if self._reconciler.machines is not None:
            self._add_machines(controller, self._reconciler.machines.records)
        if isinstance(self._provider, PushesChanges):
            self._provider.subscribe(lambda key: controller.enqueue(key, COALESCE))

    def _object_changed(self, old: ObjectT | None, new: ObjectT | None) -> Iterable[ObjectKey]:
        if new is None:
            return [old.key] if old is not None else ()
        return () if old is not None and intents.of_object(old) == intents.of_object(new) else [new.key]

    def _machine_pool_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        if old is not None and new is not None and intents.of_machine_pool(old) == intents.of_machine_pool(new):
            return ()
        pool = new or old
        return [key] if pool is not None and (key := self._object_of(pool)) is not None else ()

    def _add_machines(self, controller: Controller, records: Records) -> None:
        """Look at a pool anew when an object or a Machine of it changes in what matters, once for a burst of them."""
        kind = records.resource.group_kind

        def object_changed(old: Any, new: Any) -> Iterable[ObjectKey]:
            obj = new or old
            if old is not None and (new is None or _of_machine_object(old) != _of_machine_object(new)):
                for owner in obj.metadata.owner_references:
                    if owner.group_kind == self._kind:
                        controller.enqueue(ObjectKey(obj.metadata.namespace, owner.name), COALESCE)
            return ()

        def machine_changed(old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
            machine = new or old
            if machine is None or machine.spec.infrastructure_ref.group_kind != kind:
                return ()
            if (key := self._pool_of(machine)) is not None and _of_machine(old) != _of_machine(new):
                controller.enqueue(key, COALESCE)
            return ()

        controller.watch(records.objects, object_changed)
        controller.watch(records.machines, machine_changed)

    def _pool_of(self, machine: Machine) -> ObjectKey | None:
        """The provider's pool object that a Machine's MachinePool refers to."""
        for owner in machine.metadata.owner_references:
            if owner.group_kind == MachinePool.RESOURCE.group_kind:
                pool = self._inputs.machine_pools.get(ObjectKey(machine.metadata.namespace, owner.name))
                return self._object_of(pool) if pool is not None else None
        return None

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        if old is not None and new is not None and _cluster_facts(old) == _cluster_facts(new):
            return ()
        cluster = new or old
        return self._of_cluster(cluster.key) if cluster is not None else ()

    def _secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        secret = new or old
        if secret is None:
            return ()
        those = self._inputs.machine_pools.by(_DATA_SECRET, str(secret.key))
        return [key for pool in those if (key := self._object_of(pool)) is not None]

    def _of_cluster(self, cluster: ObjectKey) -> list[ObjectKey]:
        those = self._inputs.machine_pools.by(indexes.CLUSTER_NAME, str(cluster))
        return [key for pool in those if (key := self._object_of(pool)) is not None]

    def _object_of(self, pool: MachinePool) -> ObjectKey | None:
        """The provider's object of a MachinePool, if it is of this provider."""
        reference = pool.spec.template.spec.infrastructure_ref
        return ObjectKey(pool.metadata.namespace, reference.name) if reference.group_kind == self._kind else None

    def _connected(self, controller: Controller, cluster: ObjectKey, workload: WorkloadCluster | None) -> None:
        """A workload cluster came or went: follow its nodes, and look at its pools."""
        for key in self._of_cluster(cluster):
            controller.enqueue(key, COALESCE)
        followed, unfollow = self._nodes.get(cluster, (None, None))
        if workload is None or workload.caches is followed:
            return
        if unfollow is not None:
            unfollow()

        def changed(old: Node | None, new: Node | None) -> None:
            if nodes.state_changed(old, new) or _marks(old) != _marks(new):
                for node in (old, new):
                    if node is not None:
                        self._node_changed(controller, cluster, node)

        self._nodes[cluster] = (workload.caches, workload.nodes.cache.subscribe(changed))

    def _node_changed(self, controller: Controller, cluster: ObjectKey, node: Node) -> None:
        key = self._reconciler.pools_of_instances.get((cluster, node.spec.provider_id))
        if key is not None:
            controller.enqueue(key, COALESCE)


_MARKS = (
    removal.REMOVING,
    Annotation.DELETE_MACHINE,
    Annotation.REMEDIATE_MACHINE,
    Annotation.MACHINE_SKIP_REMEDIATION,
)


def _marks(node: Node | None) -> tuple[str | None, ...]:
    return tuple(node.metadata.annotations.get(mark) for mark in _MARKS) if node is not None else ()


def _of_machine_object(obj: Object) -> tuple[object, ...]:
    """What of an object matters here: all but its status, which is written here, and its owners, which core adds."""
    meta = obj.metadata
    spec: Any = obj.spec  # type: ignore[attr-defined]
    return (meta.uid, spec, meta.labels, meta.annotations, meta.finalizers, meta.deletion_timestamp)


def _of_machine(machine: Machine | None) -> tuple[object, ...] | None:
    """What of a Machine matters: who wants it gone, and how far that is."""
    if machine is None:
        return None
    meta = machine.metadata
    told = conditions.find(machine.status.conditions, ConditionType.DELETING) if machine.deleting else None
    given_up = conditions.find(machine.status.conditions, ConditionType.OWNER_REMEDIATED)
    marks = (meta.annotations.get(Annotation.DELETE_MACHINE), meta.annotations.get(removal.REMOVING))
    why = told.message if told is not None else ""
    return (meta.uid, meta.deletion_timestamp, marks, why, given_up.status if given_up is not None else "")


def _cluster_facts(cluster: Cluster) -> tuple[object, ...]:
    ready = cluster.status.initialization.infrastructure_provisioned
    return (cluster.metadata.uid, cluster.spec.paused, ready, cluster.deleting, cluster.metadata.labels)


def _data_secret(pool: MachinePool) -> Iterable[str]:
    name = pool.spec.template.spec.bootstrap.data_secret_name
    return [f"{pool.metadata.namespace}/{name}"] if name else ()
