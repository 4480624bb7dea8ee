"""Operations survive in a status without a secret or a host, and their answers are understood."""

from __future__ import annotations

import base64
import datetime as dt
from dataclasses import replace

import pytest

from capipool.machinery.objects import Raw
from capipool.providers.azure import operations
from capipool.providers.azure.api.shared import PendingOperation
from capipool.providers.azure.calls import Answer, _begun
from capipool.providers.azure.operations import Operation
from capipool.sdk import InsufficientCapacity

ONE = Operation(
    type="PUT", service="scalesets", group="rg", name="mp", path="/op?t=1", wanted=3, revision="r", ids=("a", "b")
)


def test_an_operation_comes_back_from_a_status_as_it_was() -> None:
    assert Operation.decode(ONE.encode()) == ONE


def test_what_others_wrote_into_the_status_is_left_aside() -> None:
    for data in ("%%%", "bm90IGpzb24=", base64.b64encode(b'{"path":"https://evil"}').decode()):
        kept = PendingOperation(data=data, name="mp", service_name="s", type="PUT")
        assert Operation.decode(kept) is None


def test_only_path_and_query_are_kept_of_where_to_ask() -> None:
    headers = {"Azure-AsyncOperation": "https://other.example/op/1?api-version=2&t=3", "Retry-After": "4"}
    assert _begun(headers, {}, 202) == Answer({}, "/op/1?api-version=2&t=3", False, dt.timedelta(seconds=4))


def test_a_location_is_followed_where_there_is_nothing_better() -> None:
    assert _begun({"Location": "https://arm/result"}, {}, 202) == Answer({}, "/result", True, None)
    assert _begun({}, {"a": 1}, 200) == Answer({"a": 1}, "", False, None)


@pytest.mark.parametrize(
    ("body", "running"),
    [({"status": "InProgress"}, True), ({"status": "Succeeded"}, False), ({}, True), ({"status": "Updating"}, True)],
)
def test_an_operation_runs_until_azure_says_that_it_ended(body: Raw, running: bool) -> None:
    found = operations.read(ONE, 200, body, {})
    assert (found.running, found.error) == (running, None)


def test_a_location_answers_202_for_as_long_as_it_runs() -> None:
    one = replace(ONE, by_location=True)
    assert operations.read(one, 202, {}, {"Retry-After": "9"}).again == dt.timedelta(seconds=9)
    assert not operations.read(one, 204, {}, {}).running


def test_a_failure_carries_azures_code() -> None:
    found = operations.read(ONE, 200, {"status": "Failed", "error": {"code": "AllocationFailed"}}, {}).error
    assert isinstance(found, InsufficientCapacity)
    assert "AllocationFailed" in str(found)


@pytest.mark.parametrize("error", [{"code": "OperationPreempted"}, None])
def test_an_operation_that_a_newer_one_took_over_did_not_fail(error: Raw | None) -> None:
    found = operations.read(ONE, 200, {"status": "Canceled", "error": error}, {})
    assert (found.running, found.error) == (False, None)
