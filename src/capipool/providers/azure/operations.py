"""Long-running operations as a status keeps them, and what Azure says when it is asked for one. Pure.

An entry of `status.longRunningOperationStates` holds where to ask, and no secret: path and query without a host, so
that a token is never sent to where a status points. Used by pools and by single machines.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from dataclasses import dataclass, replace
from typing import Any

from capipool.machinery import codec
from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import Raw
from capipool.providers.azure import failures
from capipool.providers.azure.api.shared import PendingOperation
from capipool.providers.azure.calls import Answer
from capipool.sdk.errors import ProviderError

PUT, PATCH, POST, DELETE = "PUT", "PATCH", "POST", "DELETE"
_ENDED_WELL = ("succeeded",)
_ENDED_BADLY = ("failed", "canceled", "cancelled")
PREEMPTED = ("OperationPreempted", "Canceled", "OperationCanceled")
"""Codes of operations that a newer one took over: no failure of what is wanted now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """An operation that was begun, or, while `path` is empty, is about to be."""

    type: str
    service: str
    group: str
    name: str
    """What it works on."""
    path: str = ""
    by_location: bool = False
    wanted: int = 0
    """How many instances it was to come to."""
    revision: str = ""
    """The revision that it brings."""
    ids: tuple[str, ...] = ()
    """The instances that it is about; empty is the whole."""

    @property
    def about_all(self) -> bool:
        """Whether it changes the scale set as a whole, so that nothing else is to be asked of it meanwhile."""
        return self.type in (PUT, PATCH, DELETE)

    def begun(self, answer: Answer) -> Operation | None:
        """The same, begun; None where it is over already."""
        if not answer.operation:
            return None
        return replace(self, path=answer.operation, by_location=answer.by_location)

    def encode(self) -> PendingOperation:
        """As the status keeps it."""
        data: Raw = {
            "path": self.path,
            "location": self.by_location,
            "wanted": self.wanted,
            "revision": self.revision,
            "ids": list(self.ids),
        }
        kept = codec.encode_json({key: value for key, value in data.items() if value})
        return PendingOperation(
            type=self.type,
            service_name=self.service,
            resource_group=self.group,
            name=self.name,
            data=base64.urlsafe_b64encode(kept).decode(),
        )

    @classmethod
    def decode(cls, kept: PendingOperation) -> Operation | None:
        """Read it from a status; None for what others wrote there."""
        try:
            data = codec.decode_json(base64.urlsafe_b64decode(kept.data))
        except (binascii.Error, ValueError, BadRequest):
            return None
        if not isinstance(data, dict) or not str(data.get("path", "/")).startswith("/"):
            return None
        return cls(
            type=kept.type,
            service=kept.service_name,
            group=kept.resource_group,
            name=kept.name,
            path=str(data.get("path", "")),
            by_location=bool(data.get("location")),
            wanted=int(data.get("wanted") or 0),
            revision=str(data.get("revision", "")),
            ids=tuple(str(id) for id in data.get("ids") or ()),
        )


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an operation is."""

    running: bool
    error: ProviderError | None = None
    """Why it failed."""
    again: dt.timedelta | None = None
    """When Azure wants to be asked next."""


def read(operation: Operation, status: int, body: Raw, headers: Any) -> Progress:
    """Understand the answer to a question about an operation."""
    again = failures.retry_after(headers)
    if operation.by_location:
        return Progress(running=status == 202, again=again)
    state = str(body.get("status", "")).lower()
    if state in _ENDED_BADLY:
        error = body.get("error") or {"code": "Canceled" if state.startswith("cancel") else "Failed"}
        code = str(error.get("code"))
        if code in PREEMPTED or failures.OF_INSTANCES.match(code):
            return Progress(running=False)
        title = f"{operation.type} of {operation.name}"
        return Progress(running=False, error=failures.of_operation(title, error, wanted=max(operation.wanted, 1)))
    return Progress(running=state not in _ENDED_WELL, again=again)
