"""What was acknowledged is there, whatever happens to the process; what could not be kept was not acknowledged."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import sqlite3
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import Done, MemoryJournal, Record
from capipool.apiserver.store.sqlite import SQLiteJournal
from capipool.machinery import errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, World, config

TOKEN = "a-token-for-tests"
PATH = "/api/v1/namespaces/default/configmaps"
LIVES = 6


@asynccontextmanager
async def process(database: Path) -> AsyncIterator[tuple[asyncio.subprocess.Process, str]]:
    """A server in a process of its own, and its address."""
    pipe = asyncio.subprocess.PIPE
    writer = Path(__file__).with_name("writer.py")
    server = await asyncio.create_subprocess_exec(
        sys.executable, str(writer), str(database), TOKEN, stdin=pipe, stdout=pipe
    )
    assert server.stdout is not None
    try:
        port = int(await asyncio.wait_for(server.stdout.readline(), 30))
        yield server, f"http://127.0.0.1:{port}{PATH}"
    finally:
        if server.returncode is None:
            server.kill()
        await server.communicate()


class Witness:
    """Writes as fast as it can, and remembers what it was told."""

    def __init__(self, seed: int) -> None:
        self.told: dict[str, str | None] = {}
        """What the server acknowledged last: a value, or None for a deletion."""
        self.unsure: dict[str, set[str | None]] = {}
        """What was asked and never answered: it may or may not have happened."""
        self._rng = random.Random(seed)

    async def write(self, session: aiohttp.ClientSession, url: str, life: int, worker: int) -> None:
        for turn in range(10_000):
            name = f"c-{worker}-{self._rng.randrange(5)}"
            value = None if self._rng.random() < 0.2 else f"{life}-{turn}"
            if value is None and self.told.get(name) is None:
                continue
            self.unsure.setdefault(name, set()).add(value)
            await self._ask(session, url, name, value)
            self.told[name] = value
            self.unsure[name] = set()

    async def _ask(self, session: aiohttp.ClientSession, url: str, name: str, value: str | None) -> None:
        if value is None:
            call = session.delete(f"{url}/{name}")
        elif self.told.get(name) is None:
            call = session.post(url, json=config(name, v=value))
        else:
            patch = json.dumps({"data": {"v": value}})
            headers = {"Content-Type": "application/merge-patch+json"}
            call = session.patch(f"{url}/{name}", data=patch, headers=headers)
        async with call as response:
            assert response.status in (200, 201), await response.text()

    def check(self, found: dict[str, str]) -> None:
        """Hold what the server has against what it said; what was in doubt is settled by what it has."""
        for name in self.told.keys() | self.unsure.keys() | found.keys():
            allowed = {self.told.get(name)} | self.unsure.get(name, set())
            assert found.get(name) in allowed, name
            self.told[name] = found.get(name)
            self.unsure[name] = set()


async def test_every_acknowledged_write_survives_being_killed(tmp_path: Path) -> None:
    witness, rng = Witness(seed=7), random.Random(7)
    headers = {"Authorization": f"Bearer {TOKEN}"}
    for life in range(LIVES):
        async with process(tmp_path / "state.db") as (server, url), aiohttp.ClientSession(headers=headers) as session:
            async with session.get(url) as response:
                items: list[Any] = (await response.json())["items"]
            witness.check({item["metadata"]["name"]: item["data"]["v"] for item in items})
            writers = [asyncio.ensure_future(witness.write(session, url, life, worker)) for worker in range(8)]
            await asyncio.sleep(0.2 + rng.random() * 0.3)
            server.kill()
            results = await asyncio.gather(*writers, return_exceptions=True)
            assert all(isinstance(r, aiohttp.ClientError | ConnectionError) for r in results), results
    assert len(witness.told) > 20


async def test_a_server_that_is_asked_to_stop_loses_nothing(tmp_path: Path) -> None:
    async with worlds.running(SQLiteJournal(tmp_path / "state.db")) as world:
        writes = [asyncio.ensure_future(world.create(CONFIGMAPS, config(f"c{i}"))) for i in range(100)]
        await asyncio.sleep(0)
    assert all(isinstance(r, dict) for r in await asyncio.gather(*writes))
    async with worlds.running(SQLiteJournal(tmp_path / "state.db")) as world:
        assert len(await world.names(CONFIGMAPS)) == 100


async def test_a_server_that_has_stopped_takes_no_more_writes(tmp_path: Path) -> None:
    async with worlds.running(SQLiteJournal(tmp_path / "state.db")) as world:
        await world.create(CONFIGMAPS, config("a"))
    with pytest.raises(errors.ServiceUnavailable, match="shutting down"):
        await world.create(CONFIGMAPS, config("b"))


async def test_two_servers_never_share_a_file(tmp_path: Path) -> None:
    async with worlds.running(SQLiteJournal(tmp_path / "state.db")) as world:
        second = Server(journal=SQLiteJournal(tmp_path / "state.db"), clock=world.clock, rng=random.Random())
        with pytest.raises(OSError, match="database is locked"):
            await second.start()


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("this is a diary, and not a database at all" * 100)
    server = Server(journal=SQLiteJournal(tmp_path / "state.db"), clock=worlds.HandClock(), rng=random.Random())
    with pytest.raises(OSError, match=r"cannot open .*state\.db: file is not a database"):
        await server.start()


async def test_a_full_disk_is_an_error_and_not_a_lie(tmp_path: Path) -> None:
    journal = SQLiteJournal(tmp_path / "state.db")
    async with worlds.running(journal) as world:
        kept = await world.create(CONFIGMAPS, config("kept"))
        limit_pages(journal, 40)
        results = await asyncio.gather(
            *(world.create(CONFIGMAPS, config(f"big-{i}", x="x" * 100_000)) for i in range(10)), return_exceptions=True
        )
        assert all(isinstance(r, errors.InternalError) for r in results)
        assert "database or disk is full" in str(results[0])
        assert await world.names(CONFIGMAPS) == ["kept"]
        limit_pages(journal, 100_000)
        await world.create(CONFIGMAPS, config("big-0", x="x" * 100_000))
        assert await world.names(CONFIGMAPS) == ["big-0", "kept"]
    async with worlds.running(SQLiteJournal(tmp_path / "state.db")) as world:
        assert await world.names(CONFIGMAPS) == ["big-0", "kept"]
        assert await world.get(CONFIGMAPS, "kept") == kept


def limit_pages(journal: SQLiteJournal, pages: int) -> None:
    """SQLite's own way to play a disk of that size."""
    connection = journal._connection
    assert isinstance(connection, sqlite3.Connection)
    connection.execute(f"PRAGMA max_page_count = {pages}")


