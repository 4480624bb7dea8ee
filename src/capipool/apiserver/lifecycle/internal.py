"""Writes that the server makes by itself: queued like any other, awaited by nobody, repeated where found undone."""

from __future__ import annotations

from collections.abc import Callable

from capipool.apiserver.context import Context, Outcome, Target
from capipool.apiserver.options import DeleteOptions, Propagation
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Entry
from capipool.apiserver.verbs import delete as deleting
from capipool.apiserver.verbs import metadata, writing
from capipool.machinery.calls import User
from capipool.machinery.objects import Raw

CONTROLLER = User("system:apiserver", ("system:masters",))


def target(context: Context, collection: Collection, entry: Entry) -> Target | None:
    """A call's target for an object; None where its kind is served no more."""
    how = context.registry(collection.space).by_storage(collection.group, collection.resource)
    if how is None:
        return None
    return Target(collection.space, how, collection, entry.namespace, entry.name, CONTROLLER)


def delete(
    context: Context, collection: Collection, entry: Entry, *, propagation: Propagation | None = None
) -> Outcome | None:
    """Delete an object as it is now. Raises what admission raises."""
    about = target(context, collection, entry)
    return None if about is None else deleting.remove(context, about, entry, DeleteOptions(propagation=propagation))


def rewrite(context: Context, collection: Collection, entry: Entry, make: Callable[[Raw], Raw]) -> Outcome | None:
    """Change what the server itself keeps in an object, past the rules for clients. None where nothing changes."""
    about = target(context, collection, entry)
    if about is None:
        return None
    old = entry.decode()
    new = make(old)
    if new == old:
        return None
    if entry.deleting and not writing.holds(new):
        return writing.erase(context, about, entry, new)
    return writing.write(context, about, new, entry)


def remove_finalizer(context: Context, collection: Collection, entry: Entry, finalizer: str) -> Outcome | None:
    """Take a finalizer away, and with it maybe the object."""

    def make(raw: Raw) -> Raw:
        left = [f for f in raw["metadata"].get("finalizers") or () if f != finalizer]
        return metadata.stamped(raw, finalizers=left or None)

    return rewrite(context, collection, entry, make)
