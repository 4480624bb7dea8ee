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
        self._changed = asyncio.Event()
        self._listeners: list[Callable[[], None]] = []
        self._task: asyncio.Task[None] | None = None

    def on_change(self, listener: Callable[[], None]) -> None:
        """Call back after every change, before anybody who waits goes on."""
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

    async def until(self, satisfied: Callable[[], bool]) -> None:
        """Return once the condition holds. Raises what ended the watch, if that came first."""
        while not satisfied():
            if self._task is not None and self._task.done():
                await self._task
                raise ConnectionError(f"the watch on {self._resource.plural} ended")
            self._changed.clear()
            await self._changed.wait()

    async def _follow(self) -> None:
        try:
            # Without a resource version a watch begins with the objects there are.
            async for change in self._client.watch(self._resource, self._namespace):
                if change.object is not None:
                    self._take(change.type, change.object.key, to_raw(change.object))
        finally:
            self._changed.set()

    def _take(self, kind: str, key: ObjectKey, raw: Raw) -> None:
        if kind == "DELETED":
            self.objects.pop(key, None)
        elif kind in ("ADDED", "MODIFIED"):
            self.objects[key] = raw
        for listener in self._listeners:
            listener()
        self._changed.set()
