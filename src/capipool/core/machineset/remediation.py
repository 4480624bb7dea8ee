"""Which unhealthy machines a MachineSet replaces: those that a health check marked, so many at a time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capipool.api.constants import Annotation, ConditionType, Reason
from capipool.api.core import Machine, MachineDeployment, MachineSet
from capipool.core.machineset.world import MachineMark, World
from capipool.machinery import conditions, percentages
from capipool.machinery.conditions import Condition


@dataclass(frozen=True, slots=True)
class Healing:
    """Machines to delete because they are unhealthy, and what to say on those that are marked."""

    delete: tuple[Machine, ...] = ()
    marks: tuple[MachineMark, ...] = ()


def decide(world: World, blocked: tuple[str, ...]) -> Healing:
    """Delete marked machines, the oldest first, while there is room; say on the others what they wait for."""
    marked = [m for m in world.machines if is_marked(m)]
    if not marked:
        return Healing()
    if blocked:
        return Healing(marks=_all(marked, Reason.REMEDIATION_DEFERRED, "; ".join(blocked)))
    if not is_current(world.machine_set, world.deployment):
        message = "Machine is of an older revision, and goes with the rollout"
        return Healing(marks=_all(marked, Reason.CANNOT_BE_REMEDIATED, message))
    room = max(max_in_flight(world) - _in_flight(world.machines), 0)
    ordered = sorted(marked, key=_age)
    now, later = ordered[:room], ordered[room:]
    deferred = "Waiting because there are already too many remediations in progress"
    return Healing(
        delete=tuple(now),
        marks=(
            *_all(now, Reason.MACHINE_DELETING, "Machine is being deleted to be replaced"),
            *_all(later, Reason.REMEDIATION_DEFERRED, deferred),
        ),
    )


def is_marked(machine: Machine) -> bool:
    """Whether a health check gave the machine to its owner to replace, and that has not begun."""
    told = conditions.find(machine.status.conditions, ConditionType.OWNER_REMEDIATED)
    return told is not None and told.status == "False" and not machine.deleting


def is_current(machine_set: MachineSet, deployment: MachineDeployment | None) -> bool:
    """Whether the set is the newest of its deployment: machines of others are on their way out anyway."""
    if deployment is None:
        return True
    revisions = (o.metadata.annotations.get(Annotation.REVISION) for o in (machine_set, deployment))
    own, newest = revisions
    return newest is None or own == newest


def max_in_flight(world: World) -> int:
    """How many machines may be replaced at a time; all of them where the deployment names no limit."""
    replicas = world.machine_set.spec.replicas or 0
    limit = world.deployment.spec.remediation.max_in_flight if world.deployment is not None else None
    if limit is None:
        return max(replicas, len(world.machines))
    try:
        return percentages.scaled(limit, replicas, round_up=True)
    except ValueError:  # refused by admission: an object from before it
        return 0


def _age(machine: Machine) -> tuple[float, str]:
    created = machine.metadata.creation_timestamp
    return (created.timestamp() if created is not None else float("inf"), machine.metadata.name)


def _in_flight(machines: Iterable[Machine]) -> int:
    """Machines that are being replaced already."""
    told = (conditions.find(m.status.conditions, ConditionType.OWNER_REMEDIATED) for m in machines if m.deleting)
    return sum(c is not None and c.status == "False" for c in told)


def _all(machines: Iterable[Machine], reason: str, message: str) -> tuple[MachineMark, ...]:
    told = Condition(type=ConditionType.OWNER_REMEDIATED, status="False", reason=reason, message=message)
    return tuple(MachineMark(m, (told,)) for m in machines if not _says(m, told))


def _says(machine: Machine, told: Condition) -> bool:
    before = conditions.find(machine.status.conditions, told.type)
    return before is not None and (before.reason, before.message) == (told.reason, told.message)
