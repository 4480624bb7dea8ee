"""Time as an argument: nothing below the composition root asks the operating system what time it is."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Protocol

UTC = dt.UTC


class Clock(Protocol):
    """Where the time of day comes from. Waiting goes through asyncio, whose loop a test may run on virtual time."""

    def now(self) -> dt.datetime:
        """The time of day, timezone-aware, in UTC."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> dt.datetime:
        """The time of day in UTC."""
        return dt.datetime.now(UTC)  # noqa: TID251  (this is the edge that everything else gets its time from)


class LoopClock:
    """A clock that follows the running event loop's time: on a virtual loop, time of day is virtual too."""

    def __init__(self, start: dt.datetime) -> None:
        self._start = start
        self._offset: float | None = None

    def now(self) -> dt.datetime:
        """`start` plus the seconds that the loop has counted since this clock was first read inside it."""
        try:
            elapsed = asyncio.get_running_loop().time()
        except RuntimeError:
            return self._start
        if self._offset is None:
            self._offset = elapsed
        return self._start + dt.timedelta(seconds=elapsed - self._offset)


def to_seconds(moment: dt.datetime) -> dt.datetime:
    """Cut to whole seconds, the precision of Kubernetes' `Time`."""
    return moment.replace(microsecond=0)


def format_time(moment: dt.datetime) -> str:
    """A Kubernetes `Time`: RFC 3339 in UTC, whole seconds, `2026-01-02T03:04:05Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def format_micro_time(moment: dt.datetime) -> str:
    """A Kubernetes `MicroTime`, as Leases and Events carry it: always six digits of a second."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def parse_time(text: str) -> dt.datetime:
    """Read either form. Raises ValueError where it is no RFC 3339 time or has no offset."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    return moment.astimezone(UTC)
