"""Random histories of one scale set: whatever clients do and whenever they look, some things always hold."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.testing.azure import Arm, ArmError, Options, Provisioning, Timing
from capipool.testing.azure.model.scalesets import acting, rolling, views, writing
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from tests.server.azure.arm import bodies
from tests.server.azure.arm.bodies import profile, scale_set

MINUTE = dt.timedelta(minutes=1)
LIMITS = {"maxBatchInstancePercent": 40, "maxUnhealthyInstancePercent": 100, "maxUnhealthyUpgradedInstancePercent": 100}


class Hand:
    """A clock that a history turns."""

    def __init__(self) -> None:
        self.moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.moment


def body(mode: str, upgrade: str, surge: bool, capacity: int, image: int) -> dict[str, Any]:
    reference = {**bodies.MARKET, "version": f"1.{image}.0"}
    model = profile(
        reference,
        priority="Spot",
        evictionPolicy="Delete",
        extensionProfile={"extensions": [bodies.HEALTH]},
    )
    policy = {"mode": upgrade, "rollingUpgradePolicy": {**LIMITS, "maxSurge": surge}}
    return {
        **scale_set(capacity, mode=mode, virtualMachineProfile=model, upgradePolicy=policy),
        "zones": ["1", "2", "3"],
    }


STEPS = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 6), st.integers(0, 2)),
    st.tuples(st.just("delete"), st.integers(0, 5)),
    st.tuples(st.just("evict"), st.integers(0, 5)),
    st.tuples(
        st.just("act"), st.integers(0, 5), st.sampled_from(["restart", "reimage", "manualupgrade", "deallocate"])
    ),
    st.tuples(st.just("protect"), st.integers(0, 5)),
    st.tuples(st.just("roll")),
    st.tuples(st.just("cancel")),
    st.tuples(st.just("fail"), st.booleans()),
    st.tuples(st.just("fail boot")),
    st.tuples(st.just("wait"), st.integers(1, 4)),
)


def take(arm: Arm, hand: Hand, step: tuple[Any, ...], made: dict[str, Any]) -> None:
    """One step of a history; what the server refuses is a step, too."""
    subject = arm.scale_set("mp")
    live = list(subject.machines.values())
    machine = live[step[1] % len(live)] if live and step[0] in ("delete", "evict", "act", "protect") else None
    match step:
        case ("put", capacity, image):
            writing.update(arm.state, subject, body(**made, capacity=capacity, image=image))
        case ("delete", _) if machine:
            acting.delete_machines(arm.state, subject, [machine], action="virtualMachines/delete")
        case ("evict", _) if machine:
            acting.evict(arm.state, subject, machine)
        case ("act", _, verb) if machine:
            acting.act(arm.state, subject, [machine], verb=verb, action=verb)
        case ("protect", _) if machine:
            acting.protect(arm.state, subject, machine, {"protectFromScaleIn": True}, action="protect")
        case ("roll",):
            rolling.request(arm.state, subject, rolling.ROLL)
        case ("cancel",):
            rolling.cancel(arm.state, subject)
        case ("fail", leaves):
            arm.faults.fail("*/write", "AllocationFailed", leaves_failed=leaves)
        case ("fail boot",):
            arm.faults.fail_boot()
        case ("wait", minutes):
            hand.moment += minutes * MINUTE


def check(subject: ScaleSet) -> None:
    """What holds at every moment."""
    assert subject.capacity == sum(not m.deleting for m in subject.machines.values())
    assert bodies.CUSTOM_DATA not in str(views.scale_set(subject))
    for machine in subject.machines.values():
        shown = views.row(subject, machine, view=True)
        assert bodies.CUSTOM_DATA not in str(shown)
        assert shown["properties"]["latestModelApplied"] == (machine.model == subject.model)
        assert machine.zone in subject.zones


@settings(max_examples=150, deadline=None)
@given(
    mode=st.sampled_from(["Uniform", "Flexible"]),
    upgrade=st.sampled_from(["Manual", "Automatic", "Rolling"]),
    surge=st.booleans(),
    steps=st.lists(STEPS, max_size=15),
)
def test_histories(mode: str, upgrade: str, surge: bool, steps: list[tuple[Any, ...]]) -> None:
    async def history() -> None:
        hand = Hand()
        timing = Timing(operation=MINUTE / 2, boot=2 * MINUTE, delete=MINUTE, upgrade=MINUTE, eviction=MINUTE / 2)
        arm = Arm(Options(clock=hand, timing=timing))
        made = {"mode": mode, "upgrade": upgrade, "surge": surge}
        subject = writing.create(arm.state, group="rg", name="mp", body=body(**made, capacity=3, image=0))
        ever: dict[str, str] = {}
        refused: list[ArmError] = []
        for step in steps:
            try:
                take(arm, hand, step, made)
            except ArmError as error:
                refused.append(error)
            check(subject)
            for instance_id, machine in subject.machines.items():
                assert ever.setdefault(instance_id, machine.id) == machine.id, "an instance id was used again"
        assert {error.status for error in refused} <= {400, 404, 409}
        await settled(arm, hand, subject)

    asyncio.run(history())


async def settled(arm: Arm, hand: Hand, subject: ScaleSet) -> None:
    """Everything ends, and what is left is at rest; then the set can be deleted."""
    for _ in range(60):
        hand.moment += MINUTE
        arm.advance()
    assert arm.state.world.operations.pending() == []
    assert subject.provisioning in ("Succeeded", "Failed", "Canceled")
    states = {machine.provisioning for machine in subject.machines.values()}
    assert states <= {Provisioning.SUCCEEDED, Provisioning.FAILED}
    check(subject)
    arm.faults.clear()
    acting.delete(arm.state, subject)
    hand.moment += 2 * MINUTE
    arm.advance()
    assert arm.state.scale_sets == {}
