"""What errors say, and what the reconciler is to do with each."""

from __future__ import annotations

import datetime as dt

import pytest

from capipool import sdk
from capipool.sdk import errors
from capipool.sdk.errors import ProviderError

EXAMPLES: dict[ProviderError, str] = {
    errors.InstanceGroupNotFound("p"): "the instance group p does not exist",
    errors.Missing("describe_groups", detail="no such name"): "describe_groups: no such name",
    errors.AlreadyThere("create_group", detail="it is there"): "create_group: it is there",
    errors.GroupChanged("p", "it grew"): "the instance group p changed meanwhile: it grew",
    errors.OperationInProgress("p", "an update"): "the cloud is busy with an update of the instance group p",
    errors.InsufficientCapacity(wanted=1, zone="a"): "the cloud has no capacity for 1 more instance in zone a",
    errors.InsufficientCapacity(wanted=2, detail="m5"): "the cloud has no capacity for 2 more instances: m5",
    errors.QuotaExceeded("vCPUs", detail="32 of 32"): "the quota vCPUs is exhausted: 32 of 32",
    errors.Throttled("DescribeGroups"): "the cloud throttles DescribeGroups",
    errors.PermissionDenied("launch"): "the credentials in use are not allowed to launch",
    errors.InvalidConfiguration("spec.size", value=0, detail="too small"): "spec.size (0): too small",
    errors.NotOwned("p", owner="q"): "the instance group p exists already and belongs to q: rename the pool, or adopt "
    "the group",
    errors.CloudUnavailable("delete", detail="timeout"): "the cloud did not carry out delete: timeout",
}


@pytest.mark.parametrize(("error", "said"), EXAMPLES.items(), ids=lambda e: type(e).__name__)
def test_errors_compose_their_message_from_facts(error: ProviderError, said: str) -> None:
    assert str(error) == said


def test_every_error_has_a_reason_of_its_own_that_a_condition_takes() -> None:
    kinds = {type(error) for error in EXAMPLES}
    assert len({kind.reason for kind in kinds}) == len(kinds)
    assert all(kind.reason.isalnum() and kind.reason[0].isupper() for kind in kinds)


def test_the_front_door_names_every_error() -> None:
    kinds = {name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, ProviderError)}
    assert kinds <= set(sdk.__all__)


def test_a_throttled_call_waits_as_long_as_the_cloud_says() -> None:
    assert errors.Throttled("x", retry_after=dt.timedelta(seconds=42)).delay == dt.timedelta(seconds=42)
    assert errors.Throttled("x").delay == dt.timedelta(seconds=5)
