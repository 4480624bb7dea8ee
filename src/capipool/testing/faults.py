"""Faults to order: a transport that fails chosen calls, to show that a reconciler mends whatever it left half-done.

    faults = FaultyTransport(inner)
    faults.fail(3, Fault.LOST_REPLY)      # the third call from now on is carried out, and its caller gets a timeout

Wrap the transport of the client under test; what looks at the outcome uses the inner one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from enum import Enum

from capipool.client.transport import Transport
from capipool.machinery import errors
from capipool.machinery.calls import Call, Reply, WatchEvent


class Fault(Enum):
    """What may go wrong with a call."""

    ERROR = "error"
    """The server fails before it does anything."""
    CONFLICT = "conflict"
    """Somebody else was faster. Nothing is done."""
    LOST_CALL = "lost call"
    """The call times out, and was not carried out."""
    LOST_REPLY = "lost reply"
    """The call times out, and was carried out all the same."""
    DEATH_BEFORE = "death before"
    """The process dies before the call: the task that makes it is cancelled, and `on_death` is told."""
    DEATH_AFTER = "death after"
    """The process dies once the call was carried out."""


class FaultyTransport:
    """Passes calls on, and fails the ones ordered. Counts calls from when `fail` or `reset` was last called."""

    def __init__(self, inner: Transport, *, counts: Callable[[Call], bool] = lambda _: True) -> None:
        self._inner = inner
        self._counts = counts
        self._ordered: dict[int, Fault] = {}
        self.calls: list[Call] = []
        """The calls that counted, those that failed included."""
        self.on_death: Callable[[], None] = lambda: None
        """Called when a fault of death strikes; calls made by a dead process never return."""
        self._dead = False

    @property
    def initial_events(self) -> bool:
        """As the inner transport says."""
        return self._inner.initial_events

    @property
    def struck(self) -> bool:
        """Whether every fault that was ordered has happened."""
        return not self._ordered

    def fail(self, number: int, fault: Fault) -> None:
        """Have the call of this number fail, counted from one, from now on."""
        self.reset()
        self._ordered[number] = fault

    def reset(self) -> None:
        """Fail nothing any more, count from zero, and be alive: a new process begins."""
        self._ordered.clear()
        self.calls.clear()
        self._dead = False

    async def call(self, call: Call) -> Reply:
        """Make a call, or fail it as ordered."""
        if self._dead:
            return await _never()
        if not self._counts(call):
            return await self._inner.call(call)
        self.calls.append(call)
        fault = self._ordered.pop(len(self.calls), None)
        if fault is None:
            return await self._inner.call(call)
        return await self._strike(call, fault)

    def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        """Follow changes; watches do not fail here."""
        return self._inner.watch(call)

    async def get_path(self, path: str) -> bytes:
        """Read a document that is no resource."""
        return await self._inner.get_path(path)

    async def close(self) -> None:
        """Close the inner transport."""
        await self._inner.close()

    async def _strike(self, call: Call, fault: Fault) -> Reply:
        match fault:
            case Fault.ERROR:
                raise errors.InternalError("fault: the server failed")
            case Fault.CONFLICT:
                raise errors.Conflict.of(call.resource.group_resource, call.name, "fault: somebody was faster")
            case Fault.LOST_CALL:
                raise errors.Timeout("fault: the call did not arrive")
            case Fault.LOST_REPLY:
                await self._carried_out(call)
                raise errors.Timeout("fault: the reply did not arrive")
            case Fault.DEATH_BEFORE:
                return await self._die()
            case Fault.DEATH_AFTER:
                await self._carried_out(call)
                return await self._die()

    async def _carried_out(self, call: Call) -> None:
        """The server answers as it may; nobody hears it."""
        try:
            await self._inner.call(call)
        except errors.ApiError:
            return

    async def _die(self) -> Reply:
        self._dead = True
        self.on_death()
        return await _never()


async def _never() -> Reply:
    """What a dead process waits for."""
    reply: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    return await reply
