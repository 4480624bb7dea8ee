"""What the three commands that write have in common: the lease, retries, single writes, and the list of failures.

A run is safe to kill at any call and safe to repeat: every step looks at what is there before it writes.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeVar

from capipool.client.client import Client
from capipool.machinery import codec, errors, objects
from capipool.machinery.calls import Call
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.migrate import marks
from capipool.migrate.conversion.chain import CannotConvert
from capipool.migrate.naming import NameTaken, Renaming
from capipool.migrate.observe import Converters, Scene, Tell, scene
from capipool.migrate.source import PAGE, ClusterSource
from capipool.runtime.election import Election, Timing

T = TypeVar("T")

LEASE = "capipool-migration"
_TRANSIENT = (
    errors.Conflict,
    errors.InternalError,
    errors.ServiceUnavailable,
    errors.Timeout,
    errors.TooManyRequests,
)
_ATTEMPTS = 6
_FIRST_WAIT_SECONDS = 0.2


class Failed(Exception):
    """Some of it could not be done; the rest was. What was done stays, and the command may be given again."""

    def __init__(self, what: str, failures: Sequence[str]) -> None:
        super().__init__(f"{what}: {len(failures)} failed, the first being: {failures[0]}")
        self.what = what
        self.failures = tuple(failures)


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run goes about it."""

    namespace: str = "default"
    """Where the journal and the lease are."""
    page: int = PAGE
    concurrency: int = 8
    """Objects worked on at the same time."""
    pause_timeout: float = 60.0
    """How long controllers may take to say that they are paused, in seconds."""
    controllers_stopped: bool = False
    """Whether somebody vouches that no controller runs, so that what they said last does not count."""
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One run of a command: what it works with."""

    client: Client
    renaming: Renaming
    converters: Converters
    clock: Clock
    rng: random.Random
    settings: Settings = field(default_factory=Settings)
    tell: Tell = lambda text: None

    async def scene(self) -> Scene:
        """Read which kinds there are now."""
        source = ClusterSource(self.client, page=self.settings.page)
        return await scene(source, self.renaming, self.converters)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Hold the lease that only one run at a time can hold. Waits for that of a run that died to end.

        Raises Failed where another run is alive.
        """
        election = Election(
            self.client,
            name=LEASE,
            namespace=self.settings.namespace,
            identity=f"capipool-migrate-{self.rng.randbytes(6).hex()}",
            clock=self.clock,
            rng=self.rng,
            timing=self.settings.timing,
        )
        stopping = asyncio.Event()
        task = asyncio.create_task(election.run(stopping), name="migration lease")
        body = asyncio.current_task()
        assert body is not None
        task.add_done_callback(lambda _: None if stopping.is_set() else body.cancel("lease lost"))
        try:
            await self._leading(election)
            yield
        except asyncio.CancelledError as error:
            if task.done() and not stopping.is_set():
                body.uncancel()
                raise Failed("the lease was lost", [f"{election.leader or 'nobody'} holds it"]) from error
            raise
        finally:
            stopping.set()
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            await election.release()

    async def _leading(self, election: Election) -> None:
        patience = 2 * self.settings.timing.lease + self.settings.timing.retry
        try:
            async with asyncio.timeout(patience):
                await election.leading.wait()
        except TimeoutError:
            where = f"{self.settings.namespace}/{LEASE}"
            if not election.leader:
                why = f"{where}: is there such a namespace, and may you write there?"
                raise Failed("the lease could not be taken", [why]) from None
            raise Failed("another run is under way", [f"{election.leader} holds the lease {where}"]) from None

    async def each(
        self, source: AsyncIterator[T], work: Callable[[T], Awaitable[None]], *, doing: str, count: int = 0
    ) -> None:
        """Do something with each of a stream, some at a time. One that fails stops no other.

        Raises Failed with the list.
        """
        failures: list[str] = []
        room = asyncio.Semaphore(self.settings.concurrency)
        done = 0
        async with asyncio.TaskGroup() as tasks:
            async for item in source:
                await room.acquire()
                tasks.create_task(self._one(work, item, failures, room))
                done += 1
                self.tell(f"{doing} {done}/{count}" if count else f"{doing} {done}")
        if failures:
            raise Failed(doing, sorted(failures))

    async def _one(
        self, work: Callable[[T], Awaitable[None]], item: T, failures: list[str], room: asyncio.Semaphore
    ) -> None:
        try:
            await self._patiently(lambda: work(item))
        except errors.ApiError as error:
            failures.append(error.message)
        except Failed as error:
            failures.extend(error.failures)
        except (CannotConvert, NameTaken) as error:
            failures.append(str(error))
        finally:
            room.release()

    async def _patiently(self, work: Callable[[], Awaitable[None]]) -> None:
        """Try again what may go better: work looks at what is there, so doing it twice is doing it once."""
        wait = _FIRST_WAIT_SECONDS
        for _ in range(_ATTEMPTS - 1):
            try:
                return await work()
            except _TRANSIENT as error:
                await asyncio.sleep(error.retry_after_seconds or wait * (1 + self.rng.random()))
                wait *= 2
        return await work()

    async def read(self, resource: Resource, raw: Raw) -> Raw | None:
        """An object as it is now; None where it is gone."""
        meta = raw["metadata"]
        try:
            found = await self.client.get(resource, meta["name"], meta.get("namespace", ""))
        except errors.NotFound:
            return None
        return objects.origin(found)

    async def edit(self, resource: Resource, raw: Raw, wanted: Callable[[Raw], Raw]) -> None:
        """Change an object and mark it with how to take that back, in one write; none where it is so already."""
        patch = marks.change(raw, wanted(raw))
        if patch is not None:
            await self._pinned(resource, raw, patch, lambda now: marks.change(now, wanted(now)))

    async def restore(self, resource: Resource, raw: Raw) -> None:
        """Take back what the migration changed in an object."""
        inverse = marks.undo_of(raw)
        if inverse:
            await self._pinned(resource, raw, inverse, marks.undo_of)

    async def patch(self, resource: Resource, raw: Raw, patch: Raw, *, subresource: str = "") -> Raw:
        """Patch an object, whatever its version is by now. Returns what it is then."""
        meta = raw["metadata"]
        namespace = meta.get("namespace", "")
        made = await self.client.patch(resource, meta["name"], namespace, patch=patch, subresource=subresource)
        return objects.origin(made)

    async def _pinned(self, resource: Resource, raw: Raw, patch: Raw, again: Callable[[Raw], Raw | None]) -> None:
        """Patch the very version that was read; where that is not the newest, see what the newest needs."""
        meta = raw["metadata"]
        for _ in range(_ATTEMPTS):
            version = raw["metadata"]["resourceVersion"]
            try:
                await self.client.patch(
                    resource, meta["name"], meta.get("namespace", ""), patch=patch, resource_version=version
                )
                return
            except errors.NotFound:
                return
            except errors.Conflict as error:
                found = await self.read(resource, raw)
                needed = again(found) if found is not None else None
                if found is None or not needed:
                    return
                raw, patch, last = found, needed, error
        raise last

    async def create(self, resource: Resource, raw: Raw) -> Raw:
        """Create an object. Raises AlreadyExists."""
        call = Call(
            verb="create",
            resource=resource,
            namespace=raw["metadata"].get("namespace", ""),
            query={"fieldManager": self.client.field_manager},
            body=codec.encode_json(raw),
        )
        # Not through a typed object, for which an empty part is the same as none.
        return codec.decode_json_object((await self.client.transport.call(call)).body)
