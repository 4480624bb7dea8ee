"""What AWS answers, in the words of the SDK."""

import asyncio
import random
from typing import Any

import pytest

from capipool.providers.aws import failures, refreshes
from capipool.providers.aws.calls import Bucket, Calls
from capipool.providers.aws.inventory import Inventory
from capipool.sdk import (
    CloudUnavailable,
    InsufficientCapacity,
    InvalidConfiguration,
    OperationInProgress,
    PermissionDenied,
    QuotaExceeded,
    Throttled,
)


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("RequestLimitExceeded", Throttled),
        ("UnauthorizedOperation", PermissionDenied),
        ("InsufficientInstanceCapacity", InsufficientCapacity),
        ("VcpuLimitExceeded", QuotaExceeded),
        ("ScalingActivityInProgress", OperationInProgress),
        ("InvalidLaunchTemplateId.NotFound", failures.Missing),
        ("InvalidLaunchTemplateName.AlreadyExistsException", failures.AlreadyThere),
        ("InvalidParameterValue", InvalidConfiguration),
        ("InternalFailure", CloudUnavailable),
    ],
)
def test_a_code_becomes_an_error_that_says_what_to_do(code: str, expected: type[Exception]) -> None:
    assert type(failures.by_code("call", code, "words")) is expected


def test_an_encoded_message_is_not_shown() -> None:
    error: Any = RuntimeError()
    said = "You may not. Encoded authorization failure message: abcdef"
    error.response = {"Error": {"Code": "UnauthorizedOperation", "Message": said}}
    assert str(failures.translate("run", error)).endswith("You may not.")


def test_a_bucket_lets_a_burst_through_and_then_so_many_a_second() -> None:
    bucket = Bucket(rate=2, burst=2)
    assert [bucket.reserve(100.0) for _ in range(5)] == [0.0, 0.0, 0.5, 1.0, 1.5]


class Groups:
    """AWS's library with groups that exist, counting describes."""

    def __init__(self) -> None:
        self.describes = 0

    def describe_auto_scaling_groups(self, AutoScalingGroupNames: list[str], MaxRecords: int) -> Any:
        self.describes += 1
        return {"AutoScalingGroups": [{"AutoScalingGroupName": n} for n in AutoScalingGroupNames]}


async def test_two_hundred_pools_at_rest_cost_a_few_describes() -> None:
    library = Groups()
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: library, rate=10000)
    inventory = Inventory(calls)
    names = [f"p{n}" for n in range(200)]
    for name in names:
        await inventory.get("r", name, max_age=0.0)
    library.describes = 0
    inventory.forget("r", "p0")
    await asyncio.gather(*(inventory.get("r", name, max_age=50.0) for name in names))
    assert library.describes == 4
    await calls.close()


async def test_what_was_seen_before_a_write_is_not_believed() -> None:
    library = Groups()
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: library)
    inventory = Inventory(calls)
    await inventory.get("r", "p", max_age=50.0)
    await inventory.get("r", "p", max_age=50.0)
    assert library.describes == 1
    inventory.forget("r", "p")
    await inventory.get("r", "p", max_age=50.0)
    assert library.describes == 2
    await calls.close()


def test_a_refresh_towards_another_revision_does_not_go_on() -> None:
    desired = {"LaunchTemplate": {"LaunchTemplateId": "lt", "Version": "2"}}
    open_ = {"Status": "InProgress", "DesiredConfiguration": desired}
    assert refreshes.active([open_]) is open_
    assert refreshes.target(open_) == 2
    assert refreshes.goes_on(open_, "r2", "r2")
    assert not refreshes.goes_on(open_, "r2", "r3")
