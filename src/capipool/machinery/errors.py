"""API errors as Kubernetes answers them: a `Status` object, and what went wrong field by field.

The API server raises these and its HTTP front turns them into responses; the client turns responses back into the
same classes, so a caller handles one vocabulary whether it runs in process or over the network.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, Literal

import msgspec

from capipool.machinery.resource import GroupKind, GroupResource

JSON = Any

FieldErrorType = Literal[
    "FieldValueRequired",
    "FieldValueInvalid",
    "FieldValueTypeInvalid",
    "FieldValueNotSupported",
    "FieldValueForbidden",
    "FieldValueDuplicate",
    "FieldValueTooLong",
    "FieldValueTooMany",
    "FieldValueNotFound",
    "InternalError",
]

_PROSE: dict[str, str] = {
    "FieldValueRequired": "Required value",
    "FieldValueInvalid": "Invalid value",
    "FieldValueTypeInvalid": "Invalid value",
    "FieldValueNotSupported": "Unsupported value",
    "FieldValueForbidden": "Forbidden",
    "FieldValueDuplicate": "Duplicate value",
    "FieldValueTooLong": "Too long",
    "FieldValueTooMany": "Too many",
    "FieldValueNotFound": "Not found",
    "InternalError": "Internal error",
}
_WITHOUT_VALUE = frozenset(
    {"FieldValueRequired", "FieldValueForbidden", "FieldValueTooLong", "FieldValueTooMany", "InternalError"}
)


class FieldError(msgspec.Struct, frozen=True, kw_only=True):
    """One thing wrong with one field. `path` is written as users write it: `spec.template.spec.taints[0].key`."""

    type: FieldErrorType
    path: str
    detail: str = ""
    value: JSON = None

    @property
    def message(self) -> str:
        """The sentence Kubernetes prints, without the path: `Invalid value: -1: must not be negative`."""
        head = _PROSE[self.type]
        if self.type not in _WITHOUT_VALUE:
            head = f"{head}: {_shown(self.value)}"
        return f"{head}: {self.detail}" if self.detail else head

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


def _shown(value: JSON) -> str:
    """A value as an error shows it: JSON, cut so that one error never fills a screen."""
    text = msgspec.json.encode(value).decode()
    return text if len(text) <= 256 else f"{text[:253]}..."


def required(path: str, detail: str = "") -> FieldError:
    """A field that must be set is not."""
    return FieldError(type="FieldValueRequired", path=path, detail=detail)


def invalid(path: str, value: JSON, detail: str) -> FieldError:
    """A value breaks a rule that the detail names."""
    return FieldError(type="FieldValueInvalid", path=path, value=value, detail=detail)


def forbidden(path: str, detail: str) -> FieldError:
    """A field may not be set, or may not change, here."""
    return FieldError(type="FieldValueForbidden", path=path, detail=detail)


def not_supported(path: str, value: JSON, supported: Iterable[str]) -> FieldError:
    """A value is none of an enumeration."""
    names = ", ".join(f'"{s}"' for s in supported)
    return FieldError(type="FieldValueNotSupported", path=path, value=value, detail=f"supported values: {names}")


class ApiError(Exception):
    """An API call failed; `status` is the Kubernetes `Status` object that says how. The root of all API errors."""

    code: ClassVar[int] = 500
    reason: ClassVar[str] = "InternalError"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, JSON] | None = None,
        code: int | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, JSON] = dict(details or {})
        self.http_code = self.code if code is None else code
        self.status_reason = self.reason if reason is None else reason

    @property
    def status(self) -> dict[str, JSON]:
        """The `Status` object, as it goes over the wire."""
        status: dict[str, JSON] = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.status_reason,
        }
        if self.details:
            status["details"] = self.details
        status["code"] = self.http_code
        return status

    @property
    def retry_after_seconds(self) -> float | None:
        """How long the server asks to wait, in seconds; None when it does not say."""
        value = self.details.get("retryAfterSeconds")
        return float(value) if isinstance(value, int | float) and value > 0 else None


def _about(resource: GroupResource | GroupKind, name: str) -> dict[str, JSON]:
    kind = resource.kind if isinstance(resource, GroupKind) else resource.resource
    details = {"name": name, "group": resource.group, "kind": kind}
    return {key: value for key, value in details.items() if value}


class BadRequest(ApiError):
    """The request cannot be understood: malformed JSON, wrong types, a bad selector. Do not retry."""

    code, reason = 400, "BadRequest"


class Unauthorized(ApiError):
    """No credentials, or credentials that nobody knows."""

    code, reason = 401, "Unauthorized"

    def __init__(self, message: str = "Unauthorized", **kwargs: Any) -> None:
        super().__init__(message, **kwargs)


class Forbidden(ApiError):
    """Understood and refused: by policy, by admission, or because a namespace is going away."""

    code, reason = 403, "Forbidden"

    @classmethod
    def of(cls, resource: GroupResource, name: str, why: str) -> Forbidden:
        """Refuse one object for a reason."""
        return cls(f'{resource} "{name}" is forbidden: {why}', details=_about(resource, name))


class NotFound(ApiError):
    """The object, or the kind itself, is not there. Deleting something not found counts as done."""

    code, reason = 404, "NotFound"

    @classmethod
    def of(cls, resource: GroupResource, name: str) -> NotFound:
        """An object of this name does not exist."""
        return cls(f'{resource} "{name}" not found', details=_about(resource, name))


class MethodNotAllowed(ApiError):
    """The resource exists, but not with this verb."""

    code, reason = 405, "MethodNotAllowed"


class NotAcceptable(ApiError):
    """None of the media types that the client accepts can be served."""

    code, reason = 406, "NotAcceptable"


class AlreadyExists(ApiError):
    """An object of this name exists. Read it, and adopt it if it is yours."""

    code, reason = 409, "AlreadyExists"

    @classmethod
    def of(cls, resource: GroupResource, name: str) -> AlreadyExists:
        """An object of this name exists already."""
        return cls(f'{resource} "{name}" already exists', details=_about(resource, name))


class Conflict(ApiError):
    """The object changed since it was read, or another field manager owns a field. Read again and decide again."""

    code, reason = 409, "Conflict"

    @classmethod
    def of(cls, resource: GroupResource, name: str, why: str) -> Conflict:
        """A write to this object lost a race."""
        message = f'Operation cannot be fulfilled on {resource} "{name}": {why}'
        return cls(message, details=_about(resource, name))


class Expired(ApiError):
    """The resourceVersion, or the continue token, is too old to go on from: list again."""

    code, reason = 410, "Expired"


class RequestTooLarge(ApiError):
    """The body is larger than the server takes."""

    code, reason = 413, "RequestEntityTooLarge"


class UnsupportedMediaType(ApiError):
    """The body's content type is not one this verb takes."""

    code, reason = 415, "UnsupportedMediaType"


