"""Durability as an interface: the store hands records to a journal and is told when they will outlive the process."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple, Protocol

Done = Callable[[BaseException | None], None]


class Record(NamedTuple):
    """The state of one object after a write, or that it is gone."""

    id: int
    """The revision at which the object was created: its identity in the journal, never used twice."""
    revision: int
    space: str
    group: str
    resource: str
    namespace: str
    name: str
    data: bytes | None
    """The object as JSON; None when it was deleted."""


class Loaded(NamedTuple):
    """What a journal holds when it is opened."""

    revision: int
    """The newest revision that was ever made durable, deletions included."""
    records: Iterable[Record]
    """Every object there is, in the order of creation. Read it through before the first `submit`."""


class Journal(Protocol):
    """Keeps records. One store at a time uses a journal, from one event loop."""

    def open(self) -> Loaded:
        """Begin. May block. Raises OSError where the journal cannot be opened or another process uses it."""
        ...

    def submit(self, records: Sequence[Record], done: Done) -> None:
        """Make records durable, all of them or none, in order; then call `done` on the event loop.

        `done` gets what went wrong, in which case none of the records counts. At most one submission is under way.
        """
        ...

    async def close(self) -> None:
        """End, after what was submitted. Idempotent."""
        ...


class MemoryJournal:
    """Keeps nothing beyond the process: for tests and throw-away servers. Commits at once, without a thread."""

    def __init__(self) -> None:
        self._objects: dict[int, Record] = {}
        self._revision = 0

    def open(self) -> Loaded:
        """What an earlier store of this process left behind."""
        return Loaded(self._revision, tuple(self._objects.values()))

    def submit(self, records: Sequence[Record], done: Done) -> None:
        """Keep the records, and say so at once."""
        for record in records:
            if record.data is None:
                self._objects.pop(record.id, None)
            else:
                self._objects[record.id] = record
        self._revision = records[-1].revision
        done(None)

    async def close(self) -> None:
        """Nothing to let go of."""
