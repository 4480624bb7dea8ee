"""The MachineSet reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

from capipool.api import indexes
from capipool.api.constants import Annotation
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet, MachineTemplateSpec
from capipool.core import changes, gathering, ownership, references, reports
from capipool.core.machineset import apply
from capipool.core.machineset.decide import decide
from capipool.core.machineset.observe import Observer, orphan_of
from capipool.core.machineset.world import World
from capipool.core.options import Options
from capipool.core.references import References
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result

_log = Logger("capipool.core.machineset")


class MachineSetReconciler:
    """Keeps as many machines as a set wants, alike, and replaces those that are unhealthy."""

    def __init__(self, manager: Manager, options: Options) -> None:
        self._manager = manager
        self._options = options
        self._references = References(manager)
        self._sets = manager.caches.of(MachineSet, options.namespace)
        self._sets.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        references.add_indexes(self._sets)
        self._observer = Observer(manager, self._references, options.namespace)
        self._synced: dict[ObjectKey, MachineTemplateSpec] = {}
        """The template that all machines of a set were synced with last, in this process."""
        self._controller: Controller | None = None

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one set."""
        machine_set = self._sets.get(key)
        if machine_set is None or not self._options.selects(machine_set):
            self._synced.pop(key, None)
            return DONE
        template = machine_set.spec.template
        world = await self._observer.observe(machine_set, synced=self._synced.get(key) == template)
        self._follow_kinds(world)
        now = self._manager.clock.now()
        plan = decide(world, now, self._manager.rng)
        written = await apply.apply(self._manager.client, machine_set, plan, now, refused=self._refusals(machine_set))
        if plan.synced:
            self._synced[key] = template
        reports.record(self._manager.events, written, plan.events)
        reports.log(_log, plan.problems)
        return plan.result

    def _refusals(self, machine_set: MachineSet) -> Callable[[str], None]:
        """Tells of what the server refuses to make for a set. It is tried again, less and less often."""
        return lambda why: self._manager.events.event(machine_set, "Warning", "FailedCreate", why)

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns sets."""
        self._controller = controller
        caches, namespace = self._manager.caches, self._options.namespace
        controller.watch(self._sets, _set_changed)
        gathering.watch(controller, self._observer.machines, self._machine_changed, self._size)
        controller.watch(self._observer.deployments, self._deployment_changed)
        controller.watch(caches.of(Cluster, namespace), partial(changes.cluster_changed, self._sets))
        controller.watch(self._references.definitions, partial(changes.definition_changed, self._sets))

    def _size(self, key: ObjectKey) -> int:
        machine_set = self._sets.get(key)
        return max(machine_set.spec.replicas or 0, machine_set.status.replicas or 0) if machine_set is not None else 0

    def _machine_changed(self, old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
        """The set of a machine, where something changed that the set counts or syncs; all sets for an orphan."""
        if changes.relevant(old, new, _of_machine) is None:
            return ()
        keys = {
            ObjectKey(m.metadata.namespace, owner.name)
            for m in (old, new)
            if m is not None and (owner := ownership.controller_of(m, MachineSet.RESOURCE.group_kind)) is not None
        }
        if new is not None and (scope := orphan_of(new)):
            keys |= {s.key for s in self._sets.by(indexes.CLUSTER_NAME, scope[0])}
        return keys

    def _deployment_changed(self, old: MachineDeployment | None, new: MachineDeployment | None) -> Iterable[ObjectKey]:
        """Sets say on their machines whether they are what the deployment wants."""
        if new is None or (old is not None and (old.spec, _revision(old)) == (new.spec, _revision(new))):
            return ()
        return [s.key for s in self._sets.owned_by(new.metadata.uid)]

    def _template_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        """A template that came is what sets wait for; one that changed is not looked at again."""
        if new is None or old is not None:
            return ()
        return [s.key for s in self._sets.by(references.OBJECTS, references.name(new.group_kind, new.key))]

    def _follow_kinds(self, world: World) -> None:
        """Watch the kinds of templates, once they are known. What is made from them concerns its machine."""
        assert self._controller is not None
        self._references.follow(self._controller, (world.infra, world.bootstrap), self._template_changed)


def _set_changed(old: MachineSet | None, new: MachineSet | None) -> Iterable[ObjectKey]:
    """What we write ourselves, the status, leads to nothing."""
    machine_set = changes.relevant(old, new, changes.of_body)
    return (machine_set.key,) if machine_set is not None else ()


def _of_machine(machine: Machine) -> tuple[object, ...]:
    meta, status = machine.metadata, machine.status
    return (
        meta.uid,
        meta.deletion_timestamp,
        meta.labels,
        meta.annotations,
        meta.owner_references,
        machine.spec,
        status.node_ref,
        status.node_info and status.node_info.kubelet_version,
        status.initialization,
        tuple((c.type, c.status, c.message) for c in status.conditions),
    )


def _revision(deployment: MachineDeployment) -> object:
    return deployment.metadata.annotations.get(Annotation.REVISION)


def setup(manager: Manager, options: Options) -> None:
    """Add the controller of MachineSets to a manager."""
    reconciler = MachineSetReconciler(manager, options)
    reconciler.attach(manager.controller("machineset", reconciler, concurrency=options.concurrency))
