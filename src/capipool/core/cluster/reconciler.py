"""The Cluster reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

import datetime as dt
from collections import deque
from collections.abc import Iterable

from capipool.api.builtin import CustomResourceDefinition
from capipool.api.core import Cluster, Machine, MachineDeployment, MachinePool, MachineSet
from capipool.core import ownership
from capipool.core.cluster import apply
from capipool.core.cluster.decide import decide
from capipool.core.cluster.observe import Observer, stands_alone
from capipool.core.cluster.world import World
from capipool.core.options import Options
from capipool.core.references import References, kind_of
from capipool.machinery.objects import Unstructured
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

_REFERENCES, _KINDS = "reference", "kind of reference"
_Worker = MachinePool | MachineDeployment | MachineSet | Machine


class ClusterReconciler:
    """Keeps Clusters in step with their infrastructure, control plane and workers."""

    def __init__(self, manager: Manager, connections: Connections, options: Options) -> None:
        self._manager = manager
        self._connections = connections
        self._options = options
        self._references = References(manager)
        self._clusters = manager.caches.of(Cluster, options.namespace)
        self._clusters.add_index(_REFERENCES, _references)
        self._clusters.add_index(_KINDS, _kinds)
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
        for problem in plan.problems:
            _log.debug("waiting", reason=problem.reason, why=problem.message)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns Clusters."""
        self._controller = controller
        controller.watch(self._clusters, self._cluster_changed)
        controller.watch(self._references.definitions, self._definition_changed)
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

    def _provider_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        obj = new or old
        if obj is None:
            return ()
        found = self._clusters.by(_REFERENCES, f"{obj.group_kind}/{obj.key}")
        if old is None or new is None or _of_provider(old) != _of_provider(new):
            return [cluster.key for cluster in found]
        return [c.key for c in found if not ownership.is_taken(c, new.metadata, c.metadata.name)]

    def _definition_changed(
        self, old: CustomResourceDefinition | None, new: CustomResourceDefinition | None
    ) -> Iterable[ObjectKey]:
        definition = new or old
        if definition is None:
            return ()
        return [cluster.key for cluster in self._clusters.by(_KINDS, str(kind_of(definition)))]

    def _connection_changed(self, cluster: ObjectKey, connected: WorkloadCluster | None) -> None:
        assert self._controller is not None
        self._controller.enqueue(cluster)

    def _follow_kinds(self, world: World) -> None:
        """Watch the provider kinds that a Cluster refers to, once they are known."""
        assert self._controller is not None
        for provider in (world.infra, world.control_plane):
            if provider is not None and provider.resource is not None:
                self._references.watch(self._controller, provider.resource, self._provider_changed)


def _references(cluster: Cluster) -> list[str]:
    found = (cluster.spec.infrastructure_ref, cluster.spec.control_plane_ref)
    key = cluster.metadata.namespace
    return [f"{ref.group_kind}/{ObjectKey(key, ref.name)}" for ref in found if ref is not None]


def _kinds(cluster: Cluster) -> set[str]:
    found = (cluster.spec.infrastructure_ref, cluster.spec.control_plane_ref)
    return {str(ref.group_kind) for ref in found if ref is not None}


def _of_provider(obj: Unstructured) -> tuple[object, ...]:
    meta = obj.metadata
    return (meta.uid, meta.deletion_timestamp, meta.finalizers, obj.spec, obj.status)


def setup(manager: Manager, connections: Connections, options: Options) -> None:
    """Add the controller of Clusters to a manager."""
    reconciler = ClusterReconciler(manager, connections, options)
    reconciler.attach(manager.controller("cluster", reconciler, concurrency=options.concurrency))
