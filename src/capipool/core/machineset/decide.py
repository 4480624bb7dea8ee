"""What to do about a MachineSet, from a World, the time and chance. Pure and total.

Chance only makes names. In one pass a set syncs its machines in place, then replaces unhealthy ones, then makes or
deletes machines until it has as many as it is to have.
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass

from capipool.api.constants import Annotation, ConditionType, Finalizer, Reason
from capipool.api.core import Cluster, Machine, MachineSet
from capipool.api.shared import V1Beta1Condition
from capipool.api.v1beta2.machineset import MachineSetDeprecatedStatus
from capipool.core import legacy, ownership, pausing, replicas, serverside, templates
from capipool.core.machineset import machines, order, preflight, remediation
from capipool.core.machineset.world import MachineMark, Plan, Template, World
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import ObjectDeletion, ObjectPatch, Problem
from capipool.machinery import conditions, objects, selectors
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw, replace_part
from capipool.runtime.reconcile import DONE, RequeueAfter, Result

PREFLIGHT_RETRY = dt.timedelta(seconds=15)
"""A control plane that is upgraded is watched, but not everything that ends an upgrade can be."""

_SUMMED_UP = (ConditionType.MACHINES_CREATED, ConditionType.RESIZED, ConditionType.MACHINES_READY)


@dataclass(frozen=True, slots=True)
class Scaling:
    """What is done about the number of machines."""

    create: tuple[Raw, ...] = ()
    delete: tuple[Machine, ...] = ()
    blocked: tuple[str, ...] = ()
    """Why machines cannot be made."""


def decide(world: World, now: dt.datetime, rng: random.Random) -> Plan:
    """What to do now. A paused set is left alone but for saying so."""
    machine_set = world.machine_set
    paused = pausing.condition(machine_set, world.cluster)
    if paused.status == "True":
        return Plan(machine_set=_said(machine_set, (paused,), now))
    if machine_set.deleting:
        return _delete(world, paused, now)
    if world.cluster is None:
        problem = Problem("ClusterNotFound", f"Cluster {machine_set.spec.cluster_name} does not exist")
        return Plan(machine_set=_said(machine_set, (paused,), now), problems=(problem,))
    return _reconcile(world, world.cluster, paused, now, rng)


def _reconcile(world: World, cluster: Cluster, paused: Condition, now: dt.datetime, rng: random.Random) -> Plan:
    blocked = blockers(world)
    healing = remediation.decide(world, blocked)
    gone = {m.metadata.uid for m in healing.delete}
    scaling = _scale(world, cluster, blocked, gone, rng)
    machine_set = _with_metadata(world.machine_set, cluster)
    machine_set = _with_status(machine_set, world, scaling, paused, now)
    return Plan(
        machine_set=machine_set,
        machines=(*scaling.create, *in_place(world, {*gone, *(m.metadata.uid for m in scaling.delete)})),
        parts=tuple(machines.missing_parts(world)),
        patches=(*_adopt(world), *_release(world)),
        deletions=tuple(
            ObjectDeletion(Machine.RESOURCE, m.key, m.metadata.uid) for m in (*healing.delete, *scaling.delete)
        ),
        marks=(*healing.marks, *_up_to_date_marks(world, now)),
        events=_events(scaling),
        problems=tuple(Problem(Reason.PREFLIGHT_CHECK_FAILED, b) for b in scaling.blocked),
        synced=True,
        result=_when_again(scaling),
    )


def _delete(world: World, paused: Condition, now: dt.datetime) -> Plan:
    """All machines go, and the set once none is left."""
    going = [m for m in world.machines if not m.deleting]
    machine_set = _with_status(world.machine_set, world, Scaling(), paused, now)
    if not world.machines:
        metadata = ownership.without_finalizer(machine_set.metadata, Finalizer.MACHINE_SET)
        machine_set = objects.replace(machine_set, metadata=metadata)
    deletions = tuple(ObjectDeletion(Machine.RESOURCE, m.key, m.metadata.uid) for m in going)
    return Plan(machine_set=machine_set, deletions=deletions)


def blockers(world: World) -> tuple[str, ...]:
    """Why no machine can be made now: a template that is not there, or a preflight check."""
    found = [t.message for t in (world.infra, world.bootstrap) if isinstance(t, Absent)]
    for template in (world.infra, world.bootstrap):
        if isinstance(template, Template) and template.made is None:
            kind = template.object.kind.removesuffix("Template")
            found.append(f"no kind {kind} is installed, which {template.object.kind} is a template of")
    if found:
        return tuple(found)
    try:
        failed = preflight.run(world.machine_set, world.control_plane, world.topology)
    except ValueError as error:
        return (str(error),)
    return tuple(f'{f.message} ("{f.check}" preflight check failed)' for f in failed)


def _scale(world: World, cluster: Cluster, blocked: tuple[str, ...], gone: set[str], rng: random.Random) -> Scaling:
    """Machines being deleted count until they are gone: a set never has more than it is to have."""
    spec = world.machine_set.spec
    if spec.replicas is None:
        return Scaling()
    excess = len(world.machines) - spec.replicas
    if excess > 0:
        picked = order.pick(world.machines, excess, spec.deletion.order)
        return Scaling(delete=tuple(m for m in picked if not m.deleting and m.metadata.uid not in gone))
    if excess == 0 or _may_not_create(world.machine_set):
        return Scaling()
    if blocked:
        return Scaling(blocked=blocked)
    return Scaling(create=tuple(machines.new(world, cluster, rng) for _ in range(-excess)))


def _may_not_create(machine_set: MachineSet) -> bool:
    """Old sets of a deployment that replaces machines on deletion make none."""
    return machine_set.metadata.annotations.get(Annotation.DISABLE_MACHINE_CREATE) == "true"


def in_place(world: World, gone: set[str]) -> list[Raw]:
    """Machines whose labels, annotations, timeouts, taints or gates differ from the template's."""
    staying = [m for m in world.machines if not m.deleting and m.metadata.uid not in gone]
    if world.synced:
        # Nothing was taken out of the template since all machines were synced: what they have tells enough, and saves
        # reading the managed fields of a thousand machines whenever one of them reports something.
        staying = machines.lacking(world.machine_set, staying)
    wanted = [(m, machines.desired(world, m.metadata.name, m)) for m in staying]
    return [raw for m, raw in wanted if serverside.needs_apply(m, raw, machines.FIELD_MANAGER)]


