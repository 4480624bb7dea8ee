"""What a pool says of itself, by the contract of v1beta1."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from capipool.api.core import Cluster, MachinePool
from capipool.machinery import objects
from capipool.providers.aws import statuses
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.observing import Seen
from capipool.providers.aws.templates import Version
from capipool.sdk import Group, Instance, InstanceState, InsufficientCapacity, Pool, Report
from capipool.sdk.engine.plan import Wait

REFERENCE = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "AWSMachinePool", "name": "p"}
TEMPLATE = {"spec": {"clusterName": "c", "bootstrap": {"dataSecretName": "b"}, "infrastructureRef": REFERENCE}}
NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def pool(replicas: int = 2, status: dict[str, Any] | None = None) -> Pool[AWSMachinePool]:
    raw = {"metadata": {"name": "p", "namespace": "d"}, "spec": {"minSize": 1, "maxSize": 3}, "status": status or {}}
    owner = {
        "metadata": {"name": "p", "namespace": "d"},
        "spec": {"clusterName": "c", "replicas": replicas, "template": TEMPLATE},
    }
    cluster = objects.from_raw(Cluster, {"metadata": {"name": "c", "namespace": "d"}, "spec": {}})
    return Pool(objects.from_raw(AWSMachinePool, raw), objects.from_raw(MachinePool, owner), cluster)


def group(*states: InstanceState, refreshes: list[Any] | None = None, **fields: Any) -> Group:
    instances = tuple(Instance(id=f"i-{n}", provider_id=f"aws:///a/i-{n}", state=s) for n, s in enumerate(states))
    native = Seen({}, Version("lt-1", 7), refreshes or [])
    return Group(desired=fields.pop("desired", 2), revision="r", instances=instances, native=native, **fields)


def conditions(made: dict[str, Any]) -> dict[str, tuple[str, str, str]]:
    return {c["type"]: (c["status"], c.get("reason", ""), c.get("severity", "")) for c in made["conditions"]}


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("WaitingForClusterInfrastructureReady", "WaitingForClusterInfrastructure"),
        ("WaitingForBootstrapData", "WaitingForBootstrapData"),
    ],
)
def test_a_wait_is_told_by_upstreams_name(reason: str, told: str) -> None:
    made = statuses.status(pool(), Report(now=NOW, generation=1, waits=(Wait(reason, "why"),)))
    assert conditions(made) == {"Ready": ("False", told, "Info"), "ASGReady": ("False", told, "Info")}


@pytest.mark.parametrize(
    ("failed", "reason"),
    [
        ("ASGReady", "ASGProvisionFailed"),
        ("LaunchTemplateReady", "LaunchTemplateReconcileFailed"),
        ("LifecycleHookReady", "LifecycleHookUpdateFailed"),
    ],
)
def test_a_failure_is_told_where_it_belongs(failed: str, reason: str) -> None:
    report = Report(now=NOW, generation=1, waits=(Wait("PermissionDenied", "no"),))
    told = conditions(statuses.status(pool(), report, failed=failed))
    assert told["Ready"] == ("False", "PermissionDenied", "Error")
    assert told[failed] == ("False", reason, "Error")


def test_instances_that_go_do_not_count() -> None:
    report = Report(now=NOW, generation=1, group=group(InstanceState.RUNNING, InstanceState.TERMINATING))
    made = statuses.status(pool(), report)
    assert (made["replicas"], [i["instanceID"] for i in made["instances"]]) == (1, ["i-0"])
    assert (made["launchTemplateID"], made["launchTemplateVersion"]) == ("lt-1", "7")


@pytest.mark.parametrize(
    ("found", "before", "ready"),
    [
        (group(), {}, False),
        (group(InstanceState.PENDING), {}, False),
        (group(InstanceState.RUNNING), {}, True),
        (group(desired=0), {}, True),
        (group(), {"ready": True}, True),
    ],
)
def test_a_pool_is_ready_once_something_serves_and_stays_so(found: Group, before: Any, ready: bool) -> None:
    made = statuses.status(pool(status=before), Report(now=NOW, generation=1, group=found))
    assert made["ready"] is ready


def test_why_nothing_is_launched_has_a_condition_of_its_own() -> None:
    problem = InsufficientCapacity(wanted=1, detail="no t3.large in us-east-1a")
    made = statuses.status(pool(), Report(now=NOW, generation=1, group=group(problem=problem)))
    found = next(c for c in made["conditions"] if c["type"] == "LastScalingActivitySucceeded")
    assert found["reason"] == "InsufficientCapacity"
    assert "no t3.large in us-east-1a" in found["message"]


def test_a_number_out_of_bounds_is_told_with_what_is_kept() -> None:
    made = statuses.status(pool(replicas=9), Report(now=NOW, generation=1, group=group()))
    found = next(c for c in made["conditions"] if c["type"] == "ReplicasWithinBounds")
    assert found["message"] == "the MachinePool wants 9, minSize and maxSize allow 1 to 3: 3 are kept"


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("InProgress", ("True", "", "")),
        ("Baking", ("True", "", "")),
        ("Failed", ("False", "InstanceRefreshFailed", "Warning")),
        ("RollbackSuccessful", ("False", "InstanceRefreshFailed", "Warning")),
        ("Successful", ("False", "InstanceRefreshNotReady", "Warning")),
    ],
)
def test_a_refresh_is_told_with_how_far_it_is(status: str, told: tuple[str, str, str]) -> None:
    found = group(InstanceState.RUNNING, refreshes=[{"Status": status}], rollout=f"instance refresh {status}")
    made = statuses.status(pool(), Report(now=NOW, generation=1, group=found, outdated=1))
    assert conditions(made)["InstanceRefreshStarted"] == told


def test_a_group_that_is_being_deleted_says_so_and_others_conditions_stay() -> None:
    theirs = {"type": "Theirs", "status": "True", "lastTransitionTime": "2025-01-01T00:00:00Z"}
    report = Report(now=NOW, generation=1, group=group(operation="deletion"))
    made = statuses.status(pool(status={"conditions": [theirs]}), report)
    assert made["asgStatus"] == "Delete in progress"
    assert conditions(made)["ASGReady"][1] == "ASGDeletionInProgress"
    assert theirs in made["conditions"]
    assert made["conditions"][0]["type"] == "Ready"
