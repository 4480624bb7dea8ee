"""A condition's transition time moves only with its status."""

import datetime as dt

from capipool.machinery import conditions
from capipool.machinery.conditions import Condition

T0 = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
T1 = T0 + dt.timedelta(minutes=5, microseconds=7)


def test_transition_time_follows_the_status_alone() -> None:
    first = conditions.set_all((), [Condition(type="Ready", status="False", reason="Waiting")], T0)
    reworded = conditions.set_all(first, [Condition(type="Ready", status="False", reason="Still")], T1)
    turned = conditions.set_all(reworded, [Condition(type="Ready", status="True", reason="Done")], T1)
    assert [c[0].last_transition_time for c in (first, reworded, turned)] == [T0, T0, T1.replace(microsecond=0)]


def test_conditions_of_others_and_the_order_stay() -> None:
    before = (Condition(type="Foreign", status="True"), Condition(type="Ready", status="True"))
    after = conditions.set_all(
        before, [Condition(type="New", status="True"), Condition(type="Ready", status="False")], T0
    )
    assert [c.type for c in after] == ["Foreign", "Ready", "New"]
    assert after[0] is before[0]
    assert conditions.is_true(after, "New")
    assert not conditions.is_true(after, "Absent")
