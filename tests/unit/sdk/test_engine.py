"""The engine's decisions, one by one."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace

import pytest

from capipool.machinery import percentages
from capipool.sdk.engine import Cause, DeletePolicy, InstanceState, Member, NodeHealth, Picture, RolloutMode, Strategy
from capipool.sdk.engine.decide import decide
from capipool.sdk.engine.strategy import allowance

NOW = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def ready(id: str, revision: str = "r1", **fields: object) -> Member:
    hour_ago = NOW - dt.timedelta(hours=1)
    base = Member(id=id, revision=revision, node=NodeHealth.READY, ready_since=hour_ago, created=hour_ago, zone="a")
    return replace(base, **fields)  # type: ignore[arg-type]


def booting(id: str, revision: str = "r1") -> Member:
    return Member(id=id, revision=revision, state=InstanceState.PENDING, created=NOW, zone="a")


def failed(id: str, revision: str = "r1", age: int = 60) -> Member:
    created = NOW - dt.timedelta(seconds=age)
    return Member(id=id, revision=revision, state=InstanceState.FAILED, created=created, message="no boot device")


def picture(*members: Member, replicas: int, revision: str = "r1", **fields: object) -> Picture:
    strategy = fields.pop("strategy", Strategy(max_surge=1, max_unavailable=0, delete_policy=DeletePolicy.OLDEST))
    desired = fields.pop("desired", len(members))
    return Picture(
        now=NOW,
        replicas=replicas,
        desired=desired,  # type: ignore[arg-type]
        revision=revision,
        members=members,
        strategy=strategy,  # type: ignore[arg-type]
        **fields,  # type: ignore[arg-type]
    )


def removed(p: Picture) -> list[str]:
    return [r.id for r in decide(p).removals]


def test_a_pool_as_its_spec_wants_it_needs_nothing() -> None:
    assert decide(picture(ready("a"), ready("b"), replicas=2)).idle


def test_scaling_up_sets_the_desired_number_and_says_what_is_missing() -> None:
    plan = decide(picture(ready("a"), replicas=3))
    assert plan.desired == 3
    assert plan.waits[0].message == "2 more instances to come: 1 of 3"


def test_scaling_down_names_its_victims_and_never_lowers_the_desired_number_itself() -> None:
    plan = decide(picture(ready("a"), ready("b"), ready("c"), replicas=1))
    assert plan.desired is None
    assert {r.cause for r in plan.removals} == {Cause.SCALE_DOWN}
    assert len(plan.removals) == 2


def test_launches_that_are_no_longer_wanted_are_called_off() -> None:
    assert decide(picture(ready("a"), ready("b"), replicas=2, desired=9)).desired == 2


@pytest.mark.parametrize(
    ("policy", "victim"), [(DeletePolicy.OLDEST, "old"), (DeletePolicy.NEWEST, "new")], ids=["oldest", "newest"]
)
def test_the_delete_policy_decides_among_equals(policy: DeletePolicy, victim: str) -> None:
    members = [ready("old", created=NOW - dt.timedelta(days=2)), ready("new", created=NOW - dt.timedelta(days=1))]
    assert removed(picture(*members, replicas=1, strategy=Strategy(delete_policy=policy))) == [victim]


def test_a_random_choice_is_the_same_at_each_look() -> None:
    p = picture(*(ready(f"i-{n}") for n in range(20)), replicas=10, strategy=Strategy())
    assert removed(p) == removed(p)
    assert removed(p) != [f"i-{n}" for n in range(10)]


def test_marked_goes_before_failed_before_unhealthy_before_the_rest() -> None:
    sick = ready("sick", node=NodeHealth.NOT_READY, ready_since=None)
    members = [ready("well"), sick, failed("failed", age=5), ready("marked", marked=True)]
    careless = Strategy(max_unavailable="100%")
    for wanted, gone in ((3, ["marked"]), (2, ["marked", "failed"]), (1, ["marked", "failed", "sick"])):
        assert removed(picture(*members, replicas=wanted, strategy=careless)) == gone


def test_a_marked_instance_that_works_stays_while_too_few_work() -> None:
    sick = [ready(id, node=NodeHealth.NOT_READY, ready_since=None) for id in ("s1", "s2")]
    assert removed(picture(ready("marked", marked=True), ready("b"), *sick, replicas=3)) == ["s1"]


def test_outdated_ones_go_before_those_that_are_up_to_date() -> None:
    members = [ready("new", "r2"), ready("old", "r1"), ready("newer", "r2")]
    assert removed(picture(*members, replicas=2, revision="r2")) == ["old"]


def test_the_fullest_zone_gives_first() -> None:
    members = [ready("a1"), ready("b1", zone="b"), ready("b2", zone="b"), ready("b3", zone="b"), ready("c1", zone="c")]
    assert removed(picture(*members, replicas=3)) == ["b1", "b2"]


def test_protected_instances_are_never_chosen_and_said_to_be_in_the_way() -> None:
    plan = decide(picture(ready("a", protected=True), ready("b", protected=True), replicas=1))
    assert plan.removals == ()
    assert plan.waits[-1].reason == "ProtectedInstances"


def test_a_removal_once_begun_is_chosen_again_even_when_others_would_come_first() -> None:
    members = [ready("a", created=NOW - dt.timedelta(days=9)), ready("b", removing=True)]
    assert removed(picture(*members, replicas=1)) == ["b"]


def test_a_removal_that_is_no_longer_wanted_is_called_off() -> None:
    plan = decide(picture(ready("a"), ready("b", removing=True), replicas=2))
    assert plan.spare == ("b",)
    assert plan.removals == ()


def test_the_first_instance_of_a_new_revision_comes_alone() -> None:
    strategy = Strategy(max_surge=3, max_unavailable=2)
    old = [ready(f"old-{n}") for n in range(6)]
    plan = decide(picture(*old, replicas=6, revision="r2", strategy=strategy))
    assert (plan.desired, plan.removals) == (7, ())
    assert decide(picture(*old, booting("new", "r2"), replicas=6, revision="r2", strategy=strategy)).removals == ()


def test_once_the_first_works_the_rest_follows_by_surge_and_max_unavailable() -> None:
    strategy = Strategy(max_surge=3, max_unavailable=2)
    members = [*(ready(f"old-{n}") for n in range(6)), ready("new", "r2")]
    plan = decide(picture(*members, replicas=6, revision="r2", strategy=strategy))
    assert plan.desired == 9
    assert len(plan.removals) == 3


def test_without_surge_one_instance_makes_room_for_the_first_new_one() -> None:
    strategy = Strategy(max_surge=0, max_unavailable=3)
    p = picture(*(ready(f"old-{n}") for n in range(6)), replicas=6, revision="r2", strategy=strategy)
    assert len(removed(p)) == 1


def test_instances_still_terminating_count_against_the_surge() -> None:
    members = [ready("a"), ready("b"), ready("new", "r2"), ready("gone", state=InstanceState.TERMINATING)]
    assert decide(picture(*members, replicas=3, revision="r2", desired=3)).desired is None


def test_a_rollout_stops_when_a_new_instance_fails_and_says_why() -> None:
    members = [ready("a"), ready("b"), ready("c", "r2"), failed("bad", "r2", age=5)]
    plan = decide(picture(*members, replicas=3, revision="r2"))
    assert plan.removals == ()
    assert plan.waits[0].reason == "RolloutStopped"
    assert "no boot device" in plan.waits[0].message


def test_a_failed_instance_is_replaced_once_the_backoff_is_over() -> None:
    young = picture(ready("a"), failed("bad", age=5), replicas=2)
    assert removed(young) == []
    recheck = decide(young).recheck
    assert recheck is not None
    assert recheck - NOW < dt.timedelta(seconds=26)
    assert removed(picture(ready("a"), failed("bad", age=31), replicas=2)) == ["bad"]


def test_a_drained_node_stays_while_too_few_others_work() -> None:
    members = [ready("a", removing=True), ready("b", node=NodeHealth.NOT_READY, ready_since=None), ready("c", "r2")]
    plan = decide(picture(*members, replicas=2, revision="r2"))
    assert [(r.id, r.terminate) for r in plan.removals if r.id == "a"] == [("a", False)]


def test_nothing_that_may_work_goes_while_the_workload_cluster_is_away() -> None:
    p = picture(ready("a"), ready("b"), ready("c"), replicas=1, nodes_known=False, nodes_unknown_reason="no route")
    plan = decide(p)
    assert plan.removals == ()
    assert "no route" in plan.waits[0].message


def test_a_node_counts_only_after_min_ready_seconds() -> None:
    fresh = ready("new", "r2", ready_since=NOW - dt.timedelta(seconds=10))
    p = picture(ready("a"), fresh, replicas=1, revision="r2", min_ready_seconds=30)
    plan = decide(p)
    assert plan.removals == ()
    assert plan.recheck is not None
    assert dt.timedelta(seconds=20) < plan.recheck - NOW < dt.timedelta(seconds=21)


def test_where_somebody_else_scales_desired_is_never_sent_and_the_cloud_replaces() -> None:
    old = [ready("a"), ready("b"), ready("c")]
    plan = decide(picture(*old, replicas=1, revision="r2", externally_scaled=True))
    assert plan.desired is None
    assert not any(r.decrement for r in plan.removals)
    assert len(plan.removals) == 1


def test_bounds_clamp_what_is_wanted() -> None:
    assert decide(picture(replicas=0, strategy=Strategy(min_size=2), desired=0)).desired == 2
    assert decide(picture(replicas=9, strategy=Strategy(max_size=4), desired=0)).desired == 4


@pytest.mark.parametrize("mode", [RolloutMode.NATIVE, RolloutMode.ON_DELETE])
def test_outdated_instances_are_left_alone_where_the_engine_does_not_roll(mode: RolloutMode) -> None:
    assert decide(picture(ready("a"), replicas=1, revision="r2", strategy=Strategy(mode=mode))).idle


def test_an_instance_of_unknown_revision_is_not_touched() -> None:
    assert decide(picture(ready("a", ""), replicas=1, revision="r2")).idle


def test_a_remediation_respects_the_budget_unless_the_instance_does_not_work_anyway() -> None:
    assert removed(picture(ready("a", remediate=True), ready("b"), replicas=2)) == []
    sick = ready("a", remediate=True, node=NodeHealth.NOT_READY, ready_since=None)
    assert removed(picture(sick, ready("b"), replicas=2)) == ["a"]


def test_no_more_are_remediated_at_once_than_surge_and_unavailability_allow() -> None:
    sick = [ready(id, remediate=True, node=NodeHealth.NOT_READY, ready_since=None) for id in "abc"]
    one = Strategy(max_surge=1, max_unavailable=0)
    assert len(removed(picture(*sick, ready("d"), replicas=4, strategy=one))) == 1
    assert len(removed(picture(*sick, ready("d"), replicas=4, strategy=Strategy(max_surge=1, max_unavailable=1)))) == 2
    begun = replace(sick[2], removing=True)
    assert removed(picture(*sick[:2], begun, ready("d"), replicas=4, strategy=one)) == ["c"]
    going = replace(sick[2], state=InstanceState.TERMINATING)
    assert removed(picture(*sick[:2], going, ready("d"), replicas=4, strategy=one)) == []


def test_paused_and_busy_pools_are_left_alone() -> None:
    assert decide(picture(replicas=3, desired=0, paused=True)).desired is None
    assert "an update" in decide(picture(replicas=3, desired=0, operation="an update")).waits[0].message


@pytest.mark.parametrize(
    ("value", "total", "up", "down"), [(2, 10, 2, 2), ("25%", 10, 3, 2), ("0%", 10, 0, 0), ("100%", 3, 3, 3)]
)
def test_percentages_round_in_the_direction_that_is_safe(value: int | str, total: int, up: int, down: int) -> None:
    assert percentages.scaled(value, total, round_up=True) == up
    assert percentages.scaled(value, total, round_up=False) == down


def test_a_rollout_that_allows_nothing_may_take_one() -> None:
    assert allowance(Strategy(max_surge=0, max_unavailable="0%"), 3).unavailable == 1
    with pytest.raises(ValueError, match="neither"):
        percentages.scaled("ten", 3, round_up=True)
