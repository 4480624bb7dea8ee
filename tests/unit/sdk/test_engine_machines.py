"""The decision about instances that have Machines: whose deletion is under way goes, and counts, whoever wanted it."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from capipool.sdk.engine import Cause, Deletion, InstanceState, Member, NodeHealth, Picture, Plan, Strategy
from capipool.sdk.engine.decide import decide

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
HOUR_AGO = NOW - dt.timedelta(hours=1)
SURGING, SPARING = Strategy(max_surge=1, max_unavailable=0), Strategy(max_surge=0, max_unavailable=1)


def ready(id: str, revision: str = "r1") -> Member:
    return Member(id=id, revision=revision, node=NodeHealth.READY, ready_since=HOUR_AGO, created=HOUR_AGO)


def going(member: Member, deletion: Deletion, *, drained: bool = True, remediate: bool = False) -> Member:
    return replace(member, deletion=deletion, removing=True, drained=drained, remediate=remediate)


def ordered(id: str, revision: str = "r1") -> Member:
    return going(ready(id, revision), Deletion.ORDERED)


def planned(id: str, revision: str = "r1") -> Member:
    return going(ready(id, revision), Deletion.PLANNED)


def plan(
    *members: Member, wanted: int, strategy: Strategy = SURGING, desired: int | None = None, **fields: object
) -> Plan:
    number = len(members) if desired is None else desired
    fields = {"revision": "r1"} | fields
    return decide(
        Picture(now=NOW, replicas=wanted, desired=number, members=members, strategy=strategy, **fields)  # type: ignore[arg-type]
    )


def told(made: Plan) -> dict[str, tuple[Cause, bool, bool]]:
    """By instance: why it goes, whether it may be terminated now, and whether the number falls with it."""
    return {r.id: (r.cause, r.terminate, r.decrement) for r in made.removals}


@pytest.mark.parametrize("strategy", [SURGING, SPARING])
def test_an_instance_whose_machine_somebody_deletes_goes_at_once_and_is_replaced(strategy: Strategy) -> None:
    made = plan(ordered("a"), ready("b"), ready("c"), wanted=3, strategy=strategy)
    assert told(made) == {"a": (Cause.MACHINE_DELETED, True, False)}
    assert made.desired is None
    assert made.spare == ()


def test_however_many_somebody_deletes_none_is_held_back() -> None:
    made = plan(ordered("a"), ordered("b"), ordered("c"), wanted=3)
    assert set(told(made).values()) == {(Cause.MACHINE_DELETED, True, False)}


def test_protection_and_a_workload_cluster_out_of_sight_hold_up_no_order() -> None:
    protected = replace(ordered("a"), protected=True)
    assert told(plan(protected, ready("b"), wanted=2))["a"][1]
    assert told(plan(ordered("a"), ready("b"), wanted=2, nodes_known=False))["a"][1]


def test_what_somebody_deletes_is_taken_for_the_surplus() -> None:
    made = plan(ordered("a"), ready("b"), ready("c"), wanted=2)
    assert told(made) == {"a": (Cause.SCALE_DOWN, True, True)}


def test_what_somebody_deletes_counts_against_a_rollout() -> None:
    members = [ordered("a", "r0"), ready("b", "r0"), ready("c", "r0"), ready("d")]
    made = plan(*members, wanted=4, strategy=SPARING)
    assert told(made) == {"a": (Cause.MACHINE_DELETED, True, False)}
    two = plan(*members, wanted=4, strategy=Strategy(max_surge=0, max_unavailable=2))
    assert len(told(two)) == 2


def test_a_scale_in_that_is_called_off_too_late_waits_for_another_instance_first() -> None:
    made = plan(planned("a"), ready("b"), ready("c"), wanted=3)
    assert told(made) == {"a": (Cause.MACHINE_DELETED, False, True)}
    assert made.desired == 4
    assert made.spare == ()
    grown = plan(planned("a"), ready("b"), ready("c"), ready("d"), wanted=3)
    assert told(grown) == {"a": (Cause.SCALE_DOWN, True, True)}


def test_a_scale_in_that_is_called_off_too_late_goes_on_where_one_may_be_missing() -> None:
    made = plan(planned("a"), ready("b"), ready("c"), wanted=3, strategy=SPARING)
    assert told(made) == {"a": (Cause.MACHINE_DELETED, True, True)}
    assert made.desired is None


def test_what_the_engine_began_waits_while_nobody_sees_the_nodes() -> None:
    made = plan(planned("a"), ready("b"), wanted=1, nodes_known=False)
    assert told(made) == {"a": (Cause.MACHINE_DELETED, False, True)}


def test_a_mark_on_a_machine_that_is_not_being_deleted_can_be_taken_back() -> None:
    assert plan(replace(ready("a"), removing=True), ready("b"), wanted=2).spare == ("a",)


def test_what_a_health_check_deletes_goes_a_few_at_a_time() -> None:
    sick = [
        replace(going(ready(id), Deletion.ORDERED, remediate=True), node=NodeHealth.NOT_READY, ready_since=None)
        for id in "abc"
    ]
    made = told(plan(*sick, ready("d"), wanted=4))
    assert [terminate for _, terminate, _ in made.values()].count(True) == 1
    assert {cause for cause, _, _ in made.values()} == {Cause.REMEDIATION}
    leaving = Member(id="x", state=InstanceState.TERMINATING)
    made = told(plan(*sick, ready("d"), leaving, wanted=4, desired=4))
    assert not any(terminate for _, terminate, _ in made.values())


def test_one_that_a_hook_still_holds_takes_no_place_from_one_that_is_drained() -> None:
    held = going(ready("a"), Deletion.ORDERED, drained=False, remediate=True)
    ready_to_go = going(ready("b"), Deletion.ORDERED, remediate=True)
    made = told(plan(held, ready_to_go, ready("c"), wanted=3))
    assert made["b"][1]
    assert not made["a"][1]


def test_where_somebody_else_scales_the_number_stays_whoever_deletes() -> None:
    made = plan(ordered("a"), ready("b"), wanted=9, externally_scaled=True)
    assert told(made) == {"a": (Cause.MACHINE_DELETED, True, False)}


@pytest.mark.parametrize("strategy", [SURGING, SPARING, Strategy(max_surge="50%", max_unavailable="0%")])
def test_where_somebody_else_scales_a_rollout_replaces_one_after_another(strategy: Strategy) -> None:
    """There is no surge: the number is not ours. The first new one goes alone, then one at a time."""
    made = plan(
        ready("a", "r0"), ready("b", "r0"), ready("c", "r0"), wanted=1, strategy=strategy, externally_scaled=True
    )
    assert [(cause, terminate, decrement) for cause, terminate, decrement in told(made).values()] == [
        (Cause.OUTDATED, True, False)
    ]
    made = plan(ready("a"), ready("b", "r0"), ready("c", "r0"), wanted=1, strategy=strategy, externally_scaled=True)
    assert len(told(made)) == 1
    assert made.desired is None
