"""The Machine reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here. A deletion asks on its way for a step of draining the node,
and for its volumes: that is done between two decisions.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core import changes, following, reports
from capipool.core.machine import apply, watches
from capipool.core.machine.decide import decide
from capipool.core.machine.observe import Observer
from capipool.core.machine.world import Plan, World
from capipool.core.options import Options
from capipool.core.references import References
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.workload.connections import Connections

_log = Logger("capipool.core.machine")


class MachineReconciler:
    """Keeps Machines in step with their providers and their nodes, and takes them apart in order."""

    def __init__(self, manager: Manager, connections: Connections, options: Options) -> None:
        self._manager = manager
        self._connections = connections
        self._options = options
        self._references = References(manager)
        self._machines = manager.caches.of(Machine, options.namespace)
        self._observer = Observer(manager, connections, self._references, options.namespace)
        self._controller: Controller | None = None
        watches.add_indexes(self._machines)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one machine."""
        machine = self._machines.get(key)
        if machine is None or not self._options.selects(machine):
            return DONE
        world = await self._observer.observe(machine)
        self._follow_kinds(world)
        plan = await self._decide(world)
        connected = self._observer.connected(machine)
        workload = connected.client if connected is not None else None
        written = await apply.apply(self._manager.client, machine, plan, workload=workload)
        reports.record(self._manager.events, written, plan.events)
        reports.log(_log, plan.problems)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns machines."""
        self._controller = controller
        caches, namespace = self._manager.caches, self._options.namespace
        sets = caches.of(MachineSet, namespace)
        controller.watch(self._machines, watches.machine_changed)
        controller.watch(caches.of(Cluster, namespace), partial(changes.cluster_changed, self._machines))
        controller.watch(sets, partial(watches.set_changed, self._machines))
        changed = partial(watches.deployment_changed, self._machines, sets)
        controller.watch(caches.of(MachineDeployment, namespace), changed)
        controller.watch(self._references.definitions, partial(changes.definition_changed, self._machines))
        following.follow(
            self._connections, node_changed=self._node_changed, connection_changed=self._connection_changed
        )

    async def _decide(self, world: World) -> Plan:
        now = self._manager.clock.now()
        plan = decide(world, now)
        while plan.needs:
            world = await self._observer.complete(world, plan, now)
            plan = decide(world, now)
        return plan

    def _follow_kinds(self, world: World) -> None:
        """Watch the provider kinds that a machine refers to, once they are known."""
        assert self._controller is not None
        changed = partial(changes.provider_changed, self._machines)
        self._references.follow(self._controller, (world.infra, world.bootstrap), changed)

    def _node_changed(self, cluster: ObjectKey, old: Node | None, new: Node | None) -> None:
        self._enqueue(watches.node_changed(self._machines, cluster, old, new))

    def _connection_changed(self, cluster: ObjectKey) -> None:
        """What machines say of their nodes depends on whether they can be asked."""
        self._enqueue(watches.of_cluster(self._machines, cluster))

    def _enqueue(self, keys: Iterable[ObjectKey]) -> None:
        assert self._controller is not None
        for key in keys:
            self._controller.enqueue(key)


def setup(manager: Manager, connections: Connections, options: Options) -> None:
    """Add the controller of Machines to a manager."""
    reconciler = MachineReconciler(manager, connections, options)
    reconciler.attach(manager.controller("machine", reconciler, concurrency=options.concurrency))
