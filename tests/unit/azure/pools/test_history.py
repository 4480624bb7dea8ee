"""Which revision an instance is of: a change makes those before outdated, and nothing is forgotten or mixed up."""

from __future__ import annotations

import datetime as dt

from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.providers.azure.pools import history
from capipool.providers.azure.pools.history import History

NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


def at(second: float) -> dt.datetime:
    return NOON + dt.timedelta(seconds=second)


def test_all_instances_are_of_the_current_revision_at_first() -> None:
    assert History("r1").of(at(0)) == "r1"


def test_instances_from_before_a_change_keep_their_revision() -> None:
    now = History("r1").followed_by("r2", [at(1), at(2)])
    assert [now.of(at(s)) for s in (1, 2, 3)] == ["r1", "r1", "r2"]


def test_the_same_revision_again_changes_nothing() -> None:
    before = History("r2", (("r1", 5),))
    assert before.followed_by("r2", [at(1)]) is before


def test_going_back_makes_the_first_instances_up_to_date_again_and_no_others() -> None:
    second = History("r1").followed_by("r2", [at(1)])
    back = second.followed_by("r1", [at(1), at(2)])
    assert [back.of(at(s)) for s in (1, 2, 3)] == ["r1", "r2", "r1"]


def test_revisions_without_instances_are_forgotten() -> None:
    second = History("r1").followed_by("r2", [at(1)])
    assert second.followed_by("r3", [at(2)]) == History(
        "r3", (("r2", second.followed_by("r3", [at(2)]).earlier[0][1]),)
    )
    assert second.followed_by("r3", []) == History("r3")


def test_an_instance_of_an_unknown_moment_counts_as_the_oldest() -> None:
    assert History("r1").followed_by("r2", [at(1)]).of(None) == "r1"


def test_what_was_there_before_us_is_of_no_revision_of_ours() -> None:
    assert History("").followed_by("r1", [at(1)]).of(at(1)) == history.UNKNOWN


def test_malformed_tags_say_nothing() -> None:
    assert History.read({history.REVISION: "r1", history.HISTORY: "r0=zz = x"}).earlier == ()


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3), st.integers(0, 3)), max_size=25))
def test_no_instance_is_ever_taken_for_one_of_another_revision(changes: list[tuple[str, int, int]]) -> None:
    """Random changes, launches and removals, through the tags each time, which always fit."""
    now, clock, there = History("r-start"), 0, dict[int, str]()
    for revision, launched, removed in changes:
        now = History.read(now.followed_by(f"r-{revision}", [at(moment) for moment in there]).tags())
        for _ in range(launched):
            clock += 1
            there[clock] = f"r-{revision}"
        for moment in list(there)[:removed]:
            del there[moment]
        assert all(len(value) <= 256 for value in now.tags().values())
        for moment, made in there.items():
            assert now.of(at(moment)) in (made, history.MIXED)
            assert (now.of(at(moment)) == now.current) == (made == now.current) or now.of(at(moment)) == history.MIXED
