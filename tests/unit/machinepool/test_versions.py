"""Versions are summed up, and ordered as semantic versions are."""

import random

from hypothesis import given
from hypothesis import strategies as st

from capipool.core.machinepool import versions
from capipool.core.machinepool.versions import Counted

ORDERED = [
    "v1.29.0",
    "v1.30.0-alpha.1",
    "v1.30.0-alpha.2",
    "v1.30.0-alpha.beta",
    "v1.30.0",
    "v1.30.2",
    "v1.30.10",
    "zz",
]


def test_versions_are_in_the_order_of_their_precedence() -> None:
    shuffled = ORDERED[:]
    random.Random(4).shuffle(shuffled)
    assert [v.version for v in versions.aggregate(Counted(v, 1) for v in shuffled)] == ORDERED


@given(st.lists(st.tuples(st.sampled_from(ORDERED), st.integers(1, 9))))
def test_nothing_is_lost_or_counted_twice_whatever_the_order(counted: list[tuple[str, int]]) -> None:
    told = versions.aggregate(Counted(*c) for c in counted)
    assert sum(v.replicas or 0 for v in told) == sum(n for _, n in counted)
    assert told == versions.aggregate(Counted(*c) for c in reversed(counted))


def test_no_more_versions_than_the_api_takes() -> None:
    assert len(versions.aggregate(Counted(f"v1.{n}.0", 1) for n in range(150))) == versions.MOST
