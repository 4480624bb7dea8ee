"""What is decided of a machine, from what is known of its instance: a table."""

from __future__ import annotations

import dataclasses
import datetime as dt

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.aws.machines.decide import SETTLING, Act, Pace, Step, World, decide, decide_deletion
from capipool.providers.aws.machines.marks import Attempt

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
JUST = Attempt("token", "digest", NOW - dt.timedelta(seconds=1))
LONG_AGO = Attempt("token", "digest", NOW - SETTLING)
BEFORE = World(provisioned=True, has_data=True, id="", instance=None, attempt=None, state="", now=NOW)


def instance(state: str) -> Raw:
    return {"InstanceId": "i-1", "State": {"Name": state}}


def world(shows: str = "", **changes: object) -> World:
    shown = {"instance": instance(shows), "id": "i-1"} if shows else {}
    return dataclasses.replace(BEFORE, **{**shown, **changes})  # type: ignore[arg-type]


def brief(step: Step) -> tuple[Act, str, bool | None]:
    return step.act, step.said.get("reason", ""), step.ready


@pytest.mark.parametrize(
    ("seen", "act", "reason", "ready"),
    [
        (world(provisioned=False), Act.WAIT, "WaitingForClusterInfrastructure", None),
        (world(has_data=False), Act.WAIT, "WaitingForBootstrapData", None),
        (world(), Act.LAUNCH, "InstanceProvisionStarted", None),
        (world("pending"), Act.KEEP, "InstanceNotReady", False),
        (world("running"), Act.KEEP, "", True),
        (world("running", provisioned=False, has_data=False), Act.KEEP, "", True),
        (world("stopping"), Act.KEEP, "InstanceStopped", False),
        (world("stopped"), Act.KEEP, "InstanceStopped", False),
        (world("shutting-down"), Act.WAIT, "InstanceTerminated", False),
        (world("terminated"), Act.WAIT, "InstanceTerminated", False),
        (world(id="i-1", attempt=JUST), Act.WAIT, "InstanceNotReady", None),
        (world(id="i-1", attempt=JUST, state="pending"), Act.WAIT, "InstanceNotReady", None),
        (world(id="i-1", attempt=JUST, state="running"), Act.WAIT, "InstanceTerminated", False),
        (world(id="i-1", attempt=LONG_AGO), Act.WAIT, "InstanceTerminated", False),
        (world(id="i-1"), Act.WAIT, "InstanceTerminated", False),
    ],
)
def test_a_machine_that_is_wanted(seen: World, act: Act, reason: str, ready: bool | None) -> None:
    step = decide(seen)
    assert brief(step) == (act, reason, ready)
    assert bool(step.failure) == (reason == "InstanceTerminated")


@pytest.mark.parametrize(
    ("seen", "act", "pace"),
    [
        (world("pending"), Act.TERMINATE, Pace.CONVERGING),
        (world("running"), Act.TERMINATE, Pace.CONVERGING),
        (world("stopped"), Act.TERMINATE, Pace.CONVERGING),
        (world("shutting-down"), Act.WAIT, Pace.CONVERGING),
        (world("terminated"), Act.RELEASE, Pace.WATCHED),
        (world(id="i-1", state="running"), Act.RELEASE, Pace.WATCHED),
        (world(id="i-1", attempt=JUST), Act.WAIT, Pace.CONVERGING),
        (world(attempt=JUST), Act.WAIT, Pace.CONVERGING),
        (world(attempt=LONG_AGO), Act.RELEASE, Pace.WATCHED),
        (world(), Act.RELEASE, Pace.WATCHED),
    ],
)
def test_a_machine_that_is_not_wanted_any_more(seen: World, act: Act, pace: Pace) -> None:
    step = decide_deletion(seen)
    assert (step.act, step.pace) == (act, pace)
    assert not step.ready


@pytest.mark.parametrize(
    ("state", "pace"),
    [
        ("pending", Pace.CONVERGING),
        ("running", Pace.REST),
        ("stopped", Pace.REST),
        ("shutting-down", Pace.CONVERGING),
        ("terminated", Pace.WATCHED),
    ],
)
def test_what_changes_by_itself_is_looked_at_often_and_what_cannot_never(state: str, pace: Pace) -> None:
    assert decide(world(state)).pace is pace
