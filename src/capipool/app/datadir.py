"""The directory an embedded server keeps its state in: its layout, and that only one process uses it at a time."""

from __future__ import annotations

import fcntl
import os
import tempfile
from pathlib import Path


class DataDirInUse(Exception):
    """Another process serves from this directory. Stop it, or give this one a directory of its own."""

    def __init__(self, path: Path, pid: str) -> None:
        super().__init__(
            f"{path} is in use by another capipool{f' (process {pid})' if pid else ''}: "
            "stop it, or give this one a directory of its own with --data-dir"
        )


class DataDirUnusable(Exception):
    """State cannot be kept in this directory."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"state cannot be kept in {path} ({why}): name another directory with --data-dir")


class DataDir:
    """Paths inside the directory, and the lock on it, which goes with the process: safe to open after a crash."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def store(self) -> Path:
        """The SQLite file with every object of every address space."""
        return self.path / "state.db"

    @property
    def pki(self) -> Path:
        """The certificate authority and what it has signed."""
        return self.path / "pki"

    @property
    def kubeconfig(self) -> Path:
        """How an administrator reaches the management API server."""
        return self.path / "kubeconfig"

    def open(self) -> None:
        """Make the directory if need be (only its owner may enter) and take the lock.

        Raises DataDirInUse where another process has it, DataDirUnusable where the system refuses.
        """
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DataDirUnusable(self.path, error.strerror or str(error)) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            pid = os.read(lock, 32).decode().strip()
            os.close(lock)
            raise DataDirInUse(self.path, pid) from None
        os.ftruncate(lock, 0)
        os.write(lock, f"{os.getpid()}\n".encode())
        self._lock = lock

    def close(self) -> None:
        """Let the lock go. Idempotent."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all. Idempotent."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