def _adopt(world: World) -> tuple[ObjectPatch, ...]:
    """Orphans that the selector finds become the set's."""
    ours = ownership.reference(world.machine_set, controller=True)
    found = []
    for machine in world.orphans:
        owners = ownership.with_owner(machine.metadata.owner_references, ours)
        patch = {"metadata": {"ownerReferences": [objects.part_to_raw(o) for o in owners]}}
        found.append(ObjectPatch(Machine.RESOURCE, machine.key, patch, machine.metadata.resource_version))
    return tuple(found)


def _release(world: World) -> list[ObjectPatch]:
    """Machines that the selector finds no more are nobody's, and stay as they are: others take their places."""
    found = []
    for machine in world.strangers:
        kept = [o for o in machine.metadata.owner_references if o.uid != world.machine_set.metadata.uid]
        patch = {"metadata": {"ownerReferences": [objects.part_to_raw(o) for o in kept]}}
        found.append(ObjectPatch(Machine.RESOURCE, machine.key, patch, machine.metadata.resource_version))
    return found


def _up_to_date_marks(world: World, now: dt.datetime) -> list[MachineMark]:
    """Say on each machine whether it is what is wanted; only where that is not said already."""
    told = up_to_date(world, now)
    found = []
    for machine in world.machines:
        before = conditions.find(machine.status.conditions, ConditionType.UP_TO_DATE)
        same = before is not None and (before.status, before.reason, before.message) == (
            told.status,
            told.reason,
            told.message,
        )
        if not machine.deleting and not same:
            found.append(MachineMark(machine, (told,)))
    return found


def up_to_date(world: World, now: dt.datetime) -> Condition:
    """Whether the set's machines are what its deployment wants. Without a deployment they are what there is to want."""
    type_, deployment = ConditionType.UP_TO_DATE, world.deployment
    if deployment is None:
        return Condition(type=type_, status="True", reason=Reason.UP_TO_DATE)
    lines = list(templates.changes(world.machine_set.spec.template, deployment.spec.template))
    created = world.machine_set.metadata.creation_timestamp
    if templates.is_outdated_by_time(created, deployment.spec.rollout.after, now):
        lines.append("MachineDeployment spec.rollout.after expired")
    if not lines:
        return Condition(type=type_, status="True", reason=Reason.UP_TO_DATE)
    message = "\n".join(f"* {line}" for line in lines)
    return Condition(type=type_, status="False", reason=Reason.NOT_UP_TO_DATE, message=message)


def _with_metadata(machine_set: MachineSet, cluster: Cluster) -> MachineSet:
    """The finalizer, the cluster's label, and the Cluster as owner of a set that belongs to no deployment."""
    owned = ownership.controller_of(machine_set) is None
    metadata = ownership.joined(machine_set, cluster, Finalizer.MACHINE_SET, owned=owned)
    return objects.replace(machine_set, metadata=metadata)


