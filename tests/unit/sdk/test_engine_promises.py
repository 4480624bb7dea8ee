"""The engine's promises for any picture at all, however it came about: one decision never breaks them."""

from __future__ import annotations

import dataclasses
import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.sdk.engine import (
    Cause,
    DeletePolicy,
    Deletion,
    InstanceState,
    Member,
    NodeHealth,
    Picture,
    Plan,
    RolloutMode,
    Strategy,
)
from capipool.sdk.engine.crowd import available_ids
from capipool.sdk.engine.decide import decide
from capipool.sdk.engine.strategy import Allowance, allowance

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

amounts = st.one_of(st.integers(0, 5), st.integers(0, 120).map(lambda share: f"{share}%"))
moments = st.integers(0, 4000).map(lambda ago: NOW - dt.timedelta(seconds=ago))
strategies = st.builds(
    Strategy,
    mode=st.sampled_from([RolloutMode.MANAGED, RolloutMode.MANAGED, RolloutMode.ON_DELETE]),
    max_surge=amounts,
    max_unavailable=amounts,
    delete_policy=st.sampled_from(DeletePolicy),
    canary=st.booleans(),
    min_size=st.none() | st.integers(0, 4),
    max_size=st.none() | st.integers(4, 12),
)
rarely = st.sampled_from([False, False, False, True])


@st.composite
def members(draw: st.DrawFn) -> tuple[Member, ...]:
    found = []
    for number in range(draw(st.integers(0, 12))):
        state = draw(st.sampled_from([InstanceState.RUNNING, InstanceState.RUNNING, *InstanceState]))
        node = draw(st.sampled_from([NodeHealth.READY, NodeHealth.READY, *NodeHealth]))
        deletion = draw(st.sampled_from([Deletion.NONE, Deletion.NONE, *Deletion]))
        gone = deletion is not Deletion.NONE
        found.append(
            Member(
                id=f"i-{number}",
                state=state,
                revision=draw(st.sampled_from(["new", "old", ""])),
                zone=draw(st.sampled_from("ab")),
                created=draw(moments),
                protected=draw(rarely),
                marked=draw(rarely),
                remediate=draw(rarely),
                removing=gone or draw(rarely),
                deletion=deletion,
                drained=gone and draw(st.booleans()),
                node=node,
                ready_since=draw(moments) if node is NodeHealth.READY else None,
            )
        )
    return tuple(found)


@st.composite
def pictures(draw: st.DrawFn) -> Picture:
    there = draw(members())
    live = sum(m.state is not InstanceState.TERMINATING for m in there)
    return Picture(
        now=NOW,
        replicas=draw(st.integers(0, 12)),
        desired=live + draw(st.integers(0, 4)),  # a cloud never has more than it wants: it would have to choose
        revision="new",
        members=there,
        strategy=draw(strategies),
        min_ready_seconds=draw(st.sampled_from([0, 0, 600])),
        externally_scaled=draw(rarely),
        nodes_known=not draw(rarely),
    )


def allowed(picture: Picture) -> Allowance:
    found = allowance(picture.strategy, picture.wanted)
    return Allowance(0, max(found.unavailable, 1)) if picture.externally_scaled else found


@settings(max_examples=500, deadline=None, derandomize=True)
@given(pictures())
def test_no_decision_breaks_a_promise(picture: Picture) -> None:
    plan = decide(picture)
    _check_shape(picture, plan)
    _check_total(picture, plan)
    _check_availability(picture, plan)
    _check_health_checks(picture, plan)
    assert decide(picture) == plan


def _check_shape(picture: Picture, plan: Plan) -> None:
    """Who is named at all: nobody twice, nobody protected, and nobody whose removal began is forgotten."""
    by_id = {m.id: m for m in picture.members}
    named = [r.id for r in plan.removals]
    assert len(named) == len(set(named))
    assert not set(named) & set(plan.spare)
    live = [m for m in picture.members if m.state is not InstanceState.TERMINATING]
    doomed = {m.id for m in live if m.deletion is not Deletion.NONE}
    assert doomed <= set(named)
    assert all(by_id[id].state is not InstanceState.TERMINATING for id in named)
    assert not any(by_id[id].protected for id in set(named) - doomed)
    if picture.nodes_known:
        assert {m.id for m in live if m.removing} <= set(named) | set(plan.spare)
    else:
        assert all(by_id[id].state is InstanceState.FAILED for id in set(named) - doomed)
        assert plan.spare == ()


def _check_total(picture: Picture, plan: Plan) -> None:
    """All together never rise over wanted + surge, and the cloud is never made to choose."""
    leaving = sum(m.state is InstanceState.TERMINATING for m in picture.members)
    live = len(picture.members) - leaving
    if plan.desired is not None:
        assert not picture.externally_scaled
        assert plan.desired >= live
        if plan.desired > picture.desired:
            assert plan.desired + leaving <= picture.wanted + allowed(picture).surge
    by_id = {m.id: m for m in picture.members}
    for removal in plan.removals:
        replaced = picture.externally_scaled or (
            by_id[removal.id].deletion is Deletion.ORDERED
            and removal.cause in (Cause.MACHINE_DELETED, Cause.REMEDIATION)
        )
        assert removal.decrement is not replaced


def _check_availability(picture: Picture, plan: Plan) -> None:
    """No more available ones are terminated, or taken out of service, than may be missing: orders of others apart."""
    by_id = {m.id: m for m in picture.members}
    available = available_ids(picture)
    floor = picture.wanted - allowed(picture).unavailable
    going = [by_id[r.id] for r in plan.removals if r.terminate and r.id in available]
    if any(m.deletion is not Deletion.ORDERED for m in going):
        assert len(available) - len(going) >= floor
    begun = [by_id[r.id] for r in plan.removals if not by_id[r.id].removing and r.id in available]
    if begun:
        steady = sum(m.id in available and not m.removing for m in picture.members)
        assert steady - len(begun) >= floor
    if not picture.nodes_known:
        assert all(m.deletion is Deletion.ORDERED for m in going)


def _check_health_checks(picture: Picture, plan: Plan) -> None:
    """What health checks delete goes only as far as there are places."""
    by_id = {m.id: m for m in picture.members}
    given_up = [r for r in plan.removals if r.cause is Cause.REMEDIATION and by_id[r.id].deletion is Deletion.ORDERED]
    leaving = sum(m.state is InstanceState.TERMINATING for m in picture.members)
    most = allowed(picture).surge + allowed(picture).unavailable
    going = sum(r.terminate for r in given_up)
    assert going == 0 or going + leaving <= most


@settings(max_examples=50, deadline=None, derandomize=True)
@given(pictures(), st.booleans())
def test_what_is_paused_or_busy_is_left_alone(picture: Picture, paused: bool) -> None:
    changed = dataclasses.replace(picture, paused=paused, operation="" if paused else "an update")
    plan = decide(changed)
    assert (plan.desired, plan.removals, plan.spare) == (None, (), ())
    assert plan.waits
