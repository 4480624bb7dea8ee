"""The journal on SQLite: one writer thread, one transaction a group of writes, an fsync for each before it counts.

Memory is the index, so the table needs none: an object's row is found by its number. The file is locked for this
process as long as the journal is open.
"""

from __future__ import annotations

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from capipool.apiserver.store.journal import Done, Loaded, Record

_SCHEMA = """
CREATE TABLE IF NOT EXISTS objects (
    id INTEGER PRIMARY KEY,
    revision INTEGER NOT NULL,
    space TEXT NOT NULL,
    api_group TEXT NOT NULL,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    data BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 0), revision INTEGER NOT NULL) STRICT;
INSERT OR IGNORE INTO counter VALUES (0, 0);
"""
_PUT = "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_DELETE = "DELETE FROM objects WHERE id = ?"
_COUNT = "UPDATE counter SET revision = ? WHERE id = 0"

FORMAT = 1
"""What `PRAGMA user_version` says of a file this code can read."""

_Job = tuple[Sequence[Record], Done, asyncio.AbstractEventLoop]


class SQLiteJournal:
    """A journal in one file (and its write-ahead log beside it). `fsync` makes an acknowledged write survive."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._connection: sqlite3.Connection | None = None
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def open(self) -> Loaded:
        """Open or make the file. Raises OSError where that fails, or where another process has it open."""
        try:
            connection = self._connect()
        except sqlite3.Error as error:
            raise OSError(f"cannot open {self.path}: {error}") from error
        self._connection = connection
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()
        (revision,) = connection.execute("SELECT revision FROM counter").fetchone()
        return Loaded(revision, _rows(connection))

    def _connect(self) -> sqlite3.Connection:
        self._keep_private()
        connection = sqlite3.connect(self.path, timeout=1, isolation_level=None, check_same_thread=False)
        try:
            # Alone with the file: no shared memory to keep, and a second process is told so instead of mixing in.
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            connection.execute("PRAGMA wal_autocheckpoint = 4000")
            connection.execute("PRAGMA journal_size_limit = 67108864")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version not in (0, FORMAT):
                raise sqlite3.DatabaseError(f"its format is {version}, this version of capipool reads {FORMAT}")
            connection.execute("BEGIN EXCLUSIVE")
            for statement in _SCHEMA.strip().split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {FORMAT}")
            connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _keep_private(self) -> None:
        """Secrets are in it, so only its owner may read it. What SQLite puts beside it takes its permissions over."""
        self.path.touch(mode=0o600)
        for path in (self.path, self.path.with_name(f"{self.path.name}-wal")):
            if path.exists():
                path.chmod(0o600)

    def submit(self, records: Sequence[Record], done: Done) -> None:
        """Hand a group to the writer thread."""
        self._jobs.put((records, done, asyncio.get_running_loop()))

    async def close(self) -> None:
        """Let the thread finish what it has, and close the file."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._jobs.put(None)
        await asyncio.get_running_loop().run_in_executor(None, thread.join)
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            records, done, loop = job
            error = self._commit(records)
            try:
                loop.call_soon_threadsafe(done, error)
            except RuntimeError:  # the loop is gone, and with it everybody who might have wanted to know
                return

    def _commit(self, records: Sequence[Record]) -> BaseException | None:
        """One transaction. Within a group the last word about an object is the only one that is written."""
        connection = self._connection
        assert connection is not None
        last = {record.id: record for record in records}
        puts = [record for record in last.values() if record.data is not None]
        deletes = [(record.id,) for record in last.values() if record.data is None]
        try:
            connection.execute("BEGIN")
            if puts:
                connection.executemany(_PUT, puts)
            if deletes:
                connection.executemany(_DELETE, deletes)
            connection.execute(_COUNT, (records[-1].revision,))
            connection.execute("COMMIT")
        except Exception as error:  # whatever it is, the thread lives on and the writers are told
            if connection.in_transaction:
                _roll_back(connection)
            return error
        return None


def _roll_back(connection: sqlite3.Connection) -> None:
    try:
        connection.execute("ROLLBACK")
    except sqlite3.Error:
        return  # SQLite rolls back by itself on the errors after which it cannot be asked to


def _rows(connection: sqlite3.Connection) -> Iterator[Record]:
    rows: Iterable[tuple[int, int, str, str, str, str, str, bytes]] = connection.execute(
        "SELECT id, revision, space, api_group, resource, namespace, name, data FROM objects ORDER BY id"
    )
    return map(Record._make, rows)
