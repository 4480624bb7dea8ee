"""What AWS answers when it does not do as asked, in the words of `sdk.errors`. Pure but for the library's classes.

Codes are compared, never texts, except where AWS has one code for many things (`ValidationError`).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from urllib.parse import urlsplit

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


class BadCredentials(PermissionDenied):
    """AWS does not know who calls: there are no keys, or they are wrong or over. No policy mends that; others may."""

    reason = "CredentialsInvalid"
    delay = dt.timedelta(minutes=1)

    def __init__(self, operation: str, *, detail: str) -> None:
        ProviderError.__init__(self, f"AWS cannot be asked to {operation}: {detail}")
        self.action = operation


_THROTTLED = {
    *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
    *("EC2ThrottledException", "RequestLimitExceeded", "TooManyRequestsException", "PriorRequestNotComplete"),
    "SlowDown",
}
_DENIED = {
    *("AccessDenied", "AccessDeniedException", "UnauthorizedOperation", "AuthFailure", "AuthorizationError"),
    *("Forbidden", "403", "NotAuthorized", "UnauthorizedAccess", "OptInRequired", "Blocked", "PendingVerification"),
}
_OVER = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "RequestTimeTooSkewed", "TokenRefreshRequired"}
"""What AWS answers to keys that are good no more, or to a clock that is wrong."""
_UNKNOWN_KEYS = {
    *("InvalidClientTokenId", "InvalidAccessKeyId", "UnrecognizedClientException", "InvalidToken"),
    *("SignatureDoesNotMatch", "InvalidSignatureException", "IncompleteSignature", "IncompleteSignatureException"),
    *("MissingAuthenticationToken", "MissingAuthenticationTokenException"),
}
_KEYS_TEXT = re.compile(r"credential|signature|access key", re.IGNORECASE)
"""Tells `AuthFailure` of keys from that of an image one may not use."""
_CAPACITY = {
    *("InsufficientInstanceCapacity", "InsufficientHostCapacity", "InsufficientCapacity", "Unsupported"),
    *("InsufficientReservedInstanceCapacity", "ReservationCapacityExceeded", "SpotMaxPriceTooLow"),
    *("InsufficientFreeAddressesInSubnet", "InsufficientAddressCapacity"),
}
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
_INVALID = re.compile(r"^(Invalid|Missing|Malformed|Validation|Unknown|Unsupported|IncorrectInstance)")
_NOT_FOUND_TEXT = re.compile(r"not found|does not exist", re.IGNORECASE)
_NO_ACTION_TEXT = re.compile(r"No active Lifecycle Action", re.IGNORECASE)
_NOT_ALLOWED_TEXT = re.compile(r"not authorized|access denied", re.IGNORECASE)
_NO_KEYS = {
    *("NoCredentialsError", "PartialCredentialsError", "CredentialRetrievalError", "TokenRetrievalError"),
    *("SSOTokenLoadError", "UnauthorizedSSOTokenError", "ProfileNotFound", "InfiniteLoopConfigError"),
    *("RefreshWithMFAUnsupportedError", "LoginError", "LoginRefreshRequired", "LoginTokenLoadError"),
}
"""What the library raises before any call, where it finds nothing to sign with."""
_SECRET_TEXT = re.compile(
    r"\s*(Encoded authorization failure message:|The Canonical String for this request).*", re.DOTALL
)


def translate(operation: str, error: Exception) -> ProviderError:
    """Make a typed error of whatever the library raised."""
    answer: Any = getattr(error, "response", None)
    if not isinstance(answer, dict) or "Error" not in answer:
        return _of_library(operation, error)
    code = str(answer["Error"].get("Code", ""))
    detail = _SECRET_TEXT.sub("", str(answer["Error"].get("Message", "")))
    return by_code(operation, code, detail)


def _of_library(operation: str, error: Exception) -> ProviderError:
    """What the library says before there is an answer. Its texts may quote parameters, and are not shown."""
    name, facts = type(error).__name__, getattr(error, "kwargs", None) or {}
    if name in _NO_KEYS:
        return BadCredentials(
            operation, detail=f"no credentials of AWS are found ({name}): give a role, a profile, or keys"
        )
    if name == "InvalidRegionError":
        return InvalidConfiguration("spec.region", detail="is not the name of a region", value=facts.get("region_name"))
    if name == "ParamValidationError":
        those = re.findall(r"parameter (?:in )?([A-Z][\w.\[\]]*)", str(facts.get("report")))
        said = "AWS's library does not take " + (", ".join(dict.fromkeys(those)) or "a parameter")
        return InvalidConfiguration(operation, detail=said)
    where = urlsplit(str(facts.get("endpoint_url") or ""))
    about = (
        f" at {where.scheme}://{where.hostname}" + (f":{where.port}" if where.port else "") if where.hostname else ""
    )
    return CloudUnavailable(operation, detail=f"no answer ({name}){about}")


def by_code(operation: str, code: str, detail: str) -> ProviderError:
    """Translate an answer by its code. `detail` is AWS's message, shown to people."""
    if code in _THROTTLED:
        return Throttled(operation)
    if code in _OVER:
        return BadCredentials(operation, detail=f"the credentials in use are over, or the clock is wrong: {detail}")
    if code in _UNKNOWN_KEYS or (code == "AuthFailure" and _KEYS_TEXT.search(detail)):
        return BadCredentials(operation, detail=f"it does not take the credentials in use: {detail}")
    if code in _DENIED or (code == "ValidationError" and _NOT_ALLOWED_TEXT.search(detail)):
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
