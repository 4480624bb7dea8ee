"""The Cluster reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable
from functools import partial

from capipool.api.core import Cluster, Machine, MachineDeployment, MachinePool, MachineSet
from capipool.core import changes, references, reports
from capipool.core.cluster import apply
from capipool.core.cluster.decide import decide
from capipool.core.cluster.observe import Observer, stands_alone
from capipool.core.cluster.world import World
from capipool.core.options import Options
from capipool.core.references import References
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.workload.connections import Connections, WorkloadCluster

_log = Logger("capipool.core.cluster")

WORKERS_DELAY = dt.timedelta(seconds=1)
"""How long counters of workers may lag behind in the status of their Cluster: what a hundred pools change in a second
is then written once."""

_Worker = MachinePool | MachineDeployment | MachineSet | Machine


class ClusterReconciler:
    """Keeps Clusters in step with their infrastructure, control plane and workers."""

    def __init__(self, manager: Manager, connections: Connections, options: Options) -> None:
        self._manager = manager
        self._connections = connections
        self._options = options
        self._references = References(manager)
        self._clusters = manager.caches.of(Cluster, options.namespace)
        references.add_indexes(self._clusters)
        self._observer = Observer(manager, connections, self._references, options.namespace)
        self._own: dict[ObjectKey, deque[str]] = {}
        self._controller: Controller | None = None

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one Cluster."""
        cluster = self._clusters.get(key)
        if cluster is None:
            self._own.pop(key, None)
            return DONE
        if not self._options.selects(cluster):
            return DONE
        world = await self._observer.observe(cluster)
        self._follow_kinds(world)
        plan = decide(world, self._manager.clock.now())
        written = await apply.apply(self._manager.client, cluster, plan)
        if written is not cluster:
            self._own.setdefault(key, deque(maxlen=2)).append(written.metadata.resource_version)
        reports.log(_log, plan.problems)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns Clusters."""
        self._controller = controller
        controller.watch(self._clusters, self._cluster_changed)
        controller.watch(self._references.definitions, partial(changes.definition_changed, self._clusters))
        controller.watch(self._observer.pools, self._worker_changed)
        controller.watch(self._observer.deployments, self._worker_changed)
        controller.watch(self._observer.sets, self._worker_changed)
        controller.watch(self._observer.machines, self._machine_changed)
        self._connections.subscribe(self._connection_changed)

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        cluster = new or old
        if cluster is None:
            return ()
        if old is not None and new is not None and new.metadata.resource_version in self._own.get(new.key, ()):
            return ()
        return (cluster.key,)

    def _worker_changed(self, old: _Worker | None, new: _Worker | None) -> Iterable[ObjectKey]:
        """Coming, going, and being deleted are looked at now; what is only counted is looked at later."""
        worker = new or old
        if worker is None:
            return ()
        key = ObjectKey(worker.metadata.namespace, worker.spec.cluster_name)
        if new is None or (old is not None and old.deleting != new.deleting):
            return (key,)
        if old is None or old.status != new.status or old.spec != new.spec:
            assert self._controller is not None
            self._controller.enqueue(key, after=WORKERS_DELAY)
        return ()

    def _machine_changed(self, old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
        concerned = any(m is not None and stands_alone(m) for m in (old, new))
        return self._worker_changed(old, new) if concerned else ()

    def _connection_changed(self, cluster: ObjectKey, connected: WorkloadCluster | None) -> None:
        assert self._controller is not None
        self._controller.enqueue(cluster)

    def _follow_kinds(self, world: World) -> None:
        """Watch the provider kinds that a Cluster refers to, once they are known."""
        assert self._controller is not None
        found = (world.infra, world.control_plane)
        self._references.follow(self._controller, found, partial(changes.provider_changed, self._clusters))


def setup(manager: Manager, connections: Connections, options: Options) -> None:
    """Add the controller of Clusters to a manager."""
    reconciler = ClusterReconciler(manager, connections, options)
    reconciler.attach(manager.controller("cluster", reconciler, concurrency=options.concurrency))
