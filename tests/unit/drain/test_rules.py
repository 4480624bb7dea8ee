"""Which drain rules are for a machine."""

from typing import Any

import pytest

from capipool.workload.drain import DrainError, rules_for
from tests.unit.drain.builders import rule

WORKER, CLUSTER = {"role": "worker"}, {"site": "north"}


@pytest.mark.parametrize(
    ("machines", "applies"),
    [
        (None, True),
        ([{"selector": {"matchLabels": {"role": "worker"}}}], True),
        ([{"selector": {}}], True),
        ([{"selector": {"matchLabels": {"role": "other"}}}], False),
        ([{"clusterSelector": {"matchLabels": {"site": "north"}}}], True),
        (
            [
                {
                    "selector": {"matchLabels": {"role": "worker"}},
                    "clusterSelector": {"matchLabels": {"site": "south"}},
                }
            ],
            False,
        ),
        (
            [
                {"selector": {"matchLabels": {"role": "other"}}},
                {"selector": {"matchExpressions": [{"key": "role", "operator": "Exists"}]}},
            ],
            True,
        ),
    ],
)
def test_an_entry_must_match_whole_and_one_of_them_is_enough(machines: list[object] | None, applies: bool) -> None:
    selection: dict[str, Any] = {} if machines is None else {"machines": machines}
    assert bool(rules_for([rule("a", **selection)], WORKER, CLUSTER)) is applies


def test_rules_are_sorted_by_name() -> None:
    assert [r.name for r in rules_for([rule("b"), rule("a"), rule("c")], {}, {})] == ["a", "b", "c"]


def test_a_rule_that_cannot_be_read_is_named_rather_than_left_out() -> None:
    broken = rule("broken", machines=[{"selector": {"matchExpressions": [{"key": "a", "operator": "Like"}]}}])
    with pytest.raises(DrainError, match="broken"):
        rules_for([broken], {}, {})
