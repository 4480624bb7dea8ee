"""Virtual time: an asyncio event loop whose clock jumps to the next timer when there is nothing else to do.

Tests of hours of waiting run in milliseconds, and run the same each time. Nothing may really wait on such a loop: what
neither a timer nor a ready socket will ever wake is reported as stuck instead of hanging the test.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import selectors
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from typing import Any, TypeVar

from capipool.machinery.clock import LoopClock

R = TypeVar("R")

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
"""The time of day at which virtual time begins, unless a test says otherwise."""

_REAL_LIMIT_SECONDS = 20.0
"""How long work in threads may really take before a test is called stuck."""


class Stuck(RuntimeError):
    """Everything waits for what will never come: no timer is set, and nothing is ready."""


class TimeRanOut(AssertionError):
    """The test did not end within the virtual time it was given."""


class _JumpingSelector(selectors.BaseSelector):
    """Sees what is ready, and lets time jump instead of waiting."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._real = selectors.DefaultSelector()
        self._loop = loop

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if self._loop.threads:
            return self._wait_for_threads()
        if timeout is None:
            raise Stuck("nothing is ready and no timer is set: the test waits for what will never come")
        self._loop.jump(timeout)
        return []

    def _wait_for_threads(self) -> list[tuple[selectors.SelectorKey, int]]:
        """Work in threads takes real time and no virtual time."""
        ready = self._real.select(_REAL_LIMIT_SECONDS)
        if not ready:
            raise Stuck(f"work in a thread took more than {_REAL_LIMIT_SECONDS:.0f} s")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on virtual time, which begins at zero."""

    def __init__(self) -> None:
        self._virtual = 0.0
        self._limit: float | None = None
        self.threads = 0
        """Pieces of work that threads are busy with."""
        super().__init__(_JumpingSelector(self))

    def time(self) -> float:
        """Virtual seconds since the loop was made."""
        return self._virtual

    def jump(self, seconds: float) -> None:
        """Let virtual time pass. Raises TimeRanOut beyond the limit of the run."""
        self._virtual += seconds
        if self._limit is not None and self._virtual > self._limit:
            limit, self._limit = self._limit, None  # so that cancelled tasks can still clean up
            raise TimeRanOut(f"not done after {dt.timedelta(seconds=limit)} of virtual time")

    def limit(self, seconds: float) -> None:
        """Allow so much virtual time from now on."""
        self._limit = self._virtual + seconds

    def run_in_executor(  # type: ignore[override]
        self, executor: Executor | None, func: Callable[..., R], *args: Any
    ) -> asyncio.Future[R]:
        """Run in a thread; virtual time stands still until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self.threads += 1
        future.add_done_callback(self._thread_done)
        return future

    async def shutdown_default_executor(self, *args: Any) -> None:
        """Wait for threads to end, which they tell from a thread of their own."""
        self.threads += 1
        try:
            await super().shutdown_default_executor(*args)
        finally:
            self.threads -= 1

    def _thread_done(self, _: Any) -> None:
        self.threads -= 1


def run(coroutine: Coroutine[Any, Any, R], *, limit: dt.timedelta | float = dt.timedelta(days=1)) -> R:
    """Run a coroutine on a virtual loop of its own, for at most `limit` (a number means seconds) of virtual time.

    Raises TimeRanOut after that, Stuck where nothing can ever happen any more, and what the coroutine raises. Tasks
    that it leaves behind are cancelled.
    """
    seconds = limit.total_seconds() if isinstance(limit, dt.timedelta) else float(limit)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, VirtualLoop)
        loop.limit(seconds)
        return runner.run(coroutine)


def clock(start: dt.datetime = START) -> LoopClock:
    """The time of day on a virtual loop."""
    return LoopClock(start)


async def settle(rounds: int = 50) -> None:
    """Let everything that is ready run, without any time passing."""
    for _ in range(rounds):
        await asyncio.sleep(0)
