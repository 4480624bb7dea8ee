"""What Azure answers when it does not do as asked, in the words of `sdk.errors`. Pure but for the library's attributes.

Codes are compared, never texts, except where Azure has one code for many things (`OperationNotAllowed`). The code is
part of every message: it is what one searches for.
"""

from __future__ import annotations

import datetime as dt
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


def translate(operation: str, error: Exception) -> ProviderError:
    """Make a typed error of whatever the library raised."""
    status = getattr(error, "status_code", None)
    if status is None:
        if type(error).__name__ in ("ClientAuthenticationError", "CredentialUnavailableError"):
            return PermissionDenied(operation, detail="no token could be had for the identity")
        return CloudUnavailable(operation, detail=type(error).__name__)
    response: Any = getattr(error, "response", None)
    retry = retry_after(getattr(response, "headers", None) or {})
    code, detail = said(getattr(error, "error", None), status)
    return by_code(operation, code, detail, status=status, retry=retry)


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
    return CloudUnavailable(operation, detail=shown)


def retry_after(headers: Any) -> dt.timedelta | None:
    """How long Azure wants one to wait; None where it does not say in seconds."""
    text = str(headers.get("Retry-After") or "").strip()
    return dt.timedelta(seconds=int(text)) if text.isdecimal() else None


def _is_quota(code: str, detail: str) -> bool:
    """`OperationNotAllowed` is said of many things; of a quota only if its message speaks of one."""
    return bool(_QUOTA.search(code)) or (code == "OperationNotAllowed" and bool(_QUOTA.search(detail)))
