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


REASONS = conditions.Reasons("Good", "Bad", "Unclear")


def test_a_summary_says_the_worst_first_and_what_was_not_reported() -> None:
    found = [Condition(type="A", status="True"), Condition(type="B", status="False", reason="X", message="b broke")]
    made = conditions.summary("Ready", found, of=("C", "A", "B"), reasons=REASONS)
    assert (made.status, made.reason) == ("False", "Bad")
    assert made.message == "* B: b broke\n* C: Condition not yet reported"


def test_a_negative_condition_is_good_when_false() -> None:
    deleting = Condition(type="Deleting", status="True", reason="Deleting", message="on its way out")
    made = conditions.summary("Available", [deleting], of=("Deleting",), reasons=REASONS, negative={"Deleting"})
    assert (made.status, made.message) == ("False", "* Deleting: on its way out")
    calm = Condition(type="Deleting", status="False", reason="NotDeleting")
    made = conditions.summary("Available", [calm], of=("Deleting",), reasons=REASONS, negative={"Deleting"})
    assert (made.status, made.reason, made.message) == ("True", "Good", "")


def test_an_aggregate_groups_those_that_say_the_same() -> None:
    bad = Condition(type="Ready", status="False", reason="R", message="no kubelet")
    parts = [(f"m{i}", bad) for i in range(5)] + [("m9", None), ("ok", Condition(type="Ready", status="True"))]
    made = conditions.aggregate("MachinesReady", parts, kind="Machine", reasons=REASONS)
    assert made.status == "False"
    assert made.message == ("* Machines m0, m1, m2, ... (2 more): no kubelet\n* Machine m9: Condition not yet reported")


def test_an_aggregate_counts_what_it_does_not_spell_out() -> None:
    parts = [(f"m{i}", Condition(type="Ready", status="Unknown", message=f"why {i}")) for i in range(5)]
    made = conditions.aggregate("MachinesReady", parts, kind="Machine", reasons=REASONS)
    assert made.message.splitlines()[-1] == "And 2 Machines with other issues"
    assert conditions.aggregate("MachinesReady", [], kind="Machine", reasons=REASONS).status == "True"


def test_a_mirror_takes_the_fallback_when_nothing_is_reported() -> None:
    fallback = Condition(type="", status="False", reason="NotReady", message="not there yet")
    assert conditions.mirror(None, "InfrastructureReady", fallback).message == "not there yet"
    told = conditions.mirror(Condition(type="Ready", status="True"), "InfrastructureReady", fallback)
    assert (told.type, told.status, told.reason) == ("InfrastructureReady", "True", "NoReasonReported")


def test_a_list_under_a_head_is_further_in_and_a_single_thing_behind_it() -> None:
    several = Condition(type="Ready", status="False", reason="No", message="* Bootstrap: no secret\n* Node: waits")
    drained = Condition(type="Ready", status="False", reason="No", message="Drain waits:\n* Pod a\n* Pod b")
    single = Condition(type="Ready", status="False", reason="No", message="* Deleting: in progress")
    reasons = conditions.Reasons("Yes", "No", "Unsure")
    merged = conditions.aggregate(
        "Ready", [("a", several), ("b", drained), ("c", single)], kind="Machine", reasons=reasons
    )
    assert merged.message.splitlines() == [
        "* Machine a:",
        "  * Bootstrap: no secret",
        "  * Node: waits",
        "* Machine b:",
        "  * Drain waits:",
        "    * Pod a",
        "    * Pod b",
        "* Machine c: Deleting: in progress",
    ]


def test_the_first_of_a_list_is_said_with_its_heads() -> None:
    assert conditions.first_said("* Machine a:\n  * Bootstrap: no secret\n  * Node: waits") == (
        "Machine a: Bootstrap: no secret"
    )
    assert conditions.first_said("Drain not completed yet:\n* Pod a/b waits\n* Pod a/c waits") == (
        "Drain not completed yet: Pod a/b waits"
    )
    assert conditions.first_said("") == ""
