"""A queue of things to look at again, worked off by one task: the frame of every lifecycle of the server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from capipool.machinery.errors import ApiError

_log = logging.getLogger(__name__)

Item = TypeVar("Item", bound=Hashable)

_SLICE = 100
"""Items worked off before other tasks get their turn: some milliseconds of work."""
_RETRY_SECONDS = 1.0


class Worker(Generic[Item]):
    """Calls a function once for each item that was added, however often it was added meanwhile.

    `work` is synchronous and must be safe to repeat. An item for which it raises is tried again later.
    """

    def __init__(self, name: str, work: Callable[[Item], None]) -> None:
        self._name = name
        self._work = work
        self._items: dict[Item, None] = {}
        self._task: asyncio.Task[None] | None = None
        self._running = False

    def start(self) -> None:
        """Begin to work. What was added before counts."""
        self._running = True
        self._kick()

    async def stop(self) -> None:
        """End after the slice at hand."""
        self._running = False
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def add(self, item: Item) -> None:
        """Look at an item soon."""
        self._items[item] = None
        self._kick()

    def add_later(self, item: Item, seconds: float = _RETRY_SECONDS) -> None:
        """Look at an item after a while."""
        asyncio.get_running_loop().call_later(seconds, self.add, item)

    def _kick(self) -> None:
        # A task only while there is work: an idle server has nothing that waits.
        if self._running and self._items and self._task is None:
            self._task = asyncio.get_running_loop().create_task(self._run(), name=self._name)

    async def _run(self) -> None:
        while self._items and self._running:
            for _ in range(min(_SLICE, len(self._items))):
                item = next(iter(self._items))
                del self._items[item]
                self._try(item)
            await asyncio.sleep(0)
        self._task = None

    def _try(self, item: Item) -> None:
        try:
            self._work(item)
        except ApiError as error:
            _log.info("%s: %s will be tried again: %s", self._name, item, error.message)
            self.add_later(item)
        except Exception:
            _log.exception("%s: %s failed and will be tried again", self._name, item)
            self.add_later(item)
