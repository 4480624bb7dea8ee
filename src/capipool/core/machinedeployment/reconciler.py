"""The MachineDeployment reconciler: what it watches, and observe -> decide -> apply.

`setup` builds it for a manager. Nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api import indexes
from capipool.api.constants import GROUP, ConditionType, Label
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core import gathering
from capipool.core.machinedeployment import apply
from capipool.core.machinedeployment.decide import decide
from capipool.core.machinedeployment.observe import Observer
from capipool.core.options import Options
from capipool.core.references import References
from capipool.machinery import conditions
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result

_log = Logger("capipool.core.machinedeployment")

BY_TEMPLATE = "template"
_DEPLOYMENT = GroupKind(GROUP, "MachineDeployment")


class MachineDeploymentReconciler:
    """Has one MachineSet for what is wanted now, and rolls machines over from older ones."""

    def __init__(self, manager: Manager, options: Options) -> None:
        self._manager = manager
        self._options = options
        self._references = References(manager)
        self._deployments = manager.caches.of(MachineDeployment, options.namespace)
        self._deployments.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
        self._deployments.add_index(BY_TEMPLATE, _templates)
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
        for said in plan.events:
            self._manager.events.event(written, said.type, said.reason, said.message)
        for problem in plan.problems:
            _log.debug("waiting", reason=problem.reason, why=problem.message)
        return plan.result

    def attach(self, controller: Controller) -> None:
        """Watch everything that concerns deployments."""
        self._controller = controller
        controller.watch(self._deployments, _deployment_changed)
        controller.watch(self._observer.sets, _set_changed)
        gathering.watch(controller, self._observer.machines, self._machine_changed, self._size)
        controller.watch(self._manager.caches.of(Cluster, self._options.namespace), self._cluster_changed)

    def _size(self, key: ObjectKey) -> int:
        deployment = self._deployments.get(key)
        return max(deployment.spec.replicas or 0, deployment.status.replicas or 0) if deployment is not None else 0

    def _machine_changed(self, old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
        """The deployment of a machine whose conditions changed: it shows what its machines wait for."""
        machine = new or old
        if machine is None or (old is not None and new is not None and _told(old) == _told(new)):
            return ()
        name = machine.metadata.labels.get(Label.MACHINE_DEPLOYMENT_NAME)
        return (ObjectKey(machine.metadata.namespace, name),) if name else ()

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        cluster = new or old
        if cluster is None or (old is not None and new is not None and _of_cluster(old) == _of_cluster(new)):
            return ()
        return [d.key for d in self._deployments.by(indexes.CLUSTER_NAME, str(cluster.key))]

    def _template_changed(self, old: Unstructured | None, new: Unstructured | None) -> Iterable[ObjectKey]:
        """A template that came, or went."""
        template = new or old
        if template is None or (old is not None and new is not None):
            return ()
        return [d.key for d in self._deployments.by(BY_TEMPLATE, f"{template.group_kind}/{template.key}")]

    def _follow_kinds(self, deployment: MachineDeployment) -> None:
        """Watch the kinds of templates, once they are installed."""
        assert self._controller is not None
        spec = deployment.spec.template.spec
        for reference in (spec.infrastructure_ref, spec.bootstrap.config_ref):
            served = self._references.find(reference.group_kind) if reference is not None else ""
            if not isinstance(served, str):
                self._references.watch(self._controller, served.resource, self._template_changed)


def _deployment_changed(old: MachineDeployment | None, new: MachineDeployment | None) -> Iterable[ObjectKey]:
    """What we write ourselves, the status, leads to nothing."""
    deployment = new or old
    if deployment is None or (old is not None and new is not None and _of_deployment(old) == _of_deployment(new)):
        return ()
    return (deployment.key,)


def _set_changed(old: MachineSet | None, new: MachineSet | None) -> Iterable[ObjectKey]:
    """The deployment of a set, where something changed that the deployment goes by or adds up."""
    machine_set = new or old
    if machine_set is None or (old is not None and new is not None and _of_set(old) == _of_set(new)):
        return ()
    namespace = machine_set.metadata.namespace
    owners = machine_set.metadata.owner_references
    return [ObjectKey(namespace, o.name) for o in owners if o.controller and o.group_kind == _DEPLOYMENT]


def _templates(deployment: MachineDeployment) -> list[str]:
    spec, namespace = deployment.spec.template.spec, deployment.metadata.namespace
    found = [spec.infrastructure_ref, *([spec.bootstrap.config_ref] if spec.bootstrap.config_ref else [])]
    return [f"{r.group_kind}/{ObjectKey(namespace, r.name)}" for r in found]


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


def _of_deployment(deployment: MachineDeployment) -> tuple[object, ...]:
    meta = deployment.metadata
    return (
        meta.uid,
        meta.deletion_timestamp,
        meta.labels,
        meta.annotations,
        meta.owner_references,
        meta.finalizers,
        deployment.spec,
    )


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    return (cluster.metadata.uid, bool(cluster.spec.paused), cluster.deleting)


def setup(manager: Manager, options: Options) -> None:
    """Add the controller of MachineDeployments to a manager."""
    reconciler = MachineDeploymentReconciler(manager, options)
    reconciler.attach(manager.controller("machinedeployment", reconciler, concurrency=options.concurrency))
