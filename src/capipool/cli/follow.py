"""Follow a collection of objects, and wait until what is seen satisfies a condition."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Self

from capipool.client.client import Client
from capipool.machinery.objects import Raw, to_raw
from capipool.machinery.resource import ObjectKey, Resource


class Followed:
    """The objects of one collection as they are now, kept by a watch while the context is open."""

    def __init__(self, client: Client, resource: Resource, namespace: str = "") -> None:
        self.objects: dict[ObjectKey, Raw] = {}
        self._client, self._resource, self._namespace = client, resource, namespace
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call back after every change, and when the watch ends; before anybody who waits goes on."""
        self._listeners.append(listener)

    def forget(self, listener: Callable[[], None]) -> None:
        """Stop calling a listener back."""
        self._listeners.remove(listener)

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._follow())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def check(self) -> None:
        """Raise what ended the watch, if anything did."""
        if self._task is not None and self._task.done():
            self._task.result()
            raise ConnectionError(f"the watch on {self._resource.plural} ended")

    async def _follow(self) -> None:
        try:
            # Without a resource version a watch begins with the objects there are.
            async for change in self._client.watch(self._resource, self._namespace):
                if change.object is not None:
                    self._take(change.type, change.object.key, to_raw(change.object))
        finally:
            self._tell()

    def _take(self, kind: str, key: ObjectKey, raw: Raw) -> None:
        if kind == "DELETED":
            self.objects.pop(key, None)
        elif kind in ("ADDED", "MODIFIED"):
            self.objects[key] = raw
        self._tell()

    def _tell(self) -> None:
        for listener in tuple(self._listeners):
            listener()


async def until(satisfied: Callable[[], bool], *followed: Followed) -> None:
    """Return once a condition on what is followed holds. Raises what ended a watch, if that came first."""
    changed = asyncio.Event()
    for collection in followed:
        collection.on_change(changed.set)
    try:
        while not satisfied():
            for collection in followed:
                collection.check()
            await changed.wait()
            changed.clear()
    finally:
        for collection in followed:
            collection.forget(changed.set)
