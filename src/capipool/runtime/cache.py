"""Informer caches: the objects of a kind as a cluster has them, kept up to date by a watch, shared by all readers.

A `Caches` is one cluster's; `of` gives the cache of a kind and starts it on first use. Objects out of a cache are
shared and immutable. Reads are as old as the watch is late; the controller sees to it that a reconcile sees its own
writes.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Generic, NamedTuple, TypeVar, overload

from capipool.client import client as clients
from capipool.client.client import Client, Write
from capipool.machinery.objects import Model, Object, Unstructured
from capipool.machinery.resource import GroupResource, ObjectKey, Resource
from capipool.runtime import metrics, writes
from capipool.runtime.reflector import Reflector, Settings
from capipool.runtime.store import Store, Subscriber

T = TypeVar("T", bound=Object)

_OWNED_BY = "metadata.ownerReferences.uid"


class Cache(Generic[T]):
    """The objects of one kind, of one namespace or of all. Reading never waits and never fails."""

    def __init__(self, resource: Resource, store: Store[T], reflector: Reflector[T]) -> None:
        self.resource = resource
        self._store = store
        self._reflector = reflector

    def __len__(self) -> int:
        """How many objects it holds."""
        return len(self._store)

    def get(self, key: ObjectKey) -> T | None:
        """One object, or None."""
        return self._store.get(key)

    def list(self, namespace: str | None = None) -> list[T]:
        """All objects, or those of one namespace. Costs what it returns: for a few of many, use an index."""
        return list(self._store.all(namespace))

    def by(self, index: str, value: str) -> Sequence[T]:
        """The objects under a value of an index. Raises KeyError for an index that was not added."""
        return self._store.by(index, value)

    def owned_by(self, uid: str) -> Sequence[T]:
        """The objects that name an owner of this UID in their owner references."""
        if not self._store.has_index(_OWNED_BY):
            self._store.add_index(_OWNED_BY, _owner_uids)
        return self._store.by(_OWNED_BY, uid)

    def add_index(self, name: str, values: Callable[[T], Iterable[str]]) -> None:
        """Keep an index from now on, also over what is there already.

        A cache is shared, and so is an index: controllers that search it in the same way add the same function under
        the same name, and from the second on that has no effect. So let it be a function of a module, not a lambda,
        which is another one each time. Raises ValueError where another function has the name already.
        """
        self._store.add_index(name, values)

    def subscribe(self, subscriber: Subscriber[T]) -> Callable[[], None]:
        """Be told of every change, in order, as (old, new); None stands for not there. Returns how to stop it.

        What is there already is told of first, as (None, object). Called synchronously: it must be quick, and decide
        from the two whether anything that matters to it changed.
        """
        return self._store.subscribe(subscriber)

    @property
    def is_synced(self) -> bool:
        """Whether the objects there are have been read once."""
        return self._reflector.synced.is_set()

    async def synced(self) -> None:
        """Wait until the objects there are have been read once. A kind that is not served counts as read."""
        self._reflector.start()
        await self._reflector.synced.wait()


class _Names(Model):
    plural: str = ""


class _DefinitionSpec(Model):
    group: str = ""
    names: _Names = _Names()


class _Definition(Object):
    """As much of a CustomResourceDefinition as tells that a kind may have come, gone or changed."""

    RESOURCE = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)

    spec: _DefinitionSpec = _DefinitionSpec()


class _Scope(NamedTuple):
    """What one cache holds."""

    resource: Resource
    cls: type[Any]
    namespace: str
    labels: str


class Caches:
    """The caches of one cluster.

    `lean` kinds do not keep the fields that their type does not know: for Nodes and Pods of large clusters, which are
    patched but never written back whole. `settings` are the reflectors' delays and limits. With `namespace`, everything
    that lives in a namespace is read from this one alone.
    """

    def __init__(
        self,
        client: Client,
        *,
        rng: random.Random | None = None,
        lean: Collection[type[Object]] = (),
        settings: Settings | None = None,
        name: str = "",
        namespace: str = "",
    ) -> None:
        self.client = client
        self.name = name
        self.namespace = namespace
        self._rng = rng or random.Random()
        self._lean = frozenset({*lean, _Definition})  # definitions hold schemas, which are large
        self._settings = settings or Settings()
        self._caches: dict[_Scope, Cache[Any]] = {}
        self._by_resource: dict[GroupResource, list[tuple[_Scope, Cache[Any]]]] = {}
        self._follows_definitions = False
        self._stopped = False
        client.on_write(self._note)

    @overload
    def of(self, kind: type[T], namespace: str = "", *, labels: str = "") -> Cache[T]: ...
    @overload
    def of(self, kind: Resource, namespace: str = "", *, labels: str = "") -> Cache[Unstructured]: ...
    def of(self, kind: type[Any] | Resource, namespace: str = "", *, labels: str = "") -> Cache[Any]:
        """The cache of a kind, in one namespace or in all; started on first use, and the same one each time.

        With `labels`, a label selector, it holds the objects that match: for a few of many, as of Secrets. Reconciles
        do not wait for such a cache to show their own writes, since what they wrote may not match.
        """
        resource, cls = clients.kind_of(kind)
        if resource.namespaced:
            namespace = namespace or self.namespace
        scope = _Scope(resource, cls, namespace, labels)
        cache = self._caches.get(scope)
        if cache is None:
            cache = self._caches[scope] = self._make(scope)
            self._by_resource.setdefault(resource.group_resource, []).append((scope, cache))
        if not self._stopped and _loop_is_running():
            cache._reflector.start()
        return cache

    def __iter__(self) -> Any:
        return iter(tuple(self._caches.values()))

    def start(self) -> None:
        """Start the caches that were asked for before there was an event loop. Idempotent."""
        for cache in self:
            cache._reflector.start()

    async def synced(self, timeout: dt.timedelta | None = None) -> None:
        """Wait until every cache has been read once. Raises TimeoutError."""
        async with asyncio.timeout(timeout.total_seconds() if timeout else None):
            for cache in self:
                await cache.synced()

    async def stop(self) -> None:
        """Stop following. What the caches hold stays readable. Idempotent."""
        self._stopped = True
        await asyncio.gather(*(cache._reflector.stop() for cache in self))

    def _make(self, scope: _Scope) -> Cache[Any]:
        store: Store[Any] = Store(scope.resource.kind)
        reflector = Reflector(
            client=self.client,
            resource=scope.resource,
            cls=scope.cls,
            namespace=scope.namespace,
            labels=scope.labels,
            store=store,
            rng=self._rng,
            settings=self._settings,
            lean=scope.cls in self._lean,
            on_absent=self._follow_definitions,
        )
        metrics.METRICS.caches.add(store, self.name)
        return Cache(scope.resource, store, reflector)

    def _follow_definitions(self, resource: Resource) -> None:
        """A kind is not served: watch the definitions of kinds, so as to notice at once when it is."""
        if resource != _Definition.RESOURCE and not self._follows_definitions:
            self._follows_definitions = True
            self.of(_Definition).subscribe(self._definition_changed)

    def _definition_changed(self, old: _Definition | None, new: _Definition | None) -> None:
        definition = new or old
        if definition is None:
            return
        about = GroupResource(definition.spec.group, definition.spec.names.plural)
        for _, cache in self._by_resource.get(about, ()):
            cache._reflector.wake()

    def _note(self, write: Write) -> None:
        """A write was acknowledged: the reconcile that made it waits for the caches that will show it."""
        log = writes.current()
        if log is None:
            return
        for scope, cache in self._by_resource.get(write.resource.group_resource, ()):
            if scope.namespace in ("", write.namespace) and not scope.labels and cache._reflector.running:
                log.note(cache._store, write)


def _owner_uids(obj: Object) -> Iterable[str]:
    return [owner.uid for owner in obj.metadata.owner_references]


def _loop_is_running() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


__all__ = ["Cache", "Caches", "Settings"]
