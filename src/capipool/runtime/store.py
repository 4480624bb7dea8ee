"""What a cache holds: objects by key, indexes that follow them, and who is told of changes. No I/O, no waiting.

The reflector feeds it; `cache.Cache` is what others see of it. One event must stay cheap, since most are heartbeats
that nobody acts on: indexes are touched only where their values change.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.runtime.logs import Logger

T = TypeVar("T", bound=Object)
Subscriber = Callable[[T | None, T | None], None]

_log = Logger("capipool.runtime.cache")


class Index(Generic[T]):
    """Keys by a value that a function reads from objects. An object may have several values, or none."""

    __slots__ = ("_keys", "name", "values")

    def __init__(self, name: str, values: Callable[[T], Iterable[str]]) -> None:
        self.name = name
        self.values = values
        # Most values are unique (a providerID, a node's name): one key is kept bare, several in a dict, which has the
        # order in which they came.
        self._keys: dict[str, ObjectKey | dict[ObjectKey, None]] = {}

    def keys(self, value: str) -> Iterable[ObjectKey]:
        """The keys under a value, in the order in which they came."""
        found = self._keys.get(value)
        if found is None:
            return ()
        return found if isinstance(found, dict) else (found,)

    def move(self, key: ObjectKey, old: T | None, new: T | None) -> None:
        """Follow an object that changed."""
        before = tuple(self._read(old)) if old is not None else ()
        after = tuple(self._read(new)) if new is not None else ()
        if before == after:
            return
        for value in before:
            if value not in after:
                self._remove(value, key)
        for value in after:
            if value not in before:
                self._insert(value, key)

    def _read(self, obj: T) -> Iterable[str]:
        try:
            return self.values(obj)
        except Exception as error:  # an index must not take the cache down with it
            _log.error("index failed", index=self.name, object=str(obj.key), exc_info=error)
            return ()

    def _insert(self, value: str, key: ObjectKey) -> None:
        found = self._keys.get(value)
        if found is None:
            self._keys[value] = key
        elif isinstance(found, dict):
            found[key] = None
        elif found != key:
            self._keys[value] = {found: None, key: None}

    def _remove(self, value: str, key: ObjectKey) -> None:
        found = self._keys.get(value)
        if isinstance(found, dict):
            found.pop(key, None)
            if not found:
                del self._keys[value]
        elif found == key:
            del self._keys[value]


class Store(Generic[T]):
    """The objects of one kind as last seen, in one place, changed only by `put`, `remove` and `reset`."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._spaces: dict[str, dict[str, T]] = {}
        self._indexes: dict[str, Index[T]] = {}
        self._subscribers: tuple[Subscriber[T], ...] = ()
        self._version = 0
        """The highest resourceVersion seen: all writes up to it are."""
        self._waiting: list[tuple[int, int, Callable[[], None]]] = []
        self._leaving: dict[ObjectKey, list[Callable[[], None]]] = {}
        self._order = itertools.count()

    def __len__(self) -> int:
        return sum(len(space) for space in self._spaces.values())

    # --- reading

    def get(self, key: ObjectKey) -> T | None:
        """One object, or None."""
        space = self._spaces.get(key[0])
        return None if space is None else space.get(key[1])

    def all(self, namespace: str | None = None) -> Iterator[T]:
        """The objects of one namespace, or of all. Do not change the store while going through them."""
        if namespace is not None:
            yield from self._spaces.get(namespace, {}).values()
            return
        for space in self._spaces.values():
            yield from space.values()

    def by(self, index: str, value: str) -> list[T]:
        """The objects under a value of an index. Raises KeyError for an index that was not added."""
        found = (self.get(key) for key in self._indexes[index].keys(value))
        return [obj for obj in found if obj is not None]

    # --- following

    def has_index(self, name: str) -> bool:
        """Whether an index of this name was added."""
        return name in self._indexes

    def add_index(self, name: str, values: Callable[[T], Iterable[str]]) -> None:
        """Keep an index from now on, over the objects there are too. Adding the same again has no effect.

        Raises ValueError where another function has the name already: who came second would read the first's values.
        """
        kept = self._indexes.get(name)
        if kept is not None:
            if kept.values != values:
                taken, other = _named(kept.values), _named(values)
                raise ValueError(
                    f"{self.name}: index {name!r} is by {taken} already; the one by {other} needs another name"
                )
            return
        index = Index(name, values)
        for obj in self.all():
            index.move(obj.key, None, obj)
        self._indexes[name] = index

    def subscribe(self, subscriber: Subscriber[T]) -> Callable[[], None]:
        """Tell of each change as (old, new), and of the objects there are as (None, object). Returns how to stop."""
        for obj in list(self.all()):
            self._tell(subscriber, None, obj)
        self._subscribers = (*self._subscribers, subscriber)

        def unsubscribe() -> None:
            self._subscribers = tuple(s for s in self._subscribers if s is not subscriber)

        return unsubscribe

    def has_seen(self, version: int) -> bool:
        """Whether all writes up to a resourceVersion have come in."""
        return self._version >= version

    def when_seen(self, version: int, then: Callable[[], None]) -> None:
        """Call back once all writes up to a resourceVersion have come in; at once where they have."""
        if self._version >= version:
            then()
        else:
            heapq.heappush(self._waiting, (version, next(self._order), then))

    def when_changed(self, key: ObjectKey, then: Callable[[], None]) -> None:
        """Call back once an object is gone, or is another than now: for a deletion, whose reply has no version."""
        self._leaving.setdefault(key, []).append(then)

    def release(self) -> None:
        """Nothing will come in any more: let go on who waits for it."""
        waiting, self._waiting = self._waiting, []
        leaving, self._leaving = self._leaving, {}
        for _, _, then in waiting:
            then()
        for thens in leaving.values():
            for then in thens:
                then()

    # --- changing

    def put(self, obj: T) -> None:
        """Take an object as it is now."""
        meta = obj.metadata
        space = self._spaces.get(meta.namespace)
        if space is None:
            space = self._spaces[meta.namespace] = {}
        old = space.get(meta.name)
        space[meta.name] = obj
        self._changed(ObjectKey(meta.namespace, meta.name), old, obj)

    def remove(self, key: ObjectKey) -> None:
        """An object is gone. No effect where it was not there."""
        space = self._spaces.get(key.namespace)
        old = None if space is None else space.pop(key.name, None)
        if space is not None and not space:
            del self._spaces[key.namespace]
        if old is not None:
            self._changed(key, old, None)

    def reset(self, objects: Mapping[ObjectKey, T]) -> None:
        """Take a whole list: what is not in it is gone, what has not changed is not told of."""
        for key in [obj.key for obj in self.all() if obj.key not in objects]:
            self.remove(key)
        for key, obj in objects.items():
            old = self.get(key)
            if old is None or not _same(old, obj):
                self.put(obj)

    def advance(self, resource_version: str) -> None:
        """All writes up to here are in: let go on who waits for them."""
        if not resource_version.isdecimal():
            return
        self._version = max(self._version, int(resource_version))
        while self._waiting and self._waiting[0][0] <= self._version:
            heapq.heappop(self._waiting)[2]()

    def begin_at(self, resource_version: str) -> None:
        """A list was taken at this version, which is an earlier one where the server was restored from before."""
        if resource_version.isdecimal() and int(resource_version) < self._version:
            self._version = int(resource_version)
            self.release()  # what was waited for may never come
        else:
            self.advance(resource_version)

    def _changed(self, key: ObjectKey, old: T | None, new: T | None) -> None:
        for index in self._indexes.values():
            index.move(key, old, new)
        for subscriber in self._subscribers:
            self._tell(subscriber, old, new)
        if self._leaving:
            for then in self._leaving.pop(key, ()):
                then()

    def _tell(self, subscriber: Subscriber[T], old: T | None, new: T | None) -> None:
        try:
            subscriber(old, new)
        except Exception as error:  # one subscriber's failure is not the others'
            obj = new or old
            _log.error("subscriber failed", kind=self.name, object=str(obj.key) if obj else "", exc_info=error)


def _named(values: Callable[..., object]) -> str:
    """A function, for people."""
    return f"{getattr(values, '__module__', '?')}.{getattr(values, '__qualname__', repr(values))}"


def _same(old: Object, new: Object) -> bool:
    """Whether two readings are of one version of one object."""
    return old.metadata.resource_version == new.metadata.resource_version and old.metadata.uid == new.metadata.uid != ""
