"""What AWS answers, in the words of the SDK."""

import asyncio
import random
from collections.abc import Callable
from typing import Any

import pytest
from botocore import exceptions as library

from capipool.machinery.objects import Raw
from capipool.providers.aws import failures, refreshes
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.failures import BadCredentials
from capipool.providers.aws.inventory import Inventory
from capipool.providers.aws.places import Place
from capipool.providers.aws.templates import Version
from capipool.sdk import (
    CloudUnavailable,
    InsufficientCapacity,
    InvalidConfiguration,
    OperationInProgress,
    PermissionDenied,
    QuotaExceeded,
    Throttled,
)
from capipool.sdk.errors import AlreadyThere, Missing


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("RequestLimitExceeded", Throttled),
        ("UnauthorizedOperation", PermissionDenied),
        ("InsufficientInstanceCapacity", InsufficientCapacity),
        ("VcpuLimitExceeded", QuotaExceeded),
        ("ScalingActivityInProgress", OperationInProgress),
        ("InvalidLaunchTemplateId.NotFound", Missing),
        ("InvalidLaunchTemplateName.AlreadyExistsException", AlreadyThere),
        ("InvalidParameterValue", InvalidConfiguration),
        ("InternalFailure", CloudUnavailable),
        ("RequestThrottledException", Throttled),
        ("InsufficientFreeAddressesInSubnet", InsufficientCapacity),
        ("UnsupportedOperation", InvalidConfiguration),
        ("ExpiredToken", BadCredentials),
        ("ExpiredTokenException", BadCredentials),
        ("RequestExpired", BadCredentials),
        ("UnrecognizedClientException", BadCredentials),
        ("InvalidAccessKeyId", BadCredentials),
        ("MissingAuthenticationToken", BadCredentials),
    ],
)
def test_a_code_becomes_an_error_that_says_what_to_do(code: str, expected: type[Exception]) -> None:
    assert type(failures.by_code("call", code, "words")) is expected


def test_an_image_that_one_may_not_use_is_no_fault_of_the_keys() -> None:
    said = "AWS was not able to validate the provided access credentials"
    assert type(failures.by_code("call", "AuthFailure", said)) is BadCredentials
    assert type(failures.by_code("call", "AuthFailure", "Not authorized for images: [ami-1]")) is PermissionDenied
    said = "You must use a valid fully-formed launch template. You are not authorized to perform this operation."
    assert type(failures.by_code("call", "ValidationError", said)) is PermissionDenied


@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        (library.NoCredentialsError(), BadCredentials, "no credentials of AWS are found"),
        (library.ProfileNotFound(profile="work"), BadCredentials, "give a role, a profile, or keys"),
        (library.InvalidRegionError(region_name="eu central"), InvalidConfiguration, "spec.region ('eu central')"),
        (
            library.EndpointConnectionError(endpoint_url="https://ec2.eu-west-9.amazonaws.com/?X-Amz-Signature=s3cret"),
            CloudUnavailable,
            "no answer (EndpointConnectionError) at https://ec2.eu-west-9.amazonaws.com",
        ),
        (
            library.ParamValidationError(report="Invalid type for parameter Data.UserData, value: s3cret, type: x"),
            InvalidConfiguration,
            "does not take Data.UserData",
        ),
    ],
)
def test_what_the_library_says_by_itself_is_told_without_its_values(
    error: Exception, expected: type[Exception], said: str
) -> None:
    found = failures.translate("call", error)
    assert type(found) is expected
    assert said in str(found)
    assert "s3cret" not in str(found)


def test_an_encoded_message_is_not_shown() -> None:
    error: Any = RuntimeError()
    said = "You may not. Encoded authorization failure message: abcdef"
    error.response = {"Error": {"Code": "UnauthorizedOperation", "Message": said}}
    assert str(failures.translate("run", error)).endswith("You may not.")


class Groups:
    """Groups that all exist, counting describes."""

    def __init__(self) -> None:
        self.describes = 0
        self.asked: list[str] = []
        self.away = False
        self.on_describe: Callable[[], None] = lambda: None
        self.inventory = Inventory(self.describe)
        self.place = Place(calls=Calls(rng=random.Random(1)), region="r")

    async def describe(self, place: Place, names: list[str]) -> dict[str, Raw]:
        self.describes += 1
        self.asked = names
        await asyncio.sleep(0)
        self.on_describe()
        if self.away:
            raise CloudUnavailable("describe")
        return {name: {"name": name} for name in names}

    async def look(self, name: str, max_age: float) -> None:
        assert await self.inventory.get(self.place, name, max_age=max_age) == {"name": name}


async def test_two_hundred_pools_at_rest_cost_a_few_describes() -> None:
    groups = Groups()
    names = [f"p{n}" for n in range(200)]
    for name in names:
        await groups.look(name, 0.0)
    groups.describes = 0
    groups.inventory.forget(groups.place, "p0")
    await asyncio.gather(*(groups.look(name, 50.0) for name in names))
    assert groups.describes == 1
    for name in names:
        groups.inventory.forget(groups.place, name)
    await asyncio.gather(*(groups.look(name, 50.0) for name in names))
    assert groups.describes == 1 + 4


async def test_what_was_seen_before_a_write_is_not_believed() -> None:
    groups = Groups()
    await groups.look("p", 50.0)
    await groups.look("p", 50.0)
    assert groups.describes == 1
    groups.inventory.forget(groups.place, "p")
    await groups.look("p", 50.0)
    assert groups.describes == 2


async def test_a_look_that_failed_has_failed_for_all_who_waited() -> None:
    groups = Groups()
    groups.away = True
    names = [f"p{n}" for n in range(20)]
    found = await asyncio.gather(*(groups.look(name, 50.0) for name in names), return_exceptions=True)
    assert {type(error) for error in found} == {CloudUnavailable}
    assert groups.describes == 1
    groups.away = False
    await groups.look("p0", 50.0)


async def test_a_pool_that_goes_while_it_is_looked_for_leaves_nothing_behind() -> None:
    groups = Groups()
    groups.on_describe = lambda: groups.inventory.drop(groups.place.key, "p")
    await groups.look("p", 50.0)
    groups.on_describe = lambda: None
    await groups.look("q", 0.5)
    assert groups.asked == ["q"]


async def test_what_was_seen_by_one_account_says_nothing_to_another() -> None:
    groups = Groups()
    await groups.look("p", 50.0)
    groups.place = Place(calls=groups.place.calls, region="another")
    await groups.look("p", 50.0)
    assert groups.describes == 2


def test_a_refresh_towards_another_revision_does_not_go_on() -> None:
    desired = {"LaunchTemplate": {"LaunchTemplateId": "lt", "Version": "2"}}
    open_ = {"Status": "InProgress", "DesiredConfiguration": desired}
    assert refreshes.active([open_]) is open_
    assert refreshes.target(open_) == Version("lt", 2)
    assert refreshes.goes_on(open_, "r2", "r2")
    assert not refreshes.goes_on(open_, "r2", "r3")
