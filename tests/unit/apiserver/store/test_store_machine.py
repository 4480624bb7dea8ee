"""The store against a model of it: whatever is done in whatever order, readers, watches and restarts agree."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import hypothesis.strategies as st
import msgspec
from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from capipool.apiserver.store import entry as entries
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Change, Entry
from capipool.apiserver.store.journal import Done, MemoryJournal, Record
from capipool.apiserver.store.store import Store
from capipool.machinery.errors import Expired, InternalError

WINDOW = 5
names = st.sampled_from(["a", "b", "c"])
State = dict[str, int]
"""Which objects there are, each by the revision at which it was last written."""


class SlowJournal(MemoryJournal):
    """Keeps a group waiting until the machine says how it went."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: tuple[Sequence[Record], Done] | None = None

    def reborn(self) -> SlowJournal:
        """What the next process finds. The old one may go on for a while; nobody hears it."""
        found = SlowJournal()
        found._objects, found._revision = dict(self._objects), self._revision
        return found

    def submit(self, records: Sequence[Record], done: Done) -> None:
        assert self.waiting is None, "one group at a time"
        self.waiting = (records, done)

    def finish(self, error: Exception | None) -> None:
        waiting, self.waiting = self.waiting, None
        assert waiting is not None
        if error is None:
            super().submit(*waiting)
        else:
            waiting[1](error)


class Machine(RuleBasedStateMachine):
    """Puts and deletions, commits that succeed or fail, watches that resume, and restarts."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.journal = SlowJournal()
        self.begin()
        self.durable: State = {}
        self.latest: State = {}
        self.queued: list[tuple[int, State]] = []
        """Writes that are not durable, in order, with the state after each."""
        self.futures: list[tuple[int, asyncio.Future[None]]] = []
        self.history: list[tuple[int, State]] = [(0, {})]
        """Every durable state that a reader could have seen, with its revision."""
        self.failed: set[int] = set()

    def begin(self) -> None:
        self.store = Store(self.journal, window=WINDOW)
        self.store.open()
        self.positions: list[tuple[Change, State]] = []
        self.started_at = self.store.revision

    @property
    def collection(self) -> Collection:
        return self.store.collection("", "", "things")

    def entry(self, name: str, before: Entry | None) -> Entry:
        revision = self.store.next_revision()
        raw: dict[str, Any] = {"apiVersion": "v1", "metadata": {"name": name, "uid": name, "rv": str(revision)}}
        made = before.id if before is not None else revision
        return entries.from_raw(raw, msgspec.json.encode(raw), id=made, revision=revision)

    @rule(name=names)
    def put(self, name: str) -> None:
        async def write() -> asyncio.Future[None]:
            return self.store.put(self.collection, entry)

        entry = self.entry(name, self.collection.latest("", name))
        self.latest = {**self.latest, name: entry.revision}
        self._written(entry.revision, self.loop.run_until_complete(write()))

    @rule(name=names)
    def delete(self, name: str) -> None:
        async def write() -> asyncio.Future[None]:
            return self.store.delete(self.collection, last)

        before = self.collection.latest("", name)
        if before is None:
            assert name not in self.latest
            return
        last = self.entry(name, before)
        self.latest = {k: v for k, v in self.latest.items() if k != name}
        self._written(last.revision, self.loop.run_until_complete(write()))

    def _written(self, revision: int, durable: asyncio.Future[None]) -> None:
        self.queued.append((revision, self.latest))
        self.futures.append((revision, durable))

    @rule()
    def hand_over(self) -> None:
        """Let the loop go round, so that a group goes to the journal if none is there."""
        self.loop.run_until_complete(asyncio.sleep(0))

    @precondition(lambda self: self.journal.waiting is not None)
    @rule()
    def commit(self) -> None:
        assert self.journal.waiting is not None
        size = len(self.journal.waiting[0])
        done, self.queued = self.queued[:size], self.queued[size:]
        self.journal.finish(None)
        self.history += done
        self.durable = done[-1][1]

    @precondition(lambda self: self.journal.waiting is not None)
    @rule()
    def fail(self) -> None:
        lost, self.queued = self.queued, []
        self.journal.finish(OSError("no"))
        self.failed |= {revision for revision, _ in lost}
        self.latest = self.durable

    @rule()
    def begin_to_watch(self) -> None:
        self.positions.append((self.collection.last, dict(self.durable)))

    @rule(back=st.integers(0, 2 * WINDOW))
    def resume(self, back: int) -> None:
        revision, state = self.history[max(0, len(self.history) - 1 - back)]
        later = [r for r, _ in self.history if r > revision]
        try:
            position = self.collection.after(revision)
        except Expired:
            assert len(later) > WINDOW or revision < self.started_at
            return
        assert len(later) <= WINDOW or revision >= self.collection.floor
        self.positions.append((position, dict(state)))

    @rule()
    def follow(self) -> None:
        """Everybody who watches comes to the durable state, or knows that it missed something."""
        followed = []
        for start, before in self.positions:
            position, state = start, dict(before)
            while position.next is not None:
                position = position.next
                if position.type == "DELETED":
                    del state[position.after.name]
                else:
                    assert (position.type == "ADDED") is (position.after.name not in state)
                    state[position.after.name] = position.revision
            if position is self.collection.last:
                assert state == self.durable
                followed.append((position, state))
            else:
                assert start.revision < self.collection.floor
        self.positions = followed

    @rule(back=st.integers(0, 2 * WINDOW))
    def read_the_past(self, back: int) -> None:
        revision, state = self.history[max(0, len(self.history) - 1 - back)]
        try:
            found = self.collection.entries_at(revision)
        except Expired:
            assert revision < self.collection.floor
            return
        assert {e.name: e.revision for e in found} == state
        assert [e.name for e in found] == sorted(state)

    @rule()
    def restart(self) -> None:
        """The process dies: what was not durable never was."""
        self.journal = self.journal.reborn()
        self.queued = []
        self.latest = self.durable
        newest = self.history[-1][0]
        self.begin()
        assert self.store.revision == newest
        assert self.store.next_revision() == newest + 1
        # Revisions that were given out and never became durable are given out again: nobody ever saw them.
        self.failed = set()
        self.futures = []

    @invariant()
    def readers_see_what_is_durable(self) -> None:
        assert {e.name: e.revision for e in self.collection.entries()} == self.durable
        assert self.collection.count() == len(self.durable)
        assert self.store.revision == self.history[-1][0]

    @invariant()
    def deciders_see_what_will_be(self) -> None:
        assert {e.name: e.revision for e in self.collection.latest_entries()} == self.latest

    @invariant()
    def acknowledged_means_durable(self) -> None:
        durable = {revision for revision, _ in self.history}
        for revision, future in self.futures:
            if future.done() and future.exception() is None:
                assert revision in durable
            elif future.done():
                assert isinstance(future.exception(), InternalError)
                assert revision in self.failed
            else:
                assert revision not in durable

    def teardown(self) -> None:
        self.loop.run_until_complete(asyncio.sleep(0))
        self.loop.close()


TestStore = Machine.TestCase
TestStore.settings = settings(max_examples=150, stateful_step_count=60, deadline=None)
