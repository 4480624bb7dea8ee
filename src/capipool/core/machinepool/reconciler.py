"""The MachinePool reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from functools import partial

from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.core import changes, following, gathering, reports
from capipool.core.machinepool import apply, watches
from capipool.core.machinepool.decide import decide
from capipool.core.machinepool.observe import Observer
from capipool.core.machinepool.world import Plan, World
from capipool.core.options import Options
from capipool.core.references import Absent, References
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.workload.connections import Connections

_log = Logger("capipool.core.machinepool")

OWN_WRITES = 4
"""Writes of ours that are remembered for each pool: one reconcile makes two at most."""


class MachinePoolReconciler:
    """Keeps MachinePools in step with their providers and their nodes."""

    def __init__(self, manager: Manager, connections: Connections, options: Options) -> None:
        self._manager = manager
        self._connections = connections
        self._options = options
        self._references = References(manager)
        self._pools = manager.caches.of(MachinePool, options.namespace)
        self._observer = Observer(manager, connections, self._references, options.namespace)
        self._own: dict[ObjectKey, deque[str]] = {}
        self._controller: Controller | None = None
        watches.add_indexes(self._pools)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one pool."""
        pool = self._pools.get(key)
        if pool is None:
            self._own.pop(key, None)
            return DONE
        if not self._options.selects(pool):
            return DONE
        world = await self._observer.observe(pool)
        self._follow_kinds(world)
        plan = decide(world, self._manager.clock.now())
        await self._apply(world, plan)
        reports.log(_log, plan.problems)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns pools."""
        self._controller = controller
        caches, namespace = self._manager.caches, self._options.namespace
        controller.watch(self._pools, self._pool_changed)
        controller.watch(caches.of(Cluster, namespace), partial(changes.cluster_changed, self._pools))
        machine_changed = partial(watches.machine_changed, self._pools)
        gathering.watch(controller, caches.of(Machine, namespace), machine_changed, self._size)
        controller.watch(self._references.definitions, partial(changes.definition_changed, self._pools))
        following.follow(
            self._connections, node_changed=self._node_changed, connection_changed=self._connection_changed
        )

    async def _apply(self, world: World, plan: Plan) -> None:
        connected = self._observer.connected(world.pool)
        written = await apply.apply(
            self._manager.client,
            world.pool,
            plan,
            workload=connected.client if connected is not None else None,
            wrote=self._remember,
        )
        reports.record(self._manager.events, written, plan.events)

    def _remember(self, pool: MachinePool) -> None:
        """Our own write: when the watch shows it, there is nothing in it that was not decided already."""
        self._own.setdefault(pool.key, deque(maxlen=OWN_WRITES)).append(pool.metadata.resource_version)

    def _pool_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        pool = new or old
        if pool is None:
            return ()
        own = new is not None and new.metadata.resource_version in self._own.get(new.key, ())
        # A node that changed while its instance was not listed yet led to no reconcile: look again once it is.
        listed = old is not None and new is not None and old.spec.provider_id_list == new.spec.provider_id_list
        return () if own and listed else (pool.key,)

    def _follow_kinds(self, world: World) -> None:
        """Watch the provider kinds that a pool refers to, once they are known."""
        assert self._controller is not None
        changed = partial(changes.provider_changed, self._pools)
        self._references.follow(self._controller, (world.infra, world.bootstrap), changed)
        if not isinstance(world.infra, Absent) and world.infra.machine_resource is not None:
            self._references.watch(self._controller, world.infra.machine_resource, self._infra_machine_changed)

    def _infra_machine_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        """Gathered, as changes of Machines are: each pass looks at all of them."""
        assert self._controller is not None
        gathering.enqueue(self._controller, watches.infra_machine_changed(self._pools, old, new), self._size)
        return ()

    def _size(self, key: ObjectKey) -> int:
        """How many instances a pass over a pool looks at."""
        pool = self._pools.get(key)
        return len(pool.spec.provider_id_list) if pool is not None else 0

    def _node_changed(self, cluster: ObjectKey, old: Node | None, new: Node | None) -> None:
        assert self._controller is not None
        gathering.enqueue(self._controller, watches.node_changed(self._pools, cluster, old, new), self._size)

    def _connection_changed(self, cluster: ObjectKey) -> None:
        """What pools say of their nodes depends on whether they can be asked."""
        assert self._controller is not None
        for pool in watches.of_cluster(self._pools, cluster):
            self._controller.enqueue(pool.key)


def setup(manager: Manager, connections: Connections, options: Options) -> None:
    """Add the controller of MachinePools to a manager; with its feature gate off there is none."""
    if not options.machine_pool:
        return
    reconciler = MachinePoolReconciler(manager, connections, options)
    reconciler.attach(manager.controller("machinepool", reconciler, concurrency=options.concurrency))
