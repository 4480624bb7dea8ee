"""What AWS answers when it does not do as asked, in the words of `sdk.errors`. Pure but for the library's classes.

Codes are compared, never texts, except where AWS has one code for many things (`ValidationError`).
"""

from __future__ import annotations

import re
from typing import Any

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


class NoAction(ProviderError):
    """There is no lifecycle action under way that could be completed. The caller takes it as done."""

    reason = "NoLifecycleAction"

    def __init__(self, operation: str, *, detail: str) -> None:
        super().__init__(f"{operation}: {detail}")


_THROTTLED = {"Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequestsException", "SlowDown"}
_DENIED = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "ExpiredToken"),
    *("InvalidClientTokenId", "UnrecognizedClientException", "SignatureDoesNotMatch", "OptInRequired"),
}
_CAPACITY = {"InsufficientInstanceCapacity", "InsufficientHostCapacity", "Unsupported"}
_BUSY = {
    "ResourceInUse",
    "ResourceInUseException",
    "ResourceContention",
    "ScalingActivityInProgress",
    "InstanceRefreshInProgress",
}
_QUOTA = re.compile(r"LimitExceeded|QuotaExceeded|MaxSpotInstanceCountExceeded")
_MISSING = re.compile(r"NotFound|^NoSuch")
_EXISTS = re.compile(r"AlreadyExists")
_INVALID = re.compile(r"^(Invalid|Missing|Malformed|Validation|Unknown|IncorrectInstance)")
_NOT_FOUND_TEXT = re.compile(r"not found|does not exist", re.IGNORECASE)
_NO_ACTION_TEXT = re.compile(r"No active Lifecycle Action", re.IGNORECASE)
_NO_KEYS = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"),
    *("SSOTokenLoadError", "UnauthorizedSSOTokenError"),
}
"""What the library raises before any call, where it finds nothing to sign with."""
_SECRET_TEXT = re.compile(
    r"\s*(Encoded authorization failure message:|The Canonical String for this request).*", re.DOTALL
)


def translate(operation: str, error: Exception) -> ProviderError:
    """Make a typed error of whatever the library raised."""
    answer: Any = getattr(error, "response", None)
    if type(error).__name__ in _NO_KEYS:
        said = f"no credentials of AWS are found ({type(error).__name__}): give a role, a profile, or keys"
        return PermissionDenied(operation, detail=said)
    if not isinstance(answer, dict) or "Error" not in answer:
        return CloudUnavailable(operation, detail=type(error).__name__)
    code = str(answer["Error"].get("Code", ""))
    detail = _SECRET_TEXT.sub("", str(answer["Error"].get("Message", "")))
    return by_code(operation, code, detail)


def by_code(operation: str, code: str, detail: str) -> ProviderError:
    """Translate an answer by its code. `detail` is AWS's message, shown to people."""
    if code in _THROTTLED:
        return Throttled(operation)
    if code in _DENIED:
        return PermissionDenied(operation, detail=detail)
    if code in _CAPACITY:
        return InsufficientCapacity(wanted=1, detail=detail)
    if code in _BUSY:
        return OperationInProgress(operation, detail or "another operation")
    if _QUOTA.search(code):
        return QuotaExceeded(code, detail=detail)
    if _EXISTS.search(code):
        return AlreadyThere(operation, detail=detail)
    if _MISSING.search(code) or (code == "ValidationError" and _NOT_FOUND_TEXT.search(detail)):
        return Missing(operation, detail=detail)
    if code == "ValidationError" and _NO_ACTION_TEXT.search(detail):
        return NoAction(operation, detail=detail)
    if _INVALID.match(code):
        return InvalidConfiguration(operation, detail=detail)
    return CloudUnavailable(operation, detail=f"{code}: {detail}")


def of_activity(description: str, missing: int) -> ProviderError:
    """Make an error of a scaling activity that failed; AWS says why in words only. `missing`: instances short."""
    if "InsufficientInstanceCapacity" in description or ("sufficient" in description and "capacity" in description):
        return InsufficientCapacity(wanted=missing, detail=description)
    if _QUOTA.search(description) or "exceeds the limit" in description or "your current" in description:
        return QuotaExceeded("EC2", detail=description)
    if "not authorized" in description or "AccessDenied" in description:
        return PermissionDenied("launch instances", detail=_SECRET_TEXT.sub("", description))
    return CloudUnavailable("launching instances", detail=_SECRET_TEXT.sub("", description))
