"""What Azure answers when it does not do as asked, in the words of `sdk.errors`. Pure but for the library's attributes.

Codes are compared, never texts, except where Azure has one code for many things (`OperationNotAllowed`). The code is
part of every message: it is what one searches for.
"""

from __future__ import annotations

import datetime as dt
import os
import re
from typing import Any

from capipool.machinery.objects import Raw
from capipool.sdk.errors import (
    AlreadyThere,
    CloudUnavailable,
    InsufficientCapacity,
    InvalidConfiguration,
    Missing,
    OperationInProgress,
    PermissionDenied,
    ProviderError,
    QuotaExceeded,
    Throttled,
)


class Changed(ProviderError):
    """It is no longer as it was read (its etag differs): nothing was done."""

    reason = "PreconditionFailed"
    quiet = True
    delay = dt.timedelta(milliseconds=200)

    def __init__(self, operation: str) -> None:
        super().__init__(f"{operation}: the resource was changed by somebody else meanwhile")


class Busy(OperationInProgress):
    """Azure is at something else, and takes this order later."""

    def __init__(self, operation: str, detail: str, *, again: dt.timedelta) -> None:
        ProviderError.__init__(self, f"Azure does not take the {operation} now: {detail}")
        self.operation = operation
        self.delay = again


class NoToken(PermissionDenied):
    """Azure knows nobody by what the identity shows: there is no token, and nothing was asked of Azure."""

    def __init__(self, operation: str, *, detail: str) -> None:
        ProviderError.__init__(self, f"{operation} needs a token: {detail}")
        self.action = operation


_ALLOCATION = {
    *("AllocationFailed", "ZonalAllocationFailed", "OverconstrainedAllocationRequest", "SkuNotAvailable"),
    *("OverconstrainedZonalAllocationRequest", "SpotAllocationFailed", "CapacityNotAvailable", "AllocationTimeout"),
}
_DENIED = {
    *("AuthorizationFailed", "LinkedAuthorizationFailed", "RequestDisallowedByPolicy", "AuthenticationFailed"),
    *("InvalidAuthenticationToken", "ExpiredAuthenticationToken", "InvalidAuthenticationTokenTenant", "Forbidden"),
    *("ScopeLocked", "SubscriptionNotFound", "RoleAssignmentUpdateNotPermitted", "Unauthorized"),
}
_BUSY = {
    *("AnotherOperationInProgress", "OperationPreempted", "ConflictingConcurrentWriteNotAllowed", "RetryableError"),
    *("OperationNotAllowedDuringUpgrade", "CannotModifyScaleSetWhileUpgradeInProgress", "ResourceGroupBeingDeleted"),
    *("ScaleSetInUse", "Conflict"),
}
_THROTTLED = {"TooManyRequests", "SubscriptionRequestsThrottled", "OperationNotAllowedByThrottling", "Throttled"}
_EXISTS = {"RoleAssignmentExists", "ResourceAlreadyExists"}
OF_INSTANCES = re.compile(r"^(VMExtension|OSProvisioning|VMStartTimedOut|VMAgentStatus|VMNotHealthy)")
"""Codes of operations that failed because single instances did: those are listed as Failed, each with its reason."""
_QUOTA = re.compile(r"quota", re.IGNORECASE)
_MISSING = re.compile(r"(NotFound|NotExist)$")
_INVALID = re.compile(
    r"^(Invalid|Bad|Missing|Malformed|Unsupported|PropertyChangeNotAllowed|Marketplace|Vm)|NotSupported$"
)
_STATUSES = {404: "NotFound", 429: "TooManyRequests", 403: "Forbidden", 401: "Unauthorized"}


_STRANGERS = ("ClientAuthenticationError", "CredentialUnavailableError")
"""What Azure's library raises where it gets no token; and where the Resource Manager does not take one."""
_LATE = ("ServiceRequestTimeoutError", "ServiceResponseTimeoutError", "TimeoutError")
_ENTRA = re.compile(r"AADSTS\d+: .*?(?=\.?(?:[\r\n]|'?$|\.\s)|\. )", re.MULTILINE)
"""What Entra ID says of an identity, to the end of its first sentence: after it come numbers of each single request."""
_NOBODY = (
    "no credentials were found: name an AzureClusterIdentity by identityRef, or give the process AZURE_TENANT_ID, "
    "AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, a workload identity, or a managed identity"
)


