"""The work queue of a controller: each key waits at most once, and is worked on by one worker at a time.

Knows nothing of objects, reconcilers or the API. Waiting goes through the running loop's timers.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import random
from collections import deque
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class Closed(Exception):
    """The queue was closed: there is no more work."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a key waits after it failed: `first`, then twice that, up to `most`, each a little longer by chance."""

    first_seconds: float = 0.01
    """Short, because most failures are races that are over at once."""
    most_seconds: float = 300.0
    """Five minutes: a cloud that was away for hours is noticed soon after it is back."""
    jitter: float = 0.2
    """By how much of itself a delay may grow, so that what failed together does not come back together."""

    def delay(self, failures: int, rng: random.Random) -> float:
        """Seconds to wait after this many failures in a row (at least one)."""
        doubled: float = self.first_seconds * 2.0 ** min(failures - 1, 60)
        return min(doubled, self.most_seconds) * (1 + self.jitter * rng.random())


class WorkQueue(Generic[K]):
    """First in, first out; a key added while it is worked on comes again after that, once.

    A key has at most one delayed add: the earliest asked for wins, and a run of the key settles those asked for before
    it, since the run sees all that they were to see. For one event loop, not for threads.
    """

    def __init__(self, *, rng: random.Random, backoff: Backoff | None = None, name: str = "") -> None:
        self.name = name
        self.rng = rng
        self._backoff = backoff or Backoff()
        self._ready: deque[K] = deque()
        self._added: dict[K, float] = {}
        """When each key that is ready, or waits to be worked on again, was added."""
        self._running: set[K] = set()
        self._failures: dict[K, int] = {}
        self._due: dict[K, float] = {}
        self._heap: list[tuple[float, int, K]] = []
        self._order = itertools.count()
        self._timer: asyncio.Handle | None = None
        self._armed_for = 0.0
        """When the timer rings. Not every loop's handle can tell: uvloop gives a plain one for what is due at once."""
        self._takers: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self.latency = 0.0
        """Seconds that the key taken last had been ready for."""

    def __len__(self) -> int:
        """How many keys are ready and wait for a worker."""
        return len(self._ready)

    @property
    def running(self) -> int:
        """How many keys are worked on, or held after that."""
        return len(self._running)

    @property
    def delayed(self) -> int:
        """How many keys wait for their time."""
        return len(self._due)

    def failures(self, key: K) -> int:
        """How often in a row a key has failed."""
        return self._failures.get(key, 0)

    def due_in(self, key: K) -> float | None:
        """Seconds until a key's delayed add; None where it has none."""
        due = self._due.get(key)
        return None if due is None else max(0.0, due - asyncio.get_running_loop().time())

    def add(self, key: K) -> None:
        """Make a key ready, now. No effect on a key that is ready already."""
        if self._closed or key in self._added:
            return
        self._added[key] = asyncio.get_running_loop().time()
        if key not in self._running:
            self._ready.append(key)
            self._wake()

    def add_after(self, key: K, seconds: float) -> None:
        """Make a key ready after a delay, unless it is due earlier already."""
        if seconds <= 0:
            self.add(key)
            return
        if self._closed:
            return
        due = asyncio.get_running_loop().time() + seconds
        if due < self._due.get(key, float("inf")):
            self._due[key] = due
            heapq.heappush(self._heap, (due, next(self._order), key))
            self._arm()

    def retry(self, key: K, at_least: float = 0.0) -> float:
        """Make a key that failed ready after its backoff, which grows each time. Returns the delay in seconds."""
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        delay = max(self._backoff.delay(failures, self.rng), at_least)
        self.add_after(key, delay)
        return delay

    def forget(self, key: K) -> None:
        """Begin the backoff of a key anew: it succeeded, or is given up."""
        self._failures.pop(key, None)

    async def take(self) -> K:
        """Wait for a key and begin to work on it: `done` must follow. Raises Closed."""
        while not self._ready:
            if self._closed:
                raise Closed
            taker: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._takers.append(taker)
            try:
                await taker
            except asyncio.CancelledError:
                self._pass_on(taker)
                raise
        key = self._ready.popleft()
        self._running.add(key)
        self.latency = asyncio.get_running_loop().time() - self._added.pop(key)
        self._due.pop(key, None)
        return key

    def done(self, key: K) -> None:
        """End the work on a key. It is ready at once where it was added meanwhile."""
        self._running.discard(key)
        if key in self._added and not self._closed:
            self._ready.append(key)
            self._wake()

    def close(self) -> None:
        """Give out no more work: who waits in `take` gets Closed. Idempotent."""
        self._closed = True
        self._ready.clear()
        self._added.clear()
        self._due.clear()
        self._heap.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._takers:
            self._wake()

    def _wake(self) -> None:
        """Wake the taker that has waited longest."""
        while self._takers:
            taker = self._takers.popleft()
            if not taker.done():
                taker.set_result(None)
                return

    def _pass_on(self, taker: asyncio.Future[None]) -> None:
        """A taker gave up: where it had been woken already, somebody else must take the work."""
        if taker.cancelled():
            self._takers = deque(t for t in self._takers if t is not taker)
        elif self._ready:
            self._wake()

    def _arm(self) -> None:
        """Set the one timer to the earliest delayed add."""
        if len(self._heap) > 2 * len(self._due) + 64:  # mostly settled ones: keys that run often and wait long
            self._heap = [entry for entry in self._heap if self._due.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)  # settled by a run, or overtaken by an earlier one
        if self._timer is not None:
            if self._heap and self._armed_for == self._heap[0][0]:
                return
            self._timer.cancel()
            self._timer = None
        if self._heap:
            self._armed_for = self._heap[0][0]
            self._timer = asyncio.get_running_loop().call_at(self._armed_for, self._ring)

    def _ring(self) -> None:
        """Make ready what is due."""
        self._timer = None
        now = asyncio.get_running_loop().time()
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            if self._due.get(key) == due:
                del self._due[key]
                self.add(key)
        self._arm()