class FailingJournal(MemoryJournal):
    """Fails as often as it is told to, a turn of the loop later."""

    def __init__(self) -> None:
        super().__init__()
        self.failures = 0
        self.held: list[tuple[Sequence[Record], Done]] = []
        self.hold = False

    def submit(self, records: Sequence[Record], done: Done) -> None:
        if self.hold:
            self.held.append((records, done))
        elif self.failures:
            self.failures -= 1
            asyncio.get_running_loop().call_soon(done, OSError("the disk is on fire"))
        else:
            super().submit(records, done)

    def release(self) -> None:
        self.hold = False
        held, self.held = self.held, []
        for records, done in held:
            self.submit(records, done)


@asynccontextmanager
async def failing() -> AsyncIterator[tuple[World, FailingJournal]]:
    journal = FailingJournal()
    async with worlds.running(journal) as world:
        yield world, journal


async def test_what_was_decided_upon_a_write_that_failed_fails_with_it() -> None:
    async with failing() as (world, journal):
        await world.create(CONFIGMAPS, config("a", v="1"))
        watch = world.watch(CONFIGMAPS)
        await anext(watch)
        journal.failures = 1
        first = asyncio.ensure_future(world.patch(CONFIGMAPS, "a", {"data": {"v": "2"}}))
        await asyncio.sleep(0)
        second = asyncio.ensure_future(world.patch(CONFIGMAPS, "a", {"data": {"w": "3"}}))
        results = await asyncio.gather(first, second, return_exceptions=True)
        assert all(isinstance(r, errors.InternalError) for r in results)
        assert (await world.get(CONFIGMAPS, "a"))["data"] == {"v": "1"}
        assert (await world.patch(CONFIGMAPS, "a", {"data": {"w": "4"}}))["data"] == {"v": "1", "w": "4"}
        (event,) = await anext(watch)
        assert json.loads(event.object)["data"] == {"v": "1", "w": "4"}


async def test_nobody_reads_what_is_not_durable_yet() -> None:
    async with failing() as (world, journal):
        watch = world.watch(CONFIGMAPS)
        seen = asyncio.ensure_future(anext(watch))
        journal.hold = True
        created = asyncio.ensure_future(world.create(CONFIGMAPS, config("a")))
        await world.settle()
        assert not await world.exists(CONFIGMAPS, "a")
        assert not created.done()
        assert not seen.done()
        with pytest.raises(errors.AlreadyExists):  # but whoever decides knows
            await world.create(CONFIGMAPS, config("a"))
        same = asyncio.ensure_future(world.patch(CONFIGMAPS, "a", {"metadata": {}}))
        await world.settle()
        assert not same.done()  # that it changed nothing is no reason to show what is not durable
        journal.release()
        assert await same == await created
        assert worlds.seen(await seen) == [("ADDED", "a")]


async def test_a_caller_that_gives_up_does_not_undo_its_write() -> None:
    async with failing() as (world, journal):
        journal.hold = True
        created = asyncio.ensure_future(world.create(CONFIGMAPS, config("a")))
        await world.settle()
        created.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await created
        journal.release()
        assert await world.exists(CONFIGMAPS, "a")
