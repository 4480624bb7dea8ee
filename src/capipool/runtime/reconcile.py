"""The contract between the runtime and who reconciles: what is called, with what, and what the answers mean."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey


@dataclass(frozen=True, slots=True)
class Done:
    """Nothing more to do until something that is watched changes."""


@dataclass(frozen=True, slots=True)
class RequeueAfter:
    """Come again after this delay, or earlier when something that is watched changes.

    For waiting on time or on what cannot be watched (a cloud), never for retrying a failure: raise for that.
    """

    delay: dt.timedelta


Result = Done | RequeueAfter

DONE = Done()


class TerminalError(Exception):
    """A failure that trying again cannot mend: logged and counted, and not retried until something changes."""


class Reconciler(Protocol):
    """Brings one object's world from what it is to what its spec wants."""

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one object; called again whenever something relevant changed, and safe to repeat.

        Calls for one key never overlap. An exception means: try again, with exponential backoff. `Conflict` is
        retried quietly, `TerminalError` not at all. May be cancelled at any await when the process stops.
        """
        ...


class Selecting:
    """Reconciles some objects, and leaves the others to other managers. What is gone is told of in any case."""

    def __init__(
        self, inner: Reconciler, get: Callable[[ObjectKey], Object | None], selects: Callable[[Object], bool]
    ) -> None:
        self._inner = inner
        self._get = get
        self._selects = selects

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one object, if it is selected."""
        obj = self._get(key)
        if obj is not None and not self._selects(obj):
            return DONE
        return await self._inner.reconcile(key)
