"""Reading one's own writes: what a reconcile wrote, and when the caches have seen it.

Every write that a client acknowledges is noted for the reconcile whose context made it. The controller holds the key
back until the caches concerned have come that far: no reconcile decides on a world without its own writes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from capipool.client.client import Write
from capipool.machinery.resource import ObjectKey
from capipool.runtime.store import Store


class WriteLog:
    """The writes of one reconcile that caches are yet to show."""

    __slots__ = ("_gone", "_versions")

    def __init__(self) -> None:
        self._versions: dict[Store[Any], int] = {}
        self._gone: list[tuple[Store[Any], ObjectKey, Any]] = []

    def note(self, store: Store[Any], write: Write) -> None:
        """Note a write that this store will show."""
        if write.resource_version.isdecimal():
            self._versions[store] = max(self._versions.get(store, 0), int(write.resource_version))
            return
        key = ObjectKey(write.namespace if write.resource.namespaced else "", write.name)
        if (seen := store.get(key)) is not None:
            self._gone.append((store, key, seen))

    def when_seen(self, then: Callable[[], None]) -> Callable[[], None] | None:
        """Call back once every cache has seen every write. Returns how to call that off; None when nothing is open."""
        pending = _Pending(then)
        for store, version in self._versions.items():
            if not store.has_seen(version):
                pending.count += 1
                store.when_seen(version, pending.one_seen)
        for store, key, seen in self._gone:
            if store.get(key) is seen:
                pending.count += 1
                store.when_changed(key, pending.one_seen)
        return pending.call_off if pending.count else None


class _Pending:
    """Counts down what caches are yet to show."""

    def __init__(self, then: Callable[[], None]) -> None:
        self.count = 0
        self._then: Callable[[], None] | None = then

    def one_seen(self) -> None:
        self.count -= 1
        if self.count == 0 and self._then is not None:
            self._then()

    def call_off(self) -> None:
        self._then = None


_current: ContextVar[WriteLog | None] = ContextVar("writes", default=None)


def current() -> WriteLog | None:
    """The log of the reconcile that the current task belongs to; None outside of one."""
    return _current.get()


def begin() -> WriteLog:
    """Begin the log of a reconcile, in the current context."""
    log = WriteLog()
    _current.set(log)
    return log