def translate(operation: str, error: Exception) -> ProviderError:
    """Make a typed error of whatever the library raised."""
    if type(error).__name__ in _STRANGERS and getattr(error, "error", None) is None:
        return NoToken(operation, detail=_refusal(str(error)))
    status = getattr(error, "status_code", None)
    if status is None:
        return CloudUnavailable(operation, detail=_unreached(error))
    response: Any = getattr(error, "response", None)
    retry = retry_after(getattr(response, "headers", None) or {})
    code, detail = said(getattr(error, "error", None), status)
    return by_code(operation, code, detail, status=status, retry=retry)


def _refusal(text: str) -> str:
    """Why there is no token."""
    if (found := _ENTRA.search(text)) is not None:
        return f"Entra ID refuses the identity: {found[0]}"
    return _NOBODY if "DefaultAzureCredential" in text else "no token could be had for the identity"


def _unreached(error: BaseException) -> str:
    """What kept a call from Azure, in words that are the same each time: with the host, where one was not reached."""
    if type(error).__name__ in _LATE:
        return "there was no answer in time"
    below: BaseException | None = error
    while below is not None:
        host = getattr(below, "host", "")
        if host:
            why = getattr(below, "certificate_error", None) or getattr(below, "os_error", None)
            number = getattr(why, "errno", None) or 0  # below zero where a name is not found
            words = os.strerror(number) if number > 0 else getattr(why, "strerror", "")
            words = getattr(why, "verify_message", "") or words or type(below).__name__
            return f"cannot connect to {host}:{getattr(below, 'port', '')}: {words}"
        below = getattr(below, "inner_exception", None) or below.__cause__
    return type(error).__name__


def said(error: Any, status: int | None = None) -> tuple[str, str]:
    """The code and the message of an error as the library gives it; the innermost code, where Azure has several."""
    code, message = str(getattr(error, "code", "") or ""), str(getattr(error, "message", "") or "")
    for inner in getattr(error, "details", None) or ():
        inner_code = str(getattr(inner, "code", "") or "")
        if inner_code in _ALLOCATION or _QUOTA.search(inner_code):
            code, message = inner_code, str(getattr(inner, "message", "") or message)
    return code or _STATUSES.get(status or 0, f"HTTP {status}"), message


def of_operation(operation: str, error: Raw, *, wanted: int = 1) -> ProviderError:
    """Make a typed error of the `error` of a long-running operation that failed. `wanted`: instances it was to make."""
    code, message = str(error.get("code") or "Failed"), str(error.get("message") or "")
    for inner in error.get("details") or ():
        if isinstance(inner, dict) and str(inner.get("code", "")) in _ALLOCATION:
            code, message = str(inner["code"]), str(inner.get("message") or message)
    return by_code(operation, code, message, wanted=wanted)


def by_code(
    operation: str,
    code: str,
    detail: str,
    *,
    status: int = 0,
    retry: dt.timedelta | None = None,
    wanted: int = 1,
) -> ProviderError:
    """Translate an answer by its code. `detail` is Azure's message, shown to people."""
    shown = f"{code}: {detail}" if detail else code
    if (status == 429 and not _is_quota(code, detail)) or code in _THROTTLED:
        return Throttled(operation, retry_after=retry or dt.timedelta(minutes=1))
    if status == 412 or code in ("PreconditionFailed", "ConditionNotMet"):
        return Changed(operation)
    if _is_quota(code, detail):
        return QuotaExceeded("of the subscription", detail=shown)
    if code in _ALLOCATION:
        return InsufficientCapacity(wanted=wanted, detail=shown)
    if code in _DENIED or status in (401, 403):
        return PermissionDenied(operation, detail=shown)
    if code in _EXISTS:
        return AlreadyThere(operation, detail=shown)
    if code in _BUSY or code == "OperationNotAllowed":
        return Busy(operation, shown, again=retry or dt.timedelta(seconds=15))
    if status == 404 or _MISSING.search(code):
        return Missing(operation, detail=shown)
    if status == 400 or _INVALID.search(code):
        return InvalidConfiguration(operation, detail=shown)
    unavailable = CloudUnavailable(operation, detail=shown)
    unavailable.delay = retry
    return unavailable


def retry_after(headers: Any) -> dt.timedelta | None:
    """How long Azure wants one to wait; None where it does not say in seconds."""
    text = str(headers.get("Retry-After") or "").strip()
    return dt.timedelta(seconds=int(text)) if text.isdecimal() else None


def _is_quota(code: str, detail: str) -> bool:
    """`OperationNotAllowed` is said of many things; of a quota only if its message speaks of one."""
    return bool(_QUOTA.search(code)) or (code == "OperationNotAllowed" and bool(_QUOTA.search(detail)))
