"""Events are forgotten after an hour, so that they never fill the store.

No event carries a time for this: what was last written before the revision of an hour ago is old.
"""

from __future__ import annotations

import asyncio
from collections import deque

from capipool.apiserver.context import Context
from capipool.apiserver.lifecycle import internal
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Change
from capipool.machinery.resource import GroupResource

EVENTS = GroupResource("", "events")
_STEPS = 12


class EventExpiry:
    """Deletes events that nobody wrote for as long as the settings say; sleeps while there are none."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._interval = context.settings.event_ttl.total_seconds() / _STEPS
        self._marks: deque[int] = deque(maxlen=_STEPS)
        """The store's revision at the last so many steps."""
        self._timer: asyncio.TimerHandle | None = None
        self._running = False
        context.store.observe(self._observe)

    def start(self) -> None:
        """Begin to count. Events of an earlier process begin their time anew."""
        self._running = True
        if any(self._context.store.collection(space, *EVENTS).count() for space in self._context.store.spaces()):
            self._wait()

    async def stop(self) -> None:
        """Count no more."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _observe(self, collection: Collection, change: Change) -> None:
        if self._timer is None and self._running and (collection.group, collection.resource) == EVENTS:
            self._wait()

    def _wait(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._step)

    def _step(self) -> None:
        self._timer = None
        left = False
        horizon = self._marks[0] if len(self._marks) == _STEPS else 0
        for space in self._context.store.spaces():
            collection = self._context.store.collection(space, *EVENTS)
            for entry in tuple(collection.latest_entries()):
                if entry.revision > horizon:
                    left = True
                else:
                    internal.delete(self._context, collection, entry)
        self._marks.append(self._context.store.revision)
        if left and self._running:
            self._wait()
        elif not left:
            self._marks.clear()
