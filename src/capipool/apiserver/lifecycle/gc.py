"""Garbage collection by owner references: what nobody owns any more goes, in the way its owner's deletion asked for.

The graph is an index from owners' UIDs to dependents, kept as changes become durable; no event costs a scan. Absent
owners, foreground deletion (`blockOwnerDeletion`) and orphaning follow Kubernetes' collector.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, NamedTuple

from capipool.apiserver.context import Context
from capipool.apiserver.lifecycle import internal
from capipool.apiserver.lifecycle.worker import Worker
from capipool.apiserver.options import Propagation
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Change, Entry
from capipool.apiserver.verbs import metadata
from capipool.apiserver.verbs.delete import FOREGROUND, ORPHAN
from capipool.machinery.objects import Raw
from capipool.machinery.resource import split_api_version


class _Node(NamedTuple):
    """An object of the graph."""

    collection: Collection
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.collection.resource} {self.namespace}/{self.name}"


class GarbageCollector:
    """Watches every change of every space."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._dependents: dict[tuple[str, str], dict[_Node, None]] = {}
        self._worker: Worker[_Node] = Worker("garbage collector", self._look_at)
        context.store.observe(self._observe)

    def start(self) -> None:
        """Learn the graph, and look again at whatever an earlier process may not have finished."""
        for space in self._context.store.spaces():
            for collection in self._context.store.collections(space):
                for entry in collection.entries():
                    if entry.owners:
                        self._link(collection, entry)
                    if entry.owners or entry.deleting:
                        self._worker.add(_node(collection, entry))
        self._worker.start()

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        await self._worker.stop()

    # -- the graph

    def _observe(self, collection: Collection, change: Change) -> None:
        before, after = change.before, change.after
        old = before.owners if before is not None else ()
        new = after.owners if change.type != "DELETED" else ()
        if old != new:
            if before is not None:
                self._unlink(collection, before)
            if new:
                self._link(collection, after)
        if change.type == "DELETED":
            self._deleted(collection, after, old)
        elif after.deleting:
            self._worker.add(_node(collection, after))
            if before is None or not before.deleting:
                self._add(self._dependents.get((collection.space, after.uid), ()))
        elif new and old != new:
            self._worker.add(_node(collection, after))

    def _deleted(self, collection: Collection, entry: Entry, owners: tuple[str, ...]) -> None:
        self._add(self._dependents.get((collection.space, entry.uid), ()))
        for reference in entry.decode()["metadata"].get("ownerReferences") or () if owners else ():
            owner = self._resolve(collection, entry.namespace, reference)
            if isinstance(owner, tuple) and owner[1].deleting:
                self._worker.add(_node(*owner))

    def _add(self, nodes: Iterable[_Node]) -> None:
        for node in nodes:
            self._worker.add(node)

    def _link(self, collection: Collection, entry: Entry) -> None:
        node = _node(collection, entry)
        for uid in entry.owners:
            self._dependents.setdefault((collection.space, uid), {})[node] = None

    def _unlink(self, collection: Collection, entry: Entry) -> None:
        node = _node(collection, entry)
        for uid in entry.owners:
            key = (collection.space, uid)
            nodes = self._dependents.get(key)
            if nodes is not None:
                nodes.pop(node, None)
                if not nodes:
                    del self._dependents[key]

    # -- decisions

    def _look_at(self, node: _Node) -> None:
        entry = node.collection.latest(node.namespace, node.name)
        if entry is None:
            return
        if not entry.deleting:
            if entry.owners:
                self._judge(node.collection, entry)
            return
        finalizers = entry.decode()["metadata"].get("finalizers") or ()
        if ORPHAN in finalizers:
            self._orphan(node.collection, entry)
        elif FOREGROUND in finalizers:
            self._finish_foreground(node.collection, entry)

    def _judge(self, collection: Collection, entry: Entry) -> None:
        """Delete an object whose owners are all gone or going; take references to those away from one that stays."""
        raw = entry.decode()
        gone, waiting, solid = set(), set(), False
        for reference in raw["metadata"].get("ownerReferences") or ():
            owner = self._resolve(collection, entry.namespace, reference)
            if owner == "unknown":
                solid = True
            elif owner == "absent":
                gone.add(reference["uid"])
            elif owner[1].deleting and FOREGROUND in (owner[1].decode()["metadata"].get("finalizers") or ()):
                waiting.add(reference["uid"])
            else:
                solid = True
        if solid:
            if gone or waiting:
                internal.rewrite(self._context, collection, entry, lambda r: _without(r, gone | waiting))
        elif gone or waiting:
            how = _policy(raw)
            if waiting and (collection.space, entry.uid) in self._dependents:
                how = "Foreground"
            internal.delete(self._context, collection, entry, propagation=how)

    def _orphan(self, collection: Collection, entry: Entry) -> None:
        for node in tuple(self._dependents.get((collection.space, entry.uid), ())):
            dependent = node.collection.latest(node.namespace, node.name)
            if dependent is not None:
                internal.rewrite(self._context, node.collection, dependent, lambda raw: _without(raw, {entry.uid}))
        internal.remove_finalizer(self._context, collection, entry, ORPHAN)

    def _finish_foreground(self, collection: Collection, entry: Entry) -> None:
        """Let an owner go that waited for its dependents, when none is left that blocks it."""
        for node in self._dependents.get((collection.space, entry.uid), ()):
            dependent = node.collection.latest(node.namespace, node.name)
            if dependent is not None and _blocks(dependent, entry.uid):
                return  # and the deletion of that one brings us here again
        internal.remove_finalizer(self._context, collection, entry, FOREGROUND)

    def _resolve(
        self, collection: Collection, namespace: str, reference: Raw
    ) -> tuple[Collection, Entry] | Literal["absent", "unknown"]:
        """The owner that a reference means. `unknown`: nobody can say, so it counts as there."""
        group = split_api_version(reference["apiVersion"])[0]
        served = self._context.registry(collection.space).by_kind(group, reference["kind"])
        if served is None:
            return "unknown"
        namespaced = served.definition.resource.namespaced
        if namespaced and not namespace:
            return "unknown"  # a cluster-scoped object cannot have an owner in a namespace: nobody knows in which
        owners = self._context.collection(collection.space, served)
        owner = owners.latest(namespace if namespaced else "", reference["name"])
        return (owners, owner) if owner is not None and owner.uid == reference["uid"] else "absent"


def _node(collection: Collection, entry: Entry) -> _Node:
    return _Node(collection, entry.namespace, entry.name)


def _without(raw: Raw, uids: set[str]) -> Raw:
    left = [r for r in raw["metadata"].get("ownerReferences") or () if r["uid"] not in uids]
    return metadata.stamped(raw, ownerReferences=left or None)


def _blocks(dependent: Entry, uid: str) -> bool:
    references = dependent.decode()["metadata"].get("ownerReferences") or ()
    return any(r["uid"] == uid and r.get("blockOwnerDeletion") for r in references)


def _policy(raw: Raw) -> Propagation:
    """How an object's own dependents fare when it is collected: as its finalizers say, else in the background."""
    finalizers = raw["metadata"].get("finalizers") or ()
    if ORPHAN in finalizers:
        return "Orphan"
    return "Foreground" if FOREGROUND in finalizers else "Background"
