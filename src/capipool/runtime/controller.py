"""A controller: changes in caches become keys, keys become reconciles, whose answers decide when to come again.

Runs inside a `manager.Manager`. Never dies: whatever a reconciler raises is logged, counted, and retried with backoff.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from capipool.machinery import errors
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.runtime import logs, metrics, writes
from capipool.runtime.cache import Cache
from capipool.runtime.queue import Backoff, Closed, WorkQueue
from capipool.runtime.reconcile import Done, Reconciler, RequeueAfter, Result, TerminalError

T = TypeVar("T", bound=Object)

_log = logs.Logger("capipool.runtime.controller")

OWN_WRITES_LIMIT = dt.timedelta(seconds=30)
"""How long a key is held back for caches to show its own writes. Only a broken watch takes that long; to reconcile on
old data is safe (writes are guarded by resourceVersion and computed names), and better than to stand still."""


class Controller:
    """Runs one reconciler over the keys that its watches yield, each key in one worker at a time.

    `concurrency` is how many keys are worked on at once. Keys are collected from the start, and worked on once the
    manager has seen the caches synced. Without an `rng` of its own it shares its manager's.
    """

    def __init__(
        self,
        name: str,
        reconciler: Reconciler,
        *,
        concurrency: int = 10,
        rng: random.Random | None = None,
        backoff: Backoff | None = None,
        own_writes_limit: dt.timedelta = OWN_WRITES_LIMIT,
    ) -> None:
        self.name = name
        self._reconciler = reconciler
        self._concurrency = concurrency
        self._own_rng = rng is not None
        self._rng = rng or random.Random(name)
        self._own_writes_limit = own_writes_limit.total_seconds()
        self._queue: WorkQueue[ObjectKey] = WorkQueue(rng=self._rng, backoff=backoff, name=name)
        self._caches: list[Cache[Any]] = []
        self._unsubscribe: list[Callable[[], None]] = []
        self._pending: list[Callable[[], None]] = []
        self._workers: list[asyncio.Task[None]] = []
        metrics.METRICS.depths.add(self._queue)

    def watch(self, cache: Cache[T], keys: Callable[[T | None, T | None], Iterable[ObjectKey]]) -> None:
        """Reconcile the keys that a change of a cached object yields: (old, new) -> keys, none where nothing matters.

        May be called at any time, also for kinds discovered while running.
        """

        def changed(old: T | None, new: T | None) -> None:
            for key in keys(old, new):
                self._queue.add(key)

        self._caches.append(cache)
        if _loop_is_running():
            self._unsubscribe.append(cache.subscribe(changed))
        else:
            self._pending.append(lambda: self._unsubscribe.append(cache.subscribe(changed)))

    def enqueue(self, key: ObjectKey, after: dt.timedelta | None = None) -> None:
        """Reconcile a key, now or after a delay, unless it is due earlier."""
        if after is None:
            self._queue.add(key)
        else:
            self._queue.add_after(key, after.total_seconds())

    def share(self, rng: random.Random) -> None:
        """Take the manager's randomness, unless this controller was given its own."""
        if not self._own_rng:
            self._rng = self._queue.rng = rng

    @property
    def idle(self) -> bool:
        """Whether no key is ready or worked on (keys may wait for a time)."""
        return len(self._queue) == 0 and self._queue.running == 0

    async def synced(self) -> None:
        """Wait until every cache that is watched has been read once."""
        self._subscribe_pending()
        for cache in tuple(self._caches):
            await cache.synced()

    def start(self) -> None:
        """Begin to work. Called by the manager."""
        self._subscribe_pending()
        for number in range(self._concurrency):
            self._workers.append(asyncio.create_task(self._work(), name=f"{self.name} {number}"))

    async def stop(self, grace: dt.timedelta) -> None:
        """Take up no more work, let what runs end within the grace period, then cancel it. Idempotent."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        self._queue.close()
        if not self._workers:
            return
        _, late = await asyncio.wait(self._workers, timeout=grace.total_seconds())
        for worker in late:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()

    def _subscribe_pending(self) -> None:
        pending, self._pending = self._pending, []
        for subscribe in pending:
            subscribe()

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.take()
            except Closed:
                return
            metrics.METRICS.latencies.observe(self.name, self._queue.latency)
            log = writes.begin()
            try:
                await self._run(key)
            finally:
                self._release(key, log)

    async def _run(self, key: ObjectKey) -> None:
        """Reconcile one key once, and decide from the outcome when it comes again."""
        loop = asyncio.get_running_loop()
        logs.subject.set(logs.Subject(self.name, key, f"{self._rng.getrandbits(64):016x}"))
        began = loop.time()
        try:
            outcome = self._settle(key, await self._reconciler.reconcile(key))
        except asyncio.CancelledError as error:
            if _being_cancelled():
                raise
            outcome = self._failed(key, error)  # something that the reconciler waited for was cancelled, not we
        except Exception as error:
            outcome = self._failed(key, error)
        finally:
            logs.subject.set(None)
            metrics.METRICS.durations.observe(self.name, loop.time() - began)
        metrics.METRICS.reconciles.add(self.name, outcome)

    def _settle(self, key: ObjectKey, result: Result) -> str:
        self._queue.forget(key)
        if isinstance(result, RequeueAfter):
            self._queue.add_after(key, max(result.delay.total_seconds(), 0.0))
            return "requeue_after"
        if not isinstance(result, Done):
            raise TypeError(f"reconcile returned {result!r}, which is neither Done nor RequeueAfter")
        return "success"

    def _failed(self, key: ObjectKey, error: BaseException) -> str:
        """Log and count a failure, and have the key come again where that may help."""
        if _is_conflict(error):
            self._retry(key)
            _log.debug("conflict: trying again", why=str(error))
            return "requeue"
        metrics.METRICS.errors.add(self.name)
        if isinstance(error, TerminalError):
            metrics.METRICS.terminal.add(self.name)
            self._queue.forget(key)
            _log.error("reconcile failed, and is not tried again until something changes", why=str(error))
            return "error"
        delay = self._retry(key, getattr(error, "retry_after_seconds", None) or 0.0)
        if isinstance(error, errors.ApiError):
            _log.warning("reconcile failed", why=str(error), again_in_seconds=round(delay, 3))
        else:
            _log.error("reconcile failed", why=repr(error), again_in_seconds=round(delay, 3), exc_info=error)
        return "error"

    def _retry(self, key: ObjectKey, at_least: float = 0.0) -> float:
        metrics.METRICS.retries.add(self.name)
        return self._queue.retry(key, at_least)

    def _release(self, key: ObjectKey, log: writes.WriteLog) -> None:
        """Give a key free, as soon as the caches show what its reconcile wrote."""
        limit: asyncio.TimerHandle | None = None

        def free() -> None:
            if limit is not None:
                limit.cancel()
            self._queue.done(key)

        call_off = log.when_seen(free)
        if call_off is None:
            self._queue.done(key)
            return

        def overdue() -> None:
            call_off()
            _log.warning("caches do not show own writes: going on", controller=self.name, object=str(key))
            self._queue.done(key)

        limit = asyncio.get_running_loop().call_later(self._own_writes_limit, overdue)


def _is_conflict(error: BaseException) -> bool:
    if isinstance(error, BaseExceptionGroup):
        return all(_is_conflict(e) for e in error.exceptions)
    return isinstance(error, errors.Conflict)


def _being_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
