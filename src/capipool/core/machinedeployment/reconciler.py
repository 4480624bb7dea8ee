"""The MachineDeployment reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool.api import indexes
from capipool.api.constants import ConditionType, Label
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core import changes, gathering, ownership, references, reports
from capipool.core.machinedeployment import apply
from capipool.core.machinedeployment.decide import decide
from capipool.core.machinedeployment.observe import Observer
from capipool.core.options import Options
from capipool.core.references import References
from capipool.machinery import conditions
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result

_log = Logger("capipool.core.machinedeployment")


class MachineDeploymentReconciler:
    """Has one MachineSet for what is wanted now, and rolls machines over from older ones."""

    def __init__(self, manager: Manager, options: Options) -> None:
        self._manager = manager
        self._options = options
        self._references = References(manager)
        self._deployments = manager.caches.of(MachineDeployment, options.namespace)
        self._deployments.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        references.add_indexes(self._deployments)
        self._observer = Observer(manager, self._references, options.namespace)
        self._controller: Controller | None = None

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one deployment."""
        deployment = self._deployments.get(key)
        if deployment is None or not self._options.selects(deployment):
            return DONE
        world = await self._observer.observe(deployment)
        self._follow_kinds(deployment)
        plan = decide(world, self._manager.clock.now(), self._manager.rng)
        written = await apply.apply(self._manager.client, deployment, plan)
        reports.record(self._manager.events, written, plan.events)
        reports.log(_log, plan.problems)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns deployments."""
        self._controller = controller
        controller.watch(self._deployments, _deployment_changed)
        controller.watch(self._observer.sets, _set_changed)
        gathering.watch(controller, self._observer.machines, self._machine_changed, self._size)
        clusters = self._manager.caches.of(Cluster, self._options.namespace)
        controller.watch(clusters, partial(changes.cluster_changed, self._deployments))

    def _size(self, key: ObjectKey) -> int:
        deployment = self._deployments.get(key)
        return max(deployment.spec.replicas or 0, deployment.status.replicas or 0) if deployment is not None else 0

    def _machine_changed(self, old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
        """The deployment of a machine whose conditions changed: it shows what its machines wait for."""
        if (machine := changes.relevant(old, new, _told)) is None:
            return ()
        name = machine.metadata.labels.get(Label.MACHINE_DEPLOYMENT_NAME)
        return (ObjectKey(machine.metadata.namespace, name),) if name else ()

    def _template_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        """A template that came, or went."""
        template = new or old
        if template is None or (old is not None and new is not None):
            return ()
        name = references.name(template.group_kind, template.key)
        return [d.key for d in self._deployments.by(references.OBJECTS, name)]

    def _follow_kinds(self, deployment: MachineDeployment) -> None:
        """Watch the kinds of templates, once they are installed."""
        assert self._controller is not None
        for reference in references.of(deployment):
            served = self._references.find(reference.group_kind)
            if not isinstance(served, str):
                self._references.watch(self._controller, served.resource, self._template_changed)


def _deployment_changed(old: MachineDeployment | None, new: MachineDeployment | None) -> Iterable[ObjectKey]:
    """What we write ourselves, the status, leads to nothing."""
    deployment = changes.relevant(old, new, changes.of_body)
    return (deployment.key,) if deployment is not None else ()


def _set_changed(old: MachineSet | None, new: MachineSet | None) -> Iterable[ObjectKey]:
    """The deployment of a set, where something changed that the deployment goes by or adds up."""
    if (machine_set := changes.relevant(old, new, _of_set)) is None:
        return ()
    owner = ownership.controller_of(machine_set, MachineDeployment.RESOURCE.group_kind)
    return (ObjectKey(machine_set.metadata.namespace, owner.name),) if owner is not None else ()


def _of_set(machine_set: MachineSet) -> tuple[object, ...]:
    meta, status = machine_set.metadata, machine_set.status
    return (
        (meta.uid, meta.deletion_timestamp, meta.labels, meta.annotations, meta.owner_references, meta.generation),
        (status.replicas, status.ready_replicas, status.available_replicas, status.up_to_date_replicas),
        (status.versions, status.observed_generation, status.deprecated),
        conditions.find(status.conditions, ConditionType.SCALING_UP),
    )


def _told(machine: Machine) -> tuple[object, ...]:
    told = tuple((c.type, c.status, c.message) for c in machine.status.conditions)
    return (machine.metadata.uid, machine.deleting, told)


def setup(manager: Manager, options: Options) -> None:
    """Add the controller of MachineDeployments to a manager."""
    reconciler = MachineDeploymentReconciler(manager, options)
    reconciler.attach(manager.controller("machinedeployment", reconciler, concurrency=options.concurrency))
