"""What the status says after a pass."""

from __future__ import annotations

import datetime as dt
from typing import Any

from capipool.machinery import conditions
from capipool.sdk import Group, Instance, InstanceState, Report
from capipool.sdk.engine import Wait
from capipool.sdk.report import InstanceNode

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def instance(id: str, state: InstanceState = InstanceState.RUNNING) -> Instance:
    return Instance(id=id, provider_id=f"x://{id}", state=state)


def report(**fields: Any) -> Report:
    return Report(now=NOW, generation=3, **fields)


def said(of: Report, type_: str) -> tuple[str, str, str] | None:
    found = conditions.find(of.conditions(), type_)
    return (found.status, found.reason, found.message) if found is not None else None


def test_a_pool_that_waits_for_nothing_is_ready() -> None:
    made = report(group=Group(desired=1, revision="r", instances=(instance("a"),)))
    assert said(made, "Ready") == ("True", "Ready", "")
    assert made.v1beta2()["initialization"] == {"provisioned": True}
    assert made.v1beta2()["observedGeneration"] == 3


def test_ready_gives_the_first_reason_and_every_message() -> None:
    waits = (Wait("ScalingUp", "2 to come"), Wait("RollingOut", "1 to go"))
    assert said(report(group=Group(desired=3, revision="r"), waits=waits), "Ready") == (
        "False",
        "ScalingUp",
        "2 to come; 1 to go",
    )


def test_before_there_is_a_group_the_pool_is_not_provisioned_for_the_same_reason() -> None:
    made = report(waits=(Wait("WaitingForBootstrapData", "no data"),))
    assert said(made, "Provisioned") == ("False", "WaitingForBootstrapData", "no data")
    assert made.v1beta2()["ready"] is False


def test_provisioning_happens_once() -> None:
    made = report(was_provisioned=True, waits=(Wait("Throttled", "slow down"),))
    assert made.v1beta2()["initialization"] == {"provisioned": True}
    assert said(made, "Provisioned") is None


def test_instances_on_their_way_out_are_shown_and_not_counted() -> None:
    going = instance("b", InstanceState.TERMINATING)
    group = Group(desired=1, revision="r", instances=(instance("a"), going))
    status = report(group=group, nodes={"x://a": InstanceNode(True, "v1.34.0")}).v1beta2()
    assert status["replicas"] == 1
    assert status["instances"] == [
        {"instanceName": "a", "providerID": "x://a", "version": "v1.34.0", "ready": True},
        {"instanceName": "b", "providerID": "x://b", "ready": False},
    ]


def test_the_same_facts_give_the_same_conditions_and_times() -> None:
    first = report(group=Group(desired=0, revision="r")).conditions()
    later = Report(now=NOW + dt.timedelta(hours=1), generation=3, before=first, group=Group(desired=0, revision="r"))
    assert later.conditions() == first


def test_outdated_instances_make_the_pool_not_up_to_date() -> None:
    made = report(group=Group(desired=1, revision="r", instances=(instance("a"),)), outdated=1)
    assert said(made, "UpToDate") == (
        "False",
        "NotUpToDate",
        "1 of 1 instances were launched from an older specification",
    )


def test_a_paused_pool_keeps_what_it_said_and_says_that_it_is_paused() -> None:
    before = report(group=Group(desired=0, revision="r")).conditions()
    made = report(before=before, paused=True)
    assert said(made, "Paused") == ("True", "Paused", "")
    assert said(made, "Provisioned") == ("True", "Provisioned", "")


def test_a_deletion_says_what_it_waits_for() -> None:
    made = report(deleting="draining node n")
    assert said(made, "Deleting") == ("True", "Deleting", "draining node n")
    assert said(made, "Ready") == ("False", "Deleting", "draining node n")
