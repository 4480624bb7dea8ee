"""The store: collections in address spaces, one counter of revisions, and writes in groups through a journal.

Everything here happens on the event loop, so a caller that decides and writes without awaiting in between needs no
lock. A write is queued, counts at once for the next decision, and becomes visible to readers when it is durable.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterator

from capipool.apiserver.store import entry as entries
from capipool.apiserver.store.collection import Collection, Write
from capipool.apiserver.store.entry import Change, Entry
from capipool.apiserver.store.journal import Journal, Record
from capipool.machinery.errors import InternalError, ServiceUnavailable

Observer = Callable[[Collection, Change], None]


class Store:
    """Objects of many address spaces.

    `window` is how many changes a collection remembers for watches that resume, `history_bytes` how much all of them
    together do: of many busy collections each remembers less.
    """

    def __init__(self, journal: Journal, *, window: int = 4096, history_bytes: int = 32 * 1024 * 1024) -> None:
        self._journal = journal
        self._window = window
        self._history: deque[tuple[Collection, Change]] = deque()
        self._history_bytes = 0
        self._history_limit = history_bytes
        self._spaces: dict[str, dict[tuple[str, str], Collection]] = {}
        self._observers: list[Observer] = []
        self._queue: list[Write] = []
        self._in_flight: list[Write] = []
        self._kicked = False
        self._idle: asyncio.Future[None] | None = None
        self._next = 1
        self._closed = False
        self.revision = 0
        """The newest durable revision: what a list is answered at."""

    def open(self) -> None:
        """Load what the journal holds. Raises OSError where it cannot be opened."""
        loaded = self._journal.open()
        self.revision = loaded.revision
        self._next = loaded.revision + 1
        for record in loaded.records:
            assert record.data is not None
            entry = entries.from_bytes(record.data, id=record.id, revision=record.revision)
            self.collection(record.space, record.group, record.resource).load(entry)

    async def close(self) -> None:
        """Take no more writes, wait until everything that was queued is durable, then close the journal."""
        self._closed = True
        await self.flush()
        await self._journal.close()

    async def flush(self) -> None:
        """Wait until every write so far is durable or has failed."""
        while self._queue or self._in_flight:
            if self._idle is None:
                self._idle = asyncio.get_running_loop().create_future()
            await asyncio.shield(self._idle)

    def observe(self, observer: Observer) -> None:
        """Call a function at every durable change, in order, before whoever wrote it is answered. It must not raise."""
        self._observers.append(observer)

    # -- spaces and collections

    def spaces(self) -> tuple[str, ...]:
        """Address spaces that hold or held anything."""
        return tuple(self._spaces)

    def collection(self, space: str, group: str, resource: str) -> Collection:
        """A collection, made empty where there was none."""
        collections = self._spaces.setdefault(space, {})
        found = collections.get((group, resource))
        if found is None:
            found = Collection(space, group, resource, floor=self.revision, window=self._window)
            collections[group, resource] = found
        return found

    def collections(self, space: str) -> Iterator[Collection]:
        """The collections of a space."""
        return iter(tuple(self._spaces.get(space, {}).values()))

    def drop_collection(self, collection: Collection) -> None:
        """Forget an empty collection; its watches end."""
        self._spaces.get(collection.space, {}).pop((collection.group, collection.resource), None)
        collection.gone = True
        collection.wake()

    def drop_space(self, space: str) -> None:
        """Forget the collections of a space, which must be empty."""
        for collection in self.collections(space):
            self.drop_collection(collection)
        self._spaces.pop(space, None)

    # -- writing

    def next_revision(self) -> int:
        """The revision of the write that is queued next. The object's bytes carry it, so it is needed first."""
        return self._next

    def put(self, collection: Collection, entry: Entry) -> asyncio.Future[None]:
        """Queue an object as it is to be, at `next_revision()`. The future is done when it is durable and visible.

        The future raises InternalError when the journal failed: then this write, and every one queued after it, did
        not happen.
        """
        before = collection.latest(entry.namespace, entry.name)
        return self._enqueue(collection, Change("MODIFIED" if before else "ADDED", entry.revision, before, entry))

    def delete(self, collection: Collection, last: Entry) -> asyncio.Future[None]:
        """Queue a deletion; `last` is what watches see: the object's last state at the deletion's revision."""
        before = collection.latest(last.namespace, last.name)
        assert before is not None
        return self._enqueue(collection, Change("DELETED", last.revision, before, last))

    def barrier(self, collection: Collection, entry: Entry) -> asyncio.Future[None] | None:
        """When an object that `latest` gave is durable; None when it is."""
        write = collection.pending.get(entry.key)
        return write.durable if write is not None and write.change.after is entry else None

    def _enqueue(self, collection: Collection, change: Change) -> asyncio.Future[None]:
        assert change.revision == self._next
        if self._closed:
            raise ServiceUnavailable("the server is shutting down")
        self._next += 1
        loop = asyncio.get_running_loop()
        write = Write(collection, change, loop.create_future())
        collection.pending[change.after.key] = write
        self._queue.append(write)
        if not self._kicked and not self._in_flight:
            # At the end of this turn of the loop, so that all requests that are ready now share one commit.
            self._kicked = True
            loop.call_soon(self._submit)
        return write.durable

    def _submit(self) -> None:
        self._kicked = False
        if self._in_flight or not self._queue:
            return
        self._in_flight, self._queue = self._queue, []
        self._journal.submit([_record(write) for write in self._in_flight], self._done)

    def _done(self, error: BaseException | None) -> None:
        writes, self._in_flight = self._in_flight, []
        if error is not None:
            self._fail(writes, error)
        else:
            self._commit(writes)
        if self._queue:
            self._submit()
        elif self._idle is not None:
            self._idle.set_result(None)
            self._idle = None

    def _commit(self, writes: list[Write]) -> None:
        touched: dict[Collection, None] = {}  # in their order, so that what follows repeats
        for write in writes:
            collection, change, durable = write
            collection.apply(change)
            self._remember(collection, change)
            if collection.pending[key := change.after.key] is write:
                del collection.pending[key]
            self.revision = change.revision
            for observer in self._observers:
                observer(collection, change)
            touched[collection] = None
            if not durable.done():
                durable.set_result(None)
        for collection in touched:
            collection.wake()

    def _remember(self, collection: Collection, change: Change) -> None:
        self._history.append((collection, change))
        self._history_bytes += _size(change)
        while self._history_bytes > self._history_limit and len(self._history) > 1:
            where, oldest = self._history.popleft()
            self._history_bytes -= _size(oldest)
            where.forget_change(oldest)

    def _fail(self, writes: list[Write], error: BaseException) -> None:
        """Forget a group that is not durable, and whatever was decided on top of it since."""
        writes, self._queue = [*writes, *self._queue], []
        for collection, _, durable in writes:
            collection.pending.clear()
            if not durable.done():
                durable.set_exception(InternalError(f"the write could not be made durable: {error}"))
                durable.exception()  # a caller that went away need not hear of it


def _size(change: Change) -> int:
    """About what a change takes in memory. What was before it is the end of an earlier one, or lives anyway."""
    return len(change.after.data) + 600


def _record(write: Write) -> Record:
    collection, change = write.collection, write.change
    entry = change.after
    data = None if change.type == "DELETED" else entry.data
    return Record(
        entry.id,
        change.revision,
        collection.space,
        collection.group,
        collection.resource,
        entry.namespace,
        entry.name,
        data,
    )
