"""`status.conditions` of a deployment. Pure: computed from one World and the status that was made from it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.api.constants import ConditionType, Label, Reason
from capipool.api.core import Machine, MachineDeployment, MachineSet
from capipool.core import pausing, replicas
from capipool.core.machinedeployment import sets
from capipool.core.machinedeployment.world import World
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition, Reasons

_READY = Reasons(Reason.READY, Reason.NOT_READY, Reason.READY_UNKNOWN)


def compute(
    world: World, deployment: MachineDeployment, new: MachineSet | None, now: dt.datetime
) -> tuple[Condition, ...]:
    """All conditions; `deployment` has its new counters."""
    wanted = 0 if deployment.deleting else deployment.spec.replicas
    there = deployment.status.replicas or 0
    told = (
        available(deployment),
        rolling_out(world, deployment, new),
        replicas.machines_ready(world.machines),
        replicas.machines_up_to_date(world.machines),
        replicas.scaling_up(wanted, there, _blockers(world, new)),
        replicas.scaling_down(wanted, there, world.machines),
        replicas.remediating(world.machines),
        replicas.deleting(deployment.deleting, world.machines),
        pausing.condition(deployment, world.cluster, by_spec=bool(deployment.spec.paused)),
    )
    generation = deployment.metadata.generation
    return conditions.set_all(deployment.status.conditions, [replicas.finished(c, generation) for c in told], now)


def available(deployment: MachineDeployment) -> Condition:
    """Whether no more machines are unavailable than a rollout may make so."""
    type_ = ConditionType.AVAILABLE
    if deployment.deleting:
        return Condition(type=type_, status="False", reason=Reason.NOT_AVAILABLE, message="Deletion in progress")
    wanted, there = deployment.spec.replicas, deployment.status.available_replicas
    if wanted is None:
        return Condition(type=type_, status="Unknown", reason=Reason.WAITING_FOR_REPLICAS_SET)
    unavailable = sets.fenceposts(deployment)[1]
    least = max(wanted - unavailable, 0)
    if (there or 0) >= least:
        return Condition(type=type_, status="True", reason=Reason.AVAILABLE)
    message = f"{there or 0} available replicas, at least {least} required"
    if unavailable:
        message += f" (spec.replicas is {wanted}, {unavailable} may be unavailable)"
    return Condition(type=type_, status="False", reason=Reason.NOT_AVAILABLE, message=message)


def rolling_out(world: World, deployment: MachineDeployment, new: MachineSet | None) -> Condition:
    """Whether machines are being replaced, and what the new ones wait for."""
    type_ = ConditionType.ROLLING_OUT
    old = [m for m in world.machines if _is_outdated(m)]
    if not old or deployment.deleting:
        return Condition(type=type_, status="False", reason=Reason.NOT_ROLLING_OUT)
    message = f"Rolling out {len(old)} not up-to-date replica{'s' if len(old) > 1 else ''}"
    lines = sorted({line for m in old for line in _why_outdated(m)})
    lines += _waiting(world.machines, new)
    return Condition(type=type_, status="True", reason=Reason.ROLLING_OUT, message="\n".join((message, *lines[:6])))


def _is_outdated(machine: Machine) -> bool:
    told = conditions.find(machine.status.conditions, ConditionType.UP_TO_DATE)
    return told is not None and told.status == "False"


def _why_outdated(machine: Machine) -> list[str]:
    told = conditions.find(machine.status.conditions, ConditionType.UP_TO_DATE)
    return told.message.splitlines() if told is not None and told.message else []


def _waiting(machines: Iterable[Machine], new: MachineSet | None) -> list[str]:
    """What new machines that do not serve yet wait for: where a rollout stands still, this is why."""
    if new is None:
        return []
    parts = [
        (m.metadata.name, conditions.find(m.status.conditions, ConditionType.READY))
        for m in machines
        if _is_of(m, new) and not m.deleting
    ]
    merged = conditions.aggregate(ConditionType.READY, parts, kind="Machine", reasons=_READY)
    return merged.message.splitlines() if merged.status != "True" and parts else []


def _is_of(machine: Machine, machine_set: MachineSet) -> bool:
    label = Label.MACHINE_DEPLOYMENT_UNIQUE
    return machine.metadata.labels.get(label) == machine_set.metadata.labels.get(label)


def _blockers(world: World, new: MachineSet | None) -> list[str]:
    """Why machines are not made: templates, or what the new set says of itself."""
    found = list(world.missing_templates)
    told = conditions.find(new.status.conditions, ConditionType.SCALING_UP) if new is not None else None
    if not found and told is not None and told.status == "True" and "\n" in told.message:
        found = told.message.splitlines()[1:]
    return found
