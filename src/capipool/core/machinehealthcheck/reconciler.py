"""The MachineHealthCheck reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api import indexes
from capipool.api.builtin import CustomResourceDefinition, Node
from capipool.api.constants import Annotation
from capipool.api.core import Cluster, Machine, MachineHealthCheck, MachinePool
from capipool.core import changes, following, gathering, reports
from capipool.core.machinehealthcheck import apply, external
from capipool.core.machinehealthcheck.decide import decide
from capipool.core.machinehealthcheck.observe import Observer
from capipool.core.options import Options
from capipool.core.references import References, kind_of
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.workload.connections import Connections


class MachineHealthCheckReconciler:
    """Judges machines, marks those that are unhealthy, and has them remediated while there are not too many."""

    def __init__(self, manager: Manager, connections: Connections, options: Options) -> None:
        self._manager = manager
        self._connections = connections
        self._options = options
        self._checks = manager.caches.of(MachineHealthCheck, options.namespace)
        self._checks.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        self._references = References(manager)
        self._observer = Observer(manager, connections, self._references, options.namespace)
        self._observer.machines.add_index(indexes.NODE_NAME, indexes.machine_node_name)
        self._controller: Controller | None = None

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one health check."""
        check = self._checks.get(key)
        if check is None or not self._options.selects(check):
            return DONE
        self._follow_kinds(check)
        world = await self._observer.observe(check)
        now = self._manager.clock.now()
        plan = decide(world, now)
        connected = self._connections.get(ObjectKey(key.namespace, check.spec.cluster_name))
        workload = connected.client if connected is not None else None
        await apply.apply(self._manager.client, workload, check, plan, now)
        reports.record(self._manager.events, check, plan.events)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that health checks judge by."""
        self._controller = controller
        controller.watch(self._checks, _spec_changed)
        gathering.watch(controller, self._observer.machines, self._machine_changed, self._size)
        gathering.watch(controller, self._observer.pools, self._pool_changed, self._size)
        controller.watch(self._manager.caches.of(Cluster, self._options.namespace), self._cluster_changed)
        controller.watch(self._references.definitions, self._definition_changed)
        following.follow(
            self._connections, node_changed=self._node_changed, connection_changed=self._connection_changed
        )

    def _size(self, key: ObjectKey) -> int:
        check = self._checks.get(key)
        return (check.status.expected_machines or 0) if check is not None else 0

    def _machine_changed(self, old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
        """The checks of a machine's cluster, where something changed that a check may look at."""
        if (machine := changes.relevant(old, new, _of_machine)) is None:
            return ()
        return self._of(ObjectKey(machine.metadata.namespace, machine.spec.cluster_name))

    def _pool_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        if (pool := changes.relevant(old, new, _of_pool)) is None:
            return ()
        return self._of(ObjectKey(pool.metadata.namespace, pool.spec.cluster_name))

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        cluster = changes.relevant(old, new, _of_cluster)
        return self._of(cluster.key) if cluster is not None else ()

    def _definition_changed(
        self, old: CustomResourceDefinition | None, new: CustomResourceDefinition | None
    ) -> Iterable[ObjectKey]:
        """A kind of external remediation that is installed, or goes."""
        definition = new or old
        if definition is None:
            return ()
        kind = kind_of(definition)
        return [c.key for c in self._checks.list() if kind in (self._observer.template_kinds(c) or ())]

    def _follow_kinds(self, check: MachineHealthCheck) -> None:
        """Watch the kinds of external remediation, once they are known."""
        assert self._controller is not None
        template, requests = self._observer.resources(check)
        if template is not None:
            self._references.watch(self._controller, template, self._template_changed)
        if requests is not None:
            self._references.watch(self._controller, requests, self._request_changed)

    def _template_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        """A template that came is what checks wait for; requests that were made from it stay as they are."""
        if new is None or old is not None:
            return ()
        return [
            c.key
            for c in self._checks.list(new.metadata.namespace)
            if (reference := c.spec.remediation.template_ref) is not None and reference.name == new.metadata.name
        ]

    def _request_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        """A request that is there now, or that went: it is made anew after a while, if its machine is unwell still."""
        request = new or old
        if request is None or (old is not None and new is not None):
            return ()
        checks = self._checks.list(request.metadata.namespace)
        keys = [c.key for c in checks if request.group_kind in (self._observer.template_kinds(c) or ())]
        if new is not None:
            return keys
        assert self._controller is not None
        for key in keys:
            self._controller.enqueue(key, external.RETRY)
        return ()

    def _of(self, cluster: ObjectKey) -> list[ObjectKey]:
        return [check.key for check in self._checks.by(indexes.CLUSTER_NAME, str(cluster))]

    def _node_changed(self, cluster: ObjectKey, old: Node | None, new: Node | None) -> None:
        """Only a node of a machine or pool, and only what a check judges it by: heartbeats change nothing of that."""
        if (node := changes.relevant(old, new, _of_node)) is None:
            return
        machines = self._observer.machines.by(indexes.NODE_NAME, node.metadata.name)
        pools = (
            self._observer.pools.by(indexes.PROVIDER_ID_LIST, node.spec.provider_id) if node.spec.provider_id else ()
        )
        of_machines = ((m.metadata.namespace, m.spec.cluster_name) for m in machines)
        of_pools = ((p.metadata.namespace, p.spec.cluster_name) for p in pools)
        if cluster in of_machines or cluster in of_pools:
            assert self._controller is not None
            gathering.enqueue(self._controller, self._of(cluster), self._size)

    def _connection_changed(self, cluster: ObjectKey) -> None:
        """Nobody is judged while the nodes cannot be asked about."""
        assert self._controller is not None
        for key in self._of(cluster):
            self._controller.enqueue(key)


def _spec_changed(old: MachineHealthCheck | None, new: MachineHealthCheck | None) -> Iterable[ObjectKey]:
    """What we write ourselves, the status, leads to nothing."""
    check = changes.relevant(old, new, _of_check)
    return (check.key,) if check is not None else ()


def _of_check(check: MachineHealthCheck) -> tuple[object, ...]:
    meta = check.metadata
    return (meta.uid, meta.deletion_timestamp, meta.annotations, meta.labels, meta.owner_references, check.spec)


def _of_machine(machine: Machine) -> tuple[object, ...]:
    meta = machine.metadata
    conditions = tuple((c.type, c.status, c.reason) for c in machine.status.conditions)
    return (meta.uid, meta.deletion_timestamp, meta.labels, meta.annotations, machine.status.node_ref, conditions)


def _of_pool(pool: MachinePool) -> tuple[object, ...]:
    meta, spec = pool.metadata, pool.spec
    template = spec.template.metadata.labels
    return (meta.uid, meta.deletion_timestamp, meta.annotations, template, spec.replicas, spec.provider_id_list)


def _of_node(node: Node) -> tuple[object, ...]:
    said = node.metadata.annotations
    asked = said.get(Annotation.REMEDIATE_MACHINE), said.get(Annotation.MACHINE_SKIP_REMEDIATION)
    return (node.metadata.uid, node.spec.provider_id, node.status.conditions, asked)


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    conditions = tuple((c.type, c.status) for c in cluster.status.conditions)
    return (cluster.metadata.uid, cluster.spec.paused, cluster.deleting, conditions)


def setup(manager: Manager, connections: Connections, options: Options) -> None:
    """Add the controller of MachineHealthChecks to a manager."""
    reconciler = MachineHealthCheckReconciler(manager, connections, options)
    reconciler.attach(manager.controller("machinehealthcheck", reconciler, concurrency=options.concurrency))
