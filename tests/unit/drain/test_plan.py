"""Which pods go now, and which wait for others."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.api.builtin import Pod
from capipool.workload.drain import DrainError, Verdict, plan
from tests.unit.drain.builders import pod


def names(pods: tuple[Pod, ...]) -> list[str]:
    return [p.metadata.name for p in pods]


def test_pods_of_the_lowest_order_go_first_and_the_rest_waits() -> None:
    planned = plan(
        [
            (pod("last"), Verdict("Drain", order=6)),
            (pod("first"), Verdict("Drain", order=-5)),
            (pod("job"), Verdict("WaitCompleted")),
            (pod("log"), Verdict("Skip")),
        ]
    )
    assert names(planned.evict) == ["first"]
    assert names(planned.evict_later) == ["last"]
    assert names(planned.complete_later) == ["job"]
    assert names(planned.ignored) == ["log"]


def test_pods_of_a_lower_order_that_are_still_going_hold_the_others() -> None:
    going = pod("first", deleted_seconds_ago=1)
    planned = plan([(going, Verdict("Drain", order=1)), (pod("second"), Verdict("Drain", order=2))])
    assert names(planned.deleting) == ["first"]
    assert names(planned.evict_later) == ["second"]


def test_a_pod_that_was_to_complete_and_has_holds_nothing_up() -> None:
    planned = plan([(pod("job", phase="Succeeded"), Verdict("WaitCompleted")), (pod("web"), Verdict("Drain", order=1))])
    assert names(planned.evict) == ["web"]
    assert names(planned.ignored) == ["job"]


def test_nothing_is_decided_while_one_pod_cannot_be_judged() -> None:
    with pytest.raises(DrainError, match="default/odd: no idea"):
        plan([(pod("fine"), Verdict("Drain")), (pod("odd"), Verdict("Drain", error="no idea"))])


verdicts = st.builds(
    Verdict,
    behavior=st.sampled_from(["Drain", "Skip", "WaitCompleted"]),
    order=st.integers(-3, 3),
    warnings=st.just(()),
)


@given(st.lists(st.tuples(verdicts, st.booleans(), st.sampled_from(["Running", "Succeeded"])), max_size=12))
def test_every_pod_has_one_place_and_only_the_lowest_order_is_touched(
    drawn: list[tuple[Verdict, bool, str]],
) -> None:
    judged = [
        (pod(f"p{i}", phase=phase, deleted_seconds_ago=1 if deleting else None), verdict)
        for i, (verdict, deleting, phase) in enumerate(drawn)
    ]
    planned = plan(judged)
    order = {p.key: v.order for p, v in judged}
    holding = (planned.evict, planned.deleting, planned.complete, planned.evict_later, planned.complete_later)
    placed = [p.key for group in (*holding, planned.ignored) for p in group]
    assert sorted(placed) == sorted(order)
    touched = {order[p.key] for p in (*planned.evict, *planned.complete)}
    if touched:
        assert touched == {min(order[p.key] for group in holding for p in group)}
