"""Conditions by the contract of v1beta1."""

import datetime as dt
from typing import Any

import pytest

from capipool.api.shared import V1Beta1Condition
from capipool.machinery import clock
from capipool.sdk.conditions import WARNING, condition, merged

NOW = dt.datetime(2030, 1, 1, 12, 0, 0, 999, tzinfo=clock.UTC)
EARLIER = NOW.replace(hour=1, microsecond=0)


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (condition("Ready", True, reason="Why", message="words"), {"type": "Ready", "status": "True"}),
        (
            condition("Ready", False, reason="Why", severity=WARNING),
            {"type": "Ready", "status": "False", "severity": "Warning", "reason": "Why"},
        ),
        (condition("Ready", False), {"type": "Ready", "status": "False", "severity": "Info"}),
    ],
)
def test_a_condition_says_why_only_while_it_is_false(made: dict[str, Any], expected: dict[str, Any]) -> None:
    assert made == expected


def test_a_message_is_no_longer_than_the_field_takes() -> None:
    assert len(condition("Ready", False, message="m" * 20000)["message"]) == 10240


@pytest.mark.parametrize(("ok", "since"), [(False, "2030-01-01T01:00:00Z"), (True, "2030-01-01T12:00:00Z")])
def test_the_time_moves_with_the_status_alone(ok: bool, since: str) -> None:
    old = V1Beta1Condition(type="Ready", status="False", last_transition_time=EARLIER, severity="Info", reason="Old")
    (made,) = merged([old], [condition("Ready", ok, reason="New")], NOW)
    assert made["lastTransitionTime"] == since
    assert made.get("reason", "") == ("" if ok else "New")


def test_conditions_of_others_stay_and_ready_comes_first() -> None:
    theirs = V1Beta1Condition(type="Another", status="True", last_transition_time=EARLIER)
    made = merged([theirs], [condition("Other", True), condition("Ready", True)], NOW)
    assert [c["type"] for c in made] == ["Ready", "Another", "Other"]
    assert made[1] == {"type": "Another", "status": "True", "lastTransitionTime": "2030-01-01T01:00:00Z"}
