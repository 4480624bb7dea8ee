"""Keeps one store like the server: list, then watch, and go on where a watch broke.

Objects are decoded once, straight from the bytes that came. One that cannot be decoded is logged and left out; it never
stops the others. Used by `cache.Caches` alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, cast

import msgspec

from capipool.client import client as clients
from capipool.client.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.calls import Call, WatchEvent
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime import metrics
from capipool.runtime.logs import Logger
from capipool.runtime.store import Store

T = TypeVar("T", bound=Object)

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
"""The annotation of the bookmark that ends the initial events of a streaming list."""

_log = Logger("capipool.runtime.cache")


@dataclass(frozen=True, slots=True)
class Settings:
    """How patient a reflector is. All in seconds."""

    first_retry: float = 0.2
    """After the first failure; doubled with each further one."""
    last_retry: float = 30.0
    """The longest wait between two attempts."""
    absent_retry: float = 30.0
    """How often a kind that is not served is asked for, besides when its definition changes."""
    watch_timeout: float = 900.0
    """The server is asked to end a watch after this, up to twice: so that load spreads anew over several servers."""
    silence: float = 240.0
    """A watch that brings neither event nor bookmark for so long is taken for broken. Servers send bookmarks about
    once a minute."""


class Reflector(Generic[T]):
    """Follows one kind, in one namespace or in all, until it is stopped."""

    def __init__(
        self,
        *,
        client: Client,
        resource: Resource,
        cls: type[T],
        namespace: str,
        labels: str,
        store: Store[T],
        rng: random.Random,
        settings: Settings,
        lean: bool = False,
        on_absent: Callable[[Resource], None] | None = None,
    ) -> None:
        self.synced = asyncio.Event()
        """Set once what is there has been read, or is known not to be served."""
        self._client = client
        self._resource = resource
        self._cls = cls
        self._namespace = namespace
        self._selecting = {"labelSelector": labels} if labels else {}
        self._store = store
        self._rng = rng
        self._settings = settings
        self._decode = objects.decode_lean if lean else objects.decode
        self._on_absent = on_absent
        self._streaming = client.transport.initial_events
        self._version = ""
        self._failures = 0
        self._woken = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def running(self) -> bool:
        """Whether it follows, or tries to."""
        return self._task is not None and not self._task.done()

    def start(self) -> None:
        """Begin, in the running event loop. Idempotent."""
        if self._task is None:
            # In a context of its own: it outlives the reconcile that may have asked for it first.
            context = contextvars.Context()
            self._task = asyncio.create_task(self._run(), name=f"reflector {self._resource.plural}", context=context)

    async def stop(self) -> None:
        """Stop. Idempotent."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._store.release()

    def wake(self) -> None:
        """Try again now, where it waits to: something changed that may let it succeed."""
        self._woken.set()

    async def _run(self) -> None:
        while True:
            self._woken.clear()
            pause = await self._attempt()
            if pause > 0:
                await self._pause(pause)

    async def _attempt(self) -> float:
        """List where that is needed, and watch until it ends. Returns how long to wait before the next attempt."""
        try:
            if self._version or self._streaming:
                await self._watch()
            else:
                await self._list()
            return 0.0
        except errors.Expired:
            return self._begin_anew("the version is too old")
        except errors.NotFound:
            self._absent()
            return self._settings.absent_retry * (1 + 0.2 * self._rng.random())
        except errors.Timeout as error:
            if _is_ahead(error):
                return self._begin_anew("the server is behind the version last seen")
            return self._failed(error)
        except (errors.Invalid, errors.BadRequest) as error:
            self._streaming = False  # a server that knows no streaming list says so here
            return self._failed(error)
        except TimeoutError:
            return self._failed(f"nothing was heard for {self._settings.silence:.0f} s")
        except Exception as error:  # whatever a transport raises: a reflector never gives up
            return self._failed(error)

    def _begin_anew(self, why: str) -> float:
        self._version = ""
        return self._failed(f"{why}: listing again", quiet=True)

    def _failed(self, why: BaseException | str, *, quiet: bool = False) -> float:
        self._failures += 1
        metrics.METRICS.watch_restarts.add(self._resource.plural)
        delay = min(self._settings.first_retry * 2.0 ** min(self._failures - 1, 20), self._settings.last_retry)
        delay *= 1 + 0.5 * self._rng.random()
        known = isinstance(why, errors.ApiError | str)
        log = _log.debug if quiet or self._failures == 1 else _log.warning
        log(
            "watch broke",
            kind=str(self._resource.group_kind),
            why=str(why),
            failures=self._failures,
            again_in_seconds=round(delay, 1),
            **({} if known else {"exc_info": why}),
        )
        return delay

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._woken.wait()
        except TimeoutError:
            return

    def _absent(self) -> None:
        """The kind is not served (any more): nothing of it is there."""
        self._version = ""
        self._store.reset({})
        self.synced.set()
        if self._on_absent is not None:
            self._on_absent(self._resource)

    # --- listing

    async def _list(self) -> None:
        found: dict[ObjectKey, T] = {}
        version = ""
        async for page in self._client.pages(self._resource, self._namespace, query=self._selecting):
            version = page.metadata.resource_version
            for item in page.items:
                self._collect(found, bytes(item))
        self._take(found, version)

    def _take(self, found: dict[ObjectKey, T], version: str) -> None:
        self._store.reset(found)
        self._version = version
        self._store.begin_at(version)
        self._failures = 0
        self.synced.set()

    def _collect(self, found: dict[ObjectKey, T], data: bytes) -> None:
        obj = self._read(data)
        if obj is not None:
            found[obj.key] = obj

    def _read(self, data: bytes) -> T | None:
        """Decode an object; None, and a line in the log, where it cannot be."""
        try:
            obj = self._decode(self._cls, data)
        except msgspec.MsgspecError as error:
            kind = str(self._resource.group_kind)
            _log.error("object left out: it does not decode", kind=kind, object=_name(data), why=str(error))
            return None
        if not obj.kind:
            msgspec.structs.force_setattr(obj, "kind", self._resource.kind)
            msgspec.structs.force_setattr(obj, "api_version", self._resource.api_version)
        return obj

    # --- watching

    async def _watch(self) -> None:
        """Watch from the last version, or from a streaming list, until the server ends it or it breaks."""
        began = asyncio.get_running_loop().time()
        restart = self._version == ""
        initial: dict[ObjectKey, T] | None = {} if restart else None
        silence = self._settings.silence
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(silence) as watchdog, self._batches(restart) as batches:
            async for batch in batches:
                watchdog.reschedule(loop.time() + silence)
                if initial is None:
                    self._follow(batch)
                else:
                    initial = self._gather(initial, batch)
        if (
            initial is not None or loop.time() - began < 1.0
        ):  # a server that ends watches at once is not asked in a loop
            raise errors.ServiceUnavailable("the server ended the watch at once")

    def _batches(self, restart: bool) -> aclosing[Any]:
        timeout = self._settings.watch_timeout * (1 + self._rng.random())
        query = {**self._selecting, "allowWatchBookmarks": "true", "timeoutSeconds": str(round(timeout))}
        if restart:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        else:
            query["resourceVersion"] = self._version
        call = Call(verb="watch", resource=self._resource, namespace=self._namespace, query=query)
        batches: AsyncIterator[Sequence[WatchEvent]] = self._client.transport.watch(call)
        return aclosing(cast(Any, batches))

    def _gather(self, initial: dict[ObjectKey, T], batch: Sequence[WatchEvent]) -> dict[ObjectKey, T] | None:
        """Collect the initial events. Returns None once their end has come and they were taken."""
        for position, event in enumerate(batch):
            if event.type == "BOOKMARK":
                mark = _meta(event.object)
                if mark.annotations.get(INITIAL_EVENTS_END) != "true":
                    raise errors.BadRequest("the server began a watch without a streaming list")
                self._take(initial, mark.resource_version)
                self._follow(batch[position + 1 :])
                return None
            if event.type == "ERROR":
                raise clients.watch_error(event.object)
            if event.type == "DELETED":
                initial.pop(_key(event.object), None)
            else:
                self._collect(initial, event.object)
        return initial

    def _follow(self, batch: Sequence[WatchEvent]) -> None:
        """Take a batch of changes into the store, in order."""
        version = self._version
        try:
            for event in batch:
                type_, data = event
                if type_ == "ADDED" or type_ == "MODIFIED":
                    obj = self._read(data)
                    if obj is None:
                        version = self._leave_out(data) or version
                    else:
                        version = obj.metadata.resource_version
                        self._store.put(obj)
                elif type_ == "BOOKMARK":
                    version = _meta(data).resource_version
                elif type_ == "DELETED":
                    meta = _meta(data)
                    version = meta.resource_version
                    self._store.remove(ObjectKey(meta.namespace, meta.name))
                else:
                    raise clients.watch_error(data)
        finally:
            if version != self._version:
                self._version = version
                self._store.advance(version)
                self._failures = 0

    def _leave_out(self, data: bytes) -> str:
        """Drop an object that no longer decodes: better missing than stale. Returns its version where it has one."""
        try:
            meta = _meta(data)
        except msgspec.MsgspecError:
            return ""
        self._store.remove(ObjectKey(meta.namespace, meta.name))
        return meta.resource_version


def _is_ahead(error: errors.Timeout) -> bool:
    """Whether the server has not come to the version asked for: it lags behind another, or was restored from before."""
    causes = error.details.get("causes")
    return isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "ResourceVersionTooLarge" for cause in causes
    )


class _Meta(msgspec.Struct, rename="camel"):
    """Metadata, read leniently."""

    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: dict[str, str] = {}


class _OnlyMeta(msgspec.Struct):
    metadata: _Meta = msgspec.field(default_factory=_Meta)


_metas = msgspec.json.Decoder(_OnlyMeta)


def _meta(data: bytes) -> _Meta:
    return _metas.decode(data).metadata


def _key(data: bytes) -> ObjectKey:
    meta = _meta(data)
    return ObjectKey(meta.namespace, meta.name)


def _name(data: bytes) -> str:
    """What to call an object that does not decode."""
    try:
        meta = _meta(data)
    except msgspec.MsgspecError:
        return "an object without readable metadata"
    return str(ObjectKey(meta.namespace, meta.name))