class Invalid(ApiError):
    """The object breaks its schema or a rule of admission; `errors` says which fields and why."""

    code, reason = 422, "Invalid"

    def __init__(self, message: str, *, errors: tuple[FieldError, ...] = (), **kwargs: Any) -> None:
        super().__init__(message, **kwargs)
        self.errors = errors

    @classmethod
    def of(cls, kind: GroupKind, name: str, errors: Iterable[FieldError]) -> Invalid:
        """The object of this kind and name has these field errors (at least one)."""
        found = tuple(errors)
        text = str(found[0]) if len(found) == 1 else "[" + ", ".join(str(e) for e in found) + "]"
        causes = [{"reason": e.type, "message": e.message, "field": e.path} for e in found]
        details = {**_about(kind, name), "causes": causes}
        return cls(f'{kind} "{name}" is invalid: {text}', errors=found, details=details)


class TooManyRequests(ApiError):
    """Try again later: an eviction that a PodDisruptionBudget does not allow now, or a server under load."""

    code, reason = 429, "TooManyRequests"


class InternalError(ApiError):
    """The server failed; nothing says whether the write happened. Read again."""

    code, reason = 500, "InternalError"


class ServiceUnavailable(ApiError):
    """The server cannot be reached, or is not ready. Try again."""

    code, reason = 503, "ServiceUnavailable"


class Timeout(ApiError):
    """The call did not end in time; the write may or may not have happened. Read again."""

    code, reason = 504, "Timeout"


_VOCABULARY: tuple[type[ApiError], ...] = (
    BadRequest,
    Unauthorized,
    Forbidden,
    NotFound,
    MethodNotAllowed,
    NotAcceptable,
    AlreadyExists,
    Conflict,
    Expired,
    RequestTooLarge,
    UnsupportedMediaType,
    Invalid,
    TooManyRequests,
    InternalError,
    ServiceUnavailable,
    Timeout,
)
_BY_REASON = {cls.reason: cls for cls in _VOCABULARY} | {"Gone": Expired, "ServerTimeout": Timeout}
_BY_CODE = {cls.code: cls for cls in _VOCABULARY}


def from_status(status: Mapping[str, JSON], code: int) -> ApiError:
    """Build the typed error from a `Status` body, or from what there is of one, and the HTTP status code."""
    reason = str(status.get("reason") or "")
    cls = _BY_REASON.get(reason) or _BY_CODE.get(code, ApiError)
    details = status.get("details")
    details = details if isinstance(details, Mapping) else {}
    message = str(status.get("message") or f"the server answered {code}")
    error = cls(message, details=details, code=code, reason=reason or cls.reason)
    if isinstance(error, Invalid):
        causes = details.get("causes") or ()
        error.errors = tuple(_cause(c) for c in causes if isinstance(c, Mapping))
    return error


def _cause(cause: Mapping[str, JSON]) -> FieldError:
    reason = str(cause.get("reason", ""))
    known: Any = reason if reason in _PROSE else "FieldValueInvalid"
    return FieldError(type=known, path=str(cause.get("field", "")), detail=str(cause.get("message", "")))
