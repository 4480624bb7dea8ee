"""Runs controllers together: caches first, then workers, leader election around both, and an orderly stop.

The composition root makes one, adds every controller and background task, and awaits `run`.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Awaitable, Callable

from capipool.client.client import Client
from capipool.machinery.clock import Clock
from capipool.runtime import logs
from capipool.runtime.cache import Caches
from capipool.runtime.controller import Controller
from capipool.runtime.election import Election
from capipool.runtime.events import EventRecorder
from capipool.runtime.queue import Backoff
from capipool.runtime.reconcile import Reconciler

_log = logs.Logger("capipool.runtime.manager")

_RESTART = Backoff(first_seconds=0.5, most_seconds=60.0)
_HEALTHY_SECONDS = 60.0
"""A task that ran for so long before it failed begins its backoff anew."""


class LostLeadership(Exception):
    """Somebody else leads now: the process should end, and be started again to stand for election anew."""


class Manager:
    """What controllers share: client, caches, clock, events, chance; and their common life.

    `grace` is how long reconciles that run may take to end when the manager stops, before they are cancelled. With an
    `election`, nothing runs before it is won, and `run` raises LostLeadership when it is lost.
    """

    def __init__(
        self,
        client: Client,
        *,
        clock: Clock,
        rng: random.Random,
        caches: Caches | None = None,
        events: EventRecorder | None = None,
        election: Election | None = None,
        grace: dt.timedelta = dt.timedelta(seconds=10),
    ) -> None:
        self.client = client
        self.clock = clock
        self.rng = rng
        self.caches = caches or Caches(client, rng=rng)
        self.events = events or EventRecorder(client, clock=clock, rng=rng)
        self.started = asyncio.Event()
        """Set once the caches are synced and the workers run."""
        self._election = election
        self._grace = grace
        self._controllers: list[Controller] = []
        self._tasks: list[tuple[str, Callable[[], Awaitable[None]]]] = []
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._stopped = asyncio.Event()
        self._leading = False
        self._ran = False

    def add(self, controller: Controller) -> None:
        """Run a controller; at once where the manager runs already."""
        controller.share(self.rng)
        self._controllers.append(controller)
        if self._leading:
            self._spawn(self._start_controller(controller), f"start {controller.name}")

    def controller(self, name: str, reconciler: Reconciler, *, concurrency: int = 10) -> Controller:
        """Make a controller and add it."""
        controller = Controller(name, reconciler, concurrency=concurrency)
        self.add(controller)
        return controller

    def add_task(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        """Run a coroutine beside the controllers, until it returns; started again with backoff where it fails."""
        self._tasks.append((name, task))
        if self._leading:
            self._spawn(self._supervise(name, task), name)

    @property
    def idle(self) -> bool:
        """Whether no controller has a key that is ready or worked on."""
        return all(controller.idle for controller in self._controllers)

    async def run(self) -> None:
        """Run until `stop` is called. Raises LostLeadership. What it started has ended when it returns."""
        self._ran = True
        election = None
        try:
            if self._election is not None:
                election = asyncio.create_task(self._election.run(self._stopping), name="leader election")
                if not await self._elected(election):
                    return
            await self._start()
            await self._until_stopped(election)
        finally:
            self._stopping.set()
            await self._wind_down(election)
            self._stopped.set()

    async def stop(self) -> None:
        """Have `run` end, and wait until it has. Idempotent."""
        self._stopping.set()
        if self._ran:
            await self._stopped.wait()

    async def _elected(self, election: asyncio.Task[None]) -> bool:
        """Wait to lead. False where the manager was stopped before."""
        assert self._election is not None
        leading = asyncio.create_task(self._election.leading.wait())
        stopping = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({leading, stopping, election}, return_when=asyncio.FIRST_COMPLETED)
            return leading.done() and not self._stopping.is_set()
        finally:
            leading.cancel()
            stopping.cancel()

    async def _start(self) -> None:
        self._leading = True
        self.events.start()
        self.caches.start()
        controllers = tuple(self._controllers)
        for name, task in self._tasks:
            self._spawn(self._supervise(name, task), name)
        synced = asyncio.create_task(self._synced(controllers), name="sync")
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({synced, stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._stopping.is_set():
            synced.cancel()
            return
        synced.result()
        for controller in controllers:
            controller.start()
        self.started.set()
        _log.debug("controllers started", controllers=len(self._controllers))

    async def _synced(self, controllers: tuple[Controller, ...]) -> None:
        for controller in controllers:
            await controller.synced()
        await self.caches.synced()

    async def _start_controller(self, controller: Controller) -> None:
        await controller.synced()
        if not self._stopping.is_set():
            controller.start()

    async def _until_stopped(self, election: asyncio.Task[None] | None) -> None:
        stopping = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopping, election} if election else {stopping}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._election is not None and not self._stopping.is_set():
            self._grace = min(self._grace, self._election.head_start)
            raise LostLeadership("the lease of the leader was lost")

    async def _wind_down(self, election: asyncio.Task[None] | None) -> None:
        """Stop work first, then what work needs, and give up the lease last: nobody else may begin before."""
        self._leading = False
        await asyncio.gather(*(controller.stop(self._grace) for controller in self._controllers))
        for task in tuple(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)
        await self.events.stop()
        await self.caches.stop()
        if election is not None:
            await self._election_ended(election)

    async def _election_ended(self, election: asyncio.Task[None]) -> None:
        assert self._election is not None
        election.cancel()
        await asyncio.gather(election, return_exceptions=True)
        await self._election.release()

    def _spawn(self, coroutine: Awaitable[None], name: str) -> None:
        task = asyncio.ensure_future(coroutine)
        task.set_name(name)
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _supervise(self, name: str, task: Callable[[], Awaitable[None]]) -> None:
        failures = 0
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            try:
                await task()
                return
            except Exception as error:
                if not self._leading:  # it was told to end, and failed at that: nobody waits for it to begin anew
                    _log.warning("task failed at its end", task=name, exc_info=error)
                    return
                failures = 1 if loop.time() - began > _HEALTHY_SECONDS else failures + 1
                delay = _RESTART.delay(failures, self.rng)
                _log.error("task failed", task=name, again_in_seconds=round(delay, 1), exc_info=error)
            await asyncio.sleep(delay)
