"""Keeps objects for as long as others need them: who deletes a whole file of manifests deletes all of it at once.

Used by providers, whose pools can only be deleted while somebody says where they are, and who calls. `Keeper` is for
objects that others name, `Remains` for those that stay until the pools and machines of their cluster are gone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Generic, TypeVar

from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache, Caches
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.sdk import writes

KeptT = TypeVar("KeptT", bound=Object)
UserT = TypeVar("UserT", bound=Object)


class Keeper(Generic[KeptT]):
    """Sets a finalizer on objects of one kind that are used, and takes it off those that are not."""

    def __init__(
        self, manager: Manager, kind: type[KeptT], *, finalizer: str, is_used: Callable[[ObjectKey], bool]
    ) -> None:
        """`is_used` looks into caches, which the controller must watch as well: `watch_users`."""
        self._client = manager.client
        self._finalizer = finalizer
        self._is_used = is_used
        self.objects = manager.caches.of(kind)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat. Raises ApiError."""
        obj = self.objects.get(key)
        if obj is None:
            return DONE
        used, kept = self._is_used(key), self._finalizer in obj.metadata.finalizers
        if used and not kept and not obj.deleting:
            await writes.set_finalizers(self._client, obj, [*obj.metadata.finalizers, self._finalizer])
        elif kept and not used:
            await writes.remove_finalizer(self._client, obj, self._finalizer)
        return DONE

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch the objects."""
        controller.watch(self.objects, _kept_changed)


def watch_users(controller: Controller, users: Cache[UserT], named: Callable[[UserT], ObjectKey | None]) -> None:
    """Have the controller of a keeper look at what a user names now, and at what it named before."""

    def about(user: UserT | None) -> tuple[ObjectKey | None, bool]:
        return (named(user), user.deleting) if user is not None else (None, False)

    def changed(old: UserT | None, new: UserT | None) -> Iterable[ObjectKey]:
        before, now = about(old), about(new)
        return {key for key, _ in (before, now) if key is not None} if before != now else ()

    controller.watch(users, changed)


class Remains:
    """What is left of clusters: their pools and machines, of these kinds."""

    def __init__(self, caches: Caches, kinds: Sequence[type[Object]]) -> None:
        self._caches = [caches.of(kind) for kind in kinds]

    def waits_for(self, obj: Object) -> str:
        """What an object that belongs to a cluster waits for before it goes, in words; empty where nothing is left."""
        left = [f"{each.RESOURCE.kind} {each.metadata.name}" for each in self._of(obj)]
        more = f" and {len(left) - 1} more" if len(left) > 1 else ""
        return f"waits for {left[0]}{more} to be deleted" if left else ""

    def watch(self, controller: Controller, objects: Cache[UserT]) -> None:
        """Have a controller look at its objects that may have waited for what is gone."""

        def gone(old: Object | None, new: Object | None) -> Iterable[ObjectKey]:
            if new is not None or old is None:
                return ()
            return [obj.key for obj in objects.list(old.metadata.namespace) if obj.deleting]

        for cache in self._caches:
            controller.watch(cache, gone)

    def _of(self, obj: Object) -> Iterable[Object]:
        meta = obj.metadata
        names = {owner.name for owner in meta.owner_references if owner.group_kind == Cluster.RESOURCE.group_kind}
        names |= {meta.labels[Label.CLUSTER_NAME]} if Label.CLUSTER_NAME in meta.labels else set()
        found = (each for cache in self._caches for each in cache.list(meta.namespace))
        return (each for each in found if each.metadata.labels.get(Label.CLUSTER_NAME) in names)


def _kept_changed(old: Object | None, new: Object | None) -> Iterable[ObjectKey]:
    """One that comes, is to go, or whose finalizers somebody changed."""
    if new is None or (old is not None and _held(old) == _held(new)):
        return ()
    return (new.key,)


def _held(obj: Object) -> tuple[object, ...]:
    return (obj.metadata.uid, obj.deleting, obj.metadata.finalizers)