def _with_status(
    machine_set: MachineSet, world: World, scaling: Scaling, paused: Condition, now: dt.datetime
) -> MachineSet:
    there = world.machines
    selector = selectors.from_object(objects.part_to_raw(machine_set.spec.selector))
    status = replace_part(
        machine_set.status,
        replicas=len(there),
        ready_replicas=replicas.count(there, ConditionType.READY),
        available_replicas=replicas.count(there, ConditionType.AVAILABLE),
        up_to_date_replicas=replicas.count(there, ConditionType.UP_TO_DATE),
        versions=replicas.versions(there),
        selector=str(selector) if selector is not None else "",
        observed_generation=machine_set.metadata.generation or None,
        deprecated=_legacy(machine_set, world, scaling, now),
    )
    wanted = 0 if machine_set.deleting else machine_set.spec.replicas
    told = (
        replicas.machines_ready(there),
        replicas.machines_up_to_date(there),
        replicas.scaling_up(wanted, len(there), scaling.blocked),
        replicas.scaling_down(wanted, len(there), there),
        replicas.remediating(there),
        replicas.deleting(machine_set.deleting, there),
        paused,
    )
    return _said(objects.replace(machine_set, status=status), told, now)


def _said(machine_set: MachineSet, told: Iterable[Condition], now: dt.datetime) -> MachineSet:
    generation = machine_set.metadata.generation
    finished = [replicas.finished(c, generation) for c in told]
    after = conditions.set_all(machine_set.status.conditions, finished, now)
    return objects.replace(machine_set, status=replace_part(machine_set.status, conditions=after))


def _legacy(machine_set: MachineSet, world: World, scaling: Scaling, now: dt.datetime) -> MachineSetDeprecatedStatus:
    """Counters and conditions of v1beta1: there a machine is ready when its node is."""
    before = machine_set.status.deprecated
    there = world.machines
    ready = replicas.count(there, ConditionType.NODE_READY)
    labels = machine_set.spec.template.metadata.labels
    old = replace_part(
        before.v1beta1,
        ready_replicas=ready,
        available_replicas=replicas.count(there, ConditionType.AVAILABLE),
        fully_labeled_replicas=sum(labels.items() <= m.metadata.labels.items() for m in there),
        conditions=legacy.set_all(
            before.v1beta1.conditions,
            (_created(scaling, now), _resized(machine_set, len(there), now), _machines_ready(len(there), ready, now)),
            _SUMMED_UP,
            now,
        ),
    )
    return replace_part(before, v1beta1=old)


def _created(scaling: Scaling, now: dt.datetime) -> V1Beta1Condition:
    type_ = ConditionType.MACHINES_CREATED
    if not scaling.blocked:
        return legacy.true(type_, now)
    return legacy.false(type_, Reason.PREFLIGHT_CHECK_FAILED, "Error", now, "; ".join(scaling.blocked))


def _resized(machine_set: MachineSet, there: int, now: dt.datetime) -> V1Beta1Condition:
    type_ = ConditionType.RESIZED
    wanted = 0 if machine_set.deleting else (machine_set.spec.replicas or 0)
    if there < wanted:
        message = f"Scaling up MachineSet to {wanted} replicas (actual {there})"
        return legacy.false(type_, Reason.SCALING_UP, "Warning", now, message)
    if there > wanted:
        message = f"Scaling down MachineSet to {wanted} replicas (actual {there})"
        return legacy.false(type_, Reason.SCALING_DOWN, "Warning", now, message)
    return legacy.true(type_, now)


def _machines_ready(there: int, ready: int, now: dt.datetime) -> V1Beta1Condition:
    type_ = ConditionType.MACHINES_READY
    if ready >= there:
        return legacy.true(type_, now)
    return legacy.false(type_, Reason.WAITING_FOR_AVAILABLE_MACHINES, "Info", now, f"{ready} of {there} are ready")


def _events(scaling: Scaling) -> tuple[Said, ...]:
    made = (Said("Normal", "SuccessfulCreate", f"Created machine {m['metadata']['name']}") for m in scaling.create)
    gone = (Said("Normal", "SuccessfulDelete", f"Deleted machine {m.metadata.name}") for m in scaling.delete)
    return (*made, *gone)


def _when_again(scaling: Scaling) -> Result:
    return RequeueAfter(PREFLIGHT_RETRY) if scaling.blocked else DONE
