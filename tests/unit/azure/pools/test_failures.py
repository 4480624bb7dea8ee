"""Azure's codes, in the words of the SDK. The code is in every message: it is what one searches for."""

from __future__ import annotations

import datetime as dt
import errno
import socket

import pytest
from aiohttp import ClientConnectorError
from aiohttp.client_reqrep import ConnectionKey
from azure.core.exceptions import ClientAuthenticationError, ServiceRequestError, ServiceResponseError

from capipool.providers.azure import failures
from capipool.sdk import errors
from capipool.sdk.errors import AlreadyThere, Missing


@pytest.mark.parametrize(
    ("code", "status", "detail", "wanted"),
    [
        ("AllocationFailed", 0, "", errors.InsufficientCapacity),
        ("OverconstrainedZonalAllocationRequest", 0, "", errors.InsufficientCapacity),
        ("SkuNotAvailable", 409, "", errors.InsufficientCapacity),
        ("OperationNotAllowed", 409, "exceeding approved Total Regional Cores quota", errors.QuotaExceeded),
        ("OperationNotAllowed", 409, "the scale set is being upgraded", failures.Busy),
        ("QuotaExceeded", 409, "", errors.QuotaExceeded),
        ("Conflict", 409, "", failures.Busy),
        ("AuthorizationFailed", 403, "", errors.PermissionDenied),
        ("RequestDisallowedByPolicy", 403, "", errors.PermissionDenied),
        ("InvalidAuthenticationToken", 401, "", errors.PermissionDenied),
        ("ResourceNotFound", 404, "", Missing),
        ("ResourceGroupNotFound", 404, "", Missing),
        ("PreconditionFailed", 412, "", failures.Changed),
        ("RoleAssignmentExists", 409, "", AlreadyThere),
        ("InvalidParameter", 400, "", errors.InvalidConfiguration),
        ("PropertyChangeNotAllowed", 409, "", errors.InvalidConfiguration),
        ("BadRequest", 400, "", errors.InvalidConfiguration),
        ("InternalServerError", 500, "", errors.CloudUnavailable),
        ("SomethingNew", 0, "", errors.CloudUnavailable),
    ],
)
def test_codes_are_translated(code: str, status: int, detail: str, wanted: type[errors.ProviderError]) -> None:
    found = failures.by_code("write", code, detail, status=status)
    assert type(found) is wanted
    if wanted is not failures.Changed:
        assert code in str(found)


def test_a_throttled_call_says_how_long_azure_wants_one_to_wait() -> None:
    retry = failures.retry_after({"Retry-After": "17"})
    found = failures.by_code("read", "TooManyRequests", "", status=429, retry=retry)
    assert isinstance(found, errors.Throttled)
    assert found.delay == dt.timedelta(seconds=17)


def test_without_a_word_about_it_the_wait_is_a_minute() -> None:
    assert failures.by_code("read", "TooManyRequests", "", status=429).delay == dt.timedelta(minutes=1)


@pytest.mark.parametrize("header", ["", "soon", "Fri, 31 Dec 1999 23:59:59 GMT"])
def test_a_wait_that_is_no_number_is_none(header: str) -> None:
    assert failures.retry_after({"Retry-After": header}) is None


def test_the_reason_within_a_failed_operation_is_what_counts() -> None:
    error = {"code": "Failed", "details": [{"code": "AllocationFailed", "message": "no room"}]}
    found = failures.of_operation("PUT of mp", error, wanted=3)
    assert isinstance(found, errors.InsufficientCapacity)
    assert found.wanted == 3
    assert "AllocationFailed: no room" in str(found)


ENTRA = "Microsoft Entra ID error '(invalid_client) {}'"
CHAIN = "DefaultAzureCredential failed to retrieve a token from the included credentials.\nAttempted credentials:"


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (
            ENTRA.format("AADSTS7000215: Invalid client secret provided."),
            "AADSTS7000215: Invalid client secret provided",
        ),
        ("AADSTS700016: No app 'a.b' in 'C'. This can\r\nTrace ID: 1", "AADSTS700016: No app 'a.b' in 'C'"),
        ("AADSTS90002: Tenant 't' not found\r\nTrace ID: 1", "AADSTS90002: Tenant 't' not found"),
        (f"{CHAIN}\n\tEnvironmentCredential: AADSTS70002: No. Yes", "AADSTS70002: No"),
        (f"{CHAIN}\n\tAzureCliCredential: Azure CLI not found on path", "name an AzureClusterIdentity by identityRef"),
    ],
)
def test_who_gets_no_token_reads_why_without_what_is_of_one_request_alone(text: str, wanted: str) -> None:
    found = failures.translate("read", ClientAuthenticationError(text))
    assert isinstance(found, failures.NoToken)
    assert wanted in str(found)
    assert "Trace" not in str(found)
    assert found.reason == "PermissionDenied"


@pytest.mark.parametrize(
    ("below", "wanted"),
    [
        (
            OSError(errno.ECONNREFUSED, "Connect call failed ('127.0.0.1', 1)"),
            "cannot connect to arm:443: Connection",
        ),
        (socket.gaierror(-2, "Name or service not known"), "cannot connect to arm:443: Name or service not known"),
    ],
)
def test_an_azure_that_is_not_reached_is_named(below: OSError, wanted: str) -> None:
    key = ConnectionKey("arm", 443, True, True, None, None, None)
    error = ServiceRequestError("x", error=ClientConnectorError(key, below))
    assert wanted in str(failures.translate("read", error))


def test_an_azure_that_is_down_says_when_to_come_again() -> None:
    found = failures.by_code("read", "ServerBusy", "", status=503, retry=dt.timedelta(seconds=40))
    assert isinstance(found, errors.CloudUnavailable)
    assert found.delay == dt.timedelta(seconds=40)


def test_a_lost_answer_is_unavailable_and_a_refused_login_is_denied() -> None:
    assert isinstance(failures.translate("read", ServiceResponseError("lost")), errors.CloudUnavailable)
    assert isinstance(failures.translate("read", ClientAuthenticationError("no")), errors.PermissionDenied)
