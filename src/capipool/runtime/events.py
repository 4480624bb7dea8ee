"""Events: what happened to an object, for people who describe it. Best effort: never blocks or fails a reconcile.

Repeats become one Event with a count; an object about which too much is said is not heard for a while. Messages must
carry no secrets; what looks like a token or a private key is cut out all the same.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import OrderedDict, deque
from typing import Literal, NamedTuple

from capipool.client.client import Client
from capipool.machinery import clock as clocks
from capipool.machinery import errors, objects
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Model, Object, ObjectMeta
from capipool.machinery.resource import Resource
from capipool.runtime import logs

EventType = Literal["Normal", "Warning"]

_log = logs.Logger("capipool.runtime.events")

MESSAGE_LIMIT = 1024
"""What Kubernetes takes."""
_BURST = 25
_REFILL_SECONDS = 300.0
"""client-go's limits: so many Events at once about one object, then one more every five minutes."""
_REMEMBERED = 4096
"""Events and objects kept in mind for counting and limiting."""
_QUEUED = 1000
"""Events that wait to be written; more than that are dropped."""


class Reference(Model):
    """What an Event is about."""

    api_version: str = ""
    kind: str = ""
    name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""


class Source(Model):
    """Who says it."""

    component: str = ""


class Event(Object):
    """As much of a core Event as is written here."""

    RESOURCE = Resource("", "v1", "Event", "events")

    involved_object: Reference = Reference()
    type: str = ""
    reason: str = ""
    message: str = ""
    source: Source = Source()
    reporting_component: str = ""
    reporting_instance: str = ""
    count: int = 0
    first_timestamp: dt.datetime | None = None
    last_timestamp: dt.datetime | None = None


class _Identity(NamedTuple):
    """What makes two occurrences the same Event."""

    about: Reference
    type: str
    reason: str
    message: str


class _Written(NamedTuple):
    name: str
    times: int


class _Allowance:
    """A token bucket of one object."""

    __slots__ = ("_at", "_tokens")

    def __init__(self, now: dt.datetime) -> None:
        self._tokens = float(_BURST)
        self._at = now

    def take(self, now: dt.datetime) -> bool:
        refilled = (now - self._at).total_seconds() / _REFILL_SECONDS
        self._tokens = min(float(_BURST), self._tokens + refilled)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class EventRecorder:
    """Records Events in the background. `component` says who reports them.

    Before `start` and after `stop` they are only collected, or dropped.
    """

    def __init__(
        self, client: Client, *, clock: Clock, rng: random.Random, component: str = "capipool", instance: str = ""
    ) -> None:
        self._client = client
        self._clock = clock
        self._rng = rng
        self._component = component
        self._instance = instance or component
        self._queue: deque[tuple[_Identity, dt.datetime]] = deque()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._written: OrderedDict[_Identity, _Written] = OrderedDict()
        self._allowances: OrderedDict[str, _Allowance] = OrderedDict()
        self._task: asyncio.Task[None] | None = None

    def event(self, obj: Object, type_: EventType, reason: str, message: str) -> None:
        """Record that something happened to an object. `reason` is one CamelCase word. Never waits or raises."""
        now = clocks.to_seconds(self._clock.now())
        about = _reference(obj)
        if not self._allowed(about, now) or len(self._queue) >= _QUEUED:
            return
        self._queue.append((_Identity(about, type_, reason, logs.redact(message)[:MESSAGE_LIMIT]), now))
        self._idle.clear()
        self._wake.set()

    def start(self) -> None:
        """Begin to write, in the running event loop. Idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="events")

    async def flush(self) -> None:
        """Wait until everything recorded so far is written or given up."""
        await self._idle.wait()

    async def stop(self, timeout: dt.timedelta = dt.timedelta(seconds=2)) -> None:
        """Write what is recorded, for at most a while, and stop. Idempotent."""
        if self._task is None:
            return
        try:
            async with asyncio.timeout(timeout.total_seconds()):
                await self.flush()
        except TimeoutError:
            _log.debug("events dropped", count=len(self._queue))
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    def _allowed(self, about: Reference, now: dt.datetime) -> bool:
        identity = about.uid or f"{about.kind}/{about.namespace}/{about.name}"
        allowance = self._allowances.get(identity)
        if allowance is None:
            allowance = self._allowances[identity] = _Allowance(now)
            if len(self._allowances) > _REMEMBERED:
                self._allowances.popitem(last=False)
        return allowance.take(now)

    async def _run(self) -> None:
        while True:
            while self._queue:
                identity, at = self._queue.popleft()
                try:
                    await self._record(identity, at)
                except Exception as error:  # an Event that cannot be written is no reason to stop
                    _log.debug("event not written", reason=identity.reason, why=str(error))
            self._idle.set()
            self._wake.clear()
            await self._wake.wait()

    async def _record(self, identity: _Identity, at: dt.datetime) -> None:
        before = self._written.get(identity)
        if before is not None:
            try:
                await self._repeat(identity, before, at)
                return
            except errors.NotFound:  # Events expire
                del self._written[identity]
        await self._create(identity, at)

    async def _repeat(self, identity: _Identity, before: _Written, at: dt.datetime) -> None:
        patch = {"count": before.times + 1, "lastTimestamp": clocks.format_time(at)}
        await self._client.patch(Event, before.name, identity.about.namespace or "default", patch=patch)
        self._remember(identity, _Written(before.name, before.times + 1))

    async def _create(self, identity: _Identity, at: dt.datetime) -> None:
        about = identity.about
        name = f"{about.name[:200]}.{self._rng.getrandbits(64):016x}"
        event = objects.new(
            Event,
            metadata=ObjectMeta(name=name, namespace=about.namespace or "default"),
            involved_object=about,
            type=identity.type,
            reason=identity.reason,
            message=identity.message,
            source=Source(component=self._component),
            reporting_component=self._component,
            reporting_instance=self._instance,
            count=1,
            first_timestamp=at,
            last_timestamp=at,
        )
        await self._client.create(event)
        self._remember(identity, _Written(name, 1))

    def _remember(self, identity: _Identity, written: _Written) -> None:
        self._written[identity] = written
        self._written.move_to_end(identity)
        if len(self._written) > _REMEMBERED:
            self._written.popitem(last=False)


def _reference(obj: Object) -> Reference:
    """What an Event says it is about; without a version, so that repeats are the same Event."""
    meta = obj.metadata
    return Reference(api_version=obj.api_version, kind=obj.kind, name=meta.name, namespace=meta.namespace, uid=meta.uid)
