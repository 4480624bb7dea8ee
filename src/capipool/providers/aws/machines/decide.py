"""What is to be done about one machine. Pure, and total: this is where the thinking is."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import Enum, auto

from capipool.machinery.objects import Raw
from capipool.providers.aws.machines import fleet
from capipool.providers.aws.machines.marks import Attempt
from capipool.sdk.conditions import condition

READY = "InstanceReady"
GROUPS_READY = "SecurityGroupsReady"
SETTLING = dt.timedelta(minutes=1)
"""How long EC2 may take to show an instance to who looks for it. Nobody concludes before that there is none."""
FAILURE_REASON = "UpdateError"
"""Upstream's, of an instance that ended without being asked to."""


class Act(Enum):
    """What is done to the instance."""

    WAIT = auto()
    """Nothing; what is waited for is watched, or looked at again."""
    LAUNCH = auto()
    KEEP = auto()
    """Its tags and security groups are kept right."""
    TERMINATE = auto()
    RELEASE = auto()
    """There is none, or none any more: the object may go."""


class Pace(Enum):
    """When to look again."""

    WATCHED = auto()
    """When something that is watched changes."""
    CONVERGING = auto()
    REST = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a decision is made from."""

    provisioned: bool
    """Whether the cluster's infrastructure is."""
    has_data: bool
    """Whether there is something to boot from."""
    id: str
    """The instance that is recorded; empty before it is made."""
    instance: Raw | None
    """As EC2 shows it; None where it shows none."""
    state: str
    """In which it was seen last, as the object says."""
    attempt: Attempt | None
    """The launch that was begun last, if one was; its end is known once there is an id."""
    now: dt.datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What to do, and what to say of it."""

    act: Act
    said: Raw
    """The condition `InstanceReady`."""
    pace: Pace = Pace.WATCHED
    ready: bool | None = None
    """`status.ready`; None leaves it."""
    state: str = ""
    """`status.instanceState`; empty leaves it."""
    failure: str = ""
    """`status.failureMessage`, of what cannot be mended."""


def decide(world: World) -> Step:
    """The next step for a machine that is not being deleted."""
    if world.instance is not None:
        return _of_state(world.id, fleet.state(world.instance))
    if world.id:
        return _unseen(world)
    if not world.provisioned:
        return Step(act=Act.WAIT, said=_no("WaitingForClusterInfrastructure", "", "Info"))
    if not world.has_data:
        return Step(act=Act.WAIT, said=_no("WaitingForBootstrapData", "", "Info"))
    return Step(act=Act.LAUNCH, said=_no("InstanceProvisionStarted", "", "Info"), pace=Pace.CONVERGING)


def _of_state(id: str, state: str) -> Step:
    match state:
        case "running":
            said = condition(READY, True)
            return Step(act=Act.KEEP, said=said, pace=Pace.REST, ready=True, state=state)
        case "pending":
            said = _no("InstanceNotReady", f"instance {id} is starting", "Warning")
            return Step(act=Act.KEEP, said=said, pace=Pace.CONVERGING, ready=False, state=state)
        case "stopping" | "stopped":
            said = _no("InstanceStopped", f"somebody stopped instance {id}: start it, or delete its Machine", "Error")
            return Step(act=Act.KEEP, said=said, pace=Pace.REST, ready=False, state=state)
        case "shutting-down":
            return _ended(id, state, Pace.CONVERGING)
        case _:
            return _ended(id, "terminated", Pace.WATCHED)


def _ended(id: str, state: str, pace: Pace) -> Step:
    """A machine is one instance; to replace it is for who made the Machine."""
    said = f"EC2 instance {id} was terminated, and not by its Machine: delete the Machine, or have it replaced"
    ended = _no("InstanceTerminated", said, "Error")
    return Step(act=Act.WAIT, said=ended, pace=pace, ready=False, state=state, failure=said)


def _unseen(world: World) -> Step:
    """EC2 shows no such instance: not yet, or an hour after its end not any more."""
    if _is_fresh(world):
        said = _no("InstanceNotReady", f"instance {world.id} is starting", "Warning")
        return Step(act=Act.WAIT, said=said, pace=Pace.CONVERGING)
    return _ended(world.id, "terminated", Pace.WATCHED)


def _is_fresh(world: World) -> bool:
    """Whether an instance may be there although EC2 does not show it yet."""
    begun = world.attempt is not None and world.now - world.attempt.at < SETTLING
    return begun and world.state in ("", "pending")


def decide_deletion(world: World) -> Step:
    """The next step for a machine that is being deleted."""
    state = fleet.state(world.instance) if world.instance is not None else ""
    going = _no("Deleting", "the instance is being terminated", "Info")
    if state == "shutting-down":
        return Step(act=Act.WAIT, said=going, pace=Pace.CONVERGING, ready=False, state=state)
    if state not in ("", "terminated"):
        return Step(act=Act.TERMINATE, said=going, pace=Pace.CONVERGING, ready=False)
    if not state and _is_fresh(world):
        begun = _no("Deleting", "an instance was launched, and EC2 does not show it yet", "Info")
        return Step(act=Act.WAIT, said=begun, pace=Pace.CONVERGING, ready=False)
    return Step(act=Act.RELEASE, said=going, ready=False)


def _no(reason: str, message: str, severity: str) -> Raw:
    return condition(READY, False, reason=reason, message=message, severity=severity)
