"""All objects of one resource in one address space: what is durable, what is about to be, and what changed lately."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from capipool.apiserver.store.entry import Change, Entry
from capipool.machinery.errors import Expired

Key = tuple[str, str]


class Write(NamedTuple):
    """A change on its way to the journal."""

    collection: Collection
    change: Change
    durable: asyncio.Future[None]


class Collection:
    """One resource's objects by namespace and name.

    Readers and watches see `committed` only; whoever decides about a write asks `latest`, which counts what is on its
    way to the journal as done. Only the store changes a collection.
    """

    def __init__(self, space: str, group: str, resource: str, *, floor: int, window: int) -> None:
        self.space = space
        self.group = group
        self.resource = resource
        self.committed: dict[str, dict[str, Entry]] = {}
        self.pending: dict[Key, Write] = {}
        self.last = Change("ADDED", floor, None, _NOTHING)
        """The newest change: what a watch that begins now waits behind."""
        self.floor = floor
        """Changes after this revision are all in the window."""
        self.gone = False
        """Whether the resource is no longer served: watches end."""
        self._window: deque[Change] = deque()
        self._window_size = window
        self._edge: Change | None = None
        self._names: dict[str, list[str]] = {}
        self._waiting: dict[asyncio.Future[None], None] = {}

    # -- reading what is durable

    def get(self, namespace: str, name: str) -> Entry | None:
        """A durable object."""
        objects = self.committed.get(namespace)
        return objects.get(name) if objects is not None else None

    def entries(self, namespace: str = "") -> Sequence[Entry]:
        """The durable objects of a namespace, or of all, ordered by namespace and name."""
        if namespace:
            return self._in_order(namespace)
        if len(self.committed) == 1:
            return self._in_order(next(iter(self.committed)))
        return [entry for each in sorted(self.committed) for entry in self._in_order(each)]

    def _in_order(self, namespace: str) -> list[Entry]:
        objects = self.committed.get(namespace)
        if objects is None:
            return []
        if (names := self._names.get(namespace)) is None:
            names = self._names[namespace] = sorted(objects)
        return [objects[name] for name in names]

    def count(self, namespace: str = "") -> int:
        """How many durable objects there are in a namespace, or in all."""
        if namespace:
            return len(self.committed.get(namespace, ()))
        return sum(map(len, self.committed.values()))

    def entries_at(self, revision: int, namespace: str = "") -> Sequence[Entry]:
        """The objects as they were at a revision: as they are, with later changes undone. Raises Expired if too old."""
        if revision >= self.last.revision:
            return self.entries(namespace)
        if revision < self.floor:
            raise expired(revision, self.floor)
        state = {entry.key: entry for entry in self.entries(namespace)}
        for change in reversed(self._window):
            if change.revision <= revision:
                break
            if namespace and change.after.namespace != namespace:
                continue
            if change.before is None:
                state.pop(change.after.key, None)
            else:
                state[change.before.key] = change.before
        return [state[key] for key in sorted(state)]

    # -- deciding about writes

    def latest(self, namespace: str, name: str) -> Entry | None:
        """An object as the next write finds it."""
        if self.pending and (write := self.pending.get((namespace, name))) is not None:
            return None if write.change.type == "DELETED" else write.change.after
        return self.get(namespace, name)

    def latest_entries(self, namespace: str = "") -> Iterator[Entry]:
        """All objects as the next write finds them, in no order."""
        for entry in self.entries(namespace):
            if entry.key not in self.pending:
                yield entry
        for (where, _), write in self.pending.items():
            if write.change.type != "DELETED" and (not namespace or where == namespace):
                yield write.change.after

    # -- following

    def after(self, revision: int) -> Change:
        """The change behind which a watch from this revision begins. Raises Expired when it is too old."""
        if revision >= self.last.revision:
            return self.last
        if revision < self.floor:
            raise expired(revision, self.floor)
        index = bisect_right(self._window, revision, key=lambda change: change.revision)
        if index > 0:
            return self._window[index - 1]
        start = Change("ADDED", revision, None, _NOTHING)
        start.next = self._window[0]
        return start

    def changed(self) -> asyncio.Future[None]:
        """A future that is done when there is another change, or when the collection is gone."""
        future = asyncio.get_running_loop().create_future()
        self._waiting[future] = None
        return future

    def stop_waiting(self, future: asyncio.Future[None]) -> None:
        """Whoever waited on a future of `changed` no longer does."""
        self._waiting.pop(future, None)

    @property
    def waiting(self) -> int:
        """How many wait for a change."""
        return len(self._waiting)

    def wake(self) -> None:
        """Tell everybody who waits."""
        waiting, self._waiting = self._waiting, {}
        for future in waiting:
            if not future.done():
                future.set_result(None)

    # -- what the store does

    def apply(self, change: Change) -> None:
        """Make a durable write visible."""
        entry = change.after
        objects = self.committed.get(entry.namespace)
        if objects is None:
            objects = self.committed[entry.namespace] = {}
        if change.type == "DELETED":
            del objects[entry.name]
            if not objects:
                del self.committed[entry.namespace]
            self._names.pop(entry.namespace, None)
        else:
            objects[entry.name] = entry
            if change.type == "ADDED":
                self._names.pop(entry.namespace, None)
        self.last.next = change
        self.last = change
        self._window.append(change)
        if len(self._window) > self._window_size:
            self._forget_oldest()

    def forget_change(self, change: Change) -> None:
        """Remember a change no longer, if it is the oldest that is remembered."""
        if self._window and self._window[0] is change:
            self._forget_oldest()

    def _forget_oldest(self) -> None:
        # Cutting the chain behind the edge of the window frees what only a stuck watch still holds on to; that watch
        # finds the end of its chain before the newest change, and knows.
        oldest = self._window.popleft()
        self.floor = oldest.revision
        if self._edge is not None:
            self._edge.next = None
        self._edge = oldest

    def load(self, entry: Entry) -> None:
        """Take in an object that was durable before this process began."""
        self.committed.setdefault(entry.namespace, {})[entry.name] = entry


_NOTHING = Entry(
    id=0, revision=0, namespace="", name="", data=b"", api_version="", uid="", labels={}, owners=(), deleting=False
)


def expired(revision: int, floor: int) -> Expired:
    """What a reader is told whose revision is no longer known."""
    return Expired(f"too old resource version: {revision} ({floor})")
