"""Namespaces end when everything in them is gone: this deletes it, says what is left, and lets the namespace go."""

from __future__ import annotations

from capipool.apiserver.context import Context
from capipool.apiserver.lifecycle import internal
from capipool.apiserver.lifecycle.worker import Worker
from capipool.apiserver.registry import NAMESPACES
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Change, Entry
from capipool.machinery.objects import Raw

_Key = tuple[str, str]
_FINALIZER = "kubernetes"


class NamespaceLifecycle:
    """Empties namespaces that are being deleted."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._ending: set[_Key] = set()
        self._worker: Worker[_Key] = Worker("namespaces", self._finish)
        context.store.observe(self._observe)

    def start(self) -> None:
        """Go on with what an earlier process left."""
        for space in self._context.store.spaces():
            for entry in self._context.store.collection(space, *NAMESPACES).entries():
                if entry.deleting:
                    self._add((space, entry.name))
        self._worker.start()

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        await self._worker.stop()

    def _add(self, key: _Key) -> None:
        self._ending.add(key)
        self._worker.add(key)

    def _observe(self, collection: Collection, change: Change) -> None:
        entry = change.after
        if collection.resource == NAMESPACES.resource and not collection.group:
            if change.type == "DELETED":
                self._ending.discard((collection.space, entry.name))
            elif entry.deleting:
                self._add((collection.space, entry.name))
        elif self._ending and change.type == "DELETED":
            # Not at every single object: the first look has deleted them all, and the last one ends it.
            key = (collection.space, entry.namespace)
            if key in self._ending and not collection.count(entry.namespace):
                self._worker.add(key)

    def _finish(self, key: _Key) -> None:
        space, name = key
        namespaces = self._context.store.collection(space, *NAMESPACES)
        namespace = namespaces.latest("", name)
        if namespace is None or not namespace.deleting:
            return
        left: list[tuple[Collection, Entry]] = []
        for collection in self._context.store.collections(space):
            for entry in tuple(collection.latest_entries(name)):
                if not entry.deleting:
                    outcome = internal.delete(self._context, collection, entry)
                    if outcome is not None and outcome.deleted:
                        continue
                left.append((collection, entry))
        internal.rewrite(self._context, namespaces, namespace, lambda raw: _reported(raw, left, self._context.now()))


def _reported(raw: Raw, left: list[tuple[Collection, Entry]], now: str) -> Raw:
    """The namespace with what keeps it, or without the finalizer where nothing does."""
    if not left:
        spec = raw.get("spec") or {}
        return {**raw, "spec": {**spec, "finalizers": [f for f in spec.get("finalizers") or () if f != _FINALIZER]}}
    counts: dict[str, int] = {}
    for collection, _ in left:
        what = f"{collection.resource}.{collection.group}"
        counts[what] = counts.get(what, 0) + 1
    remaining = ", ".join(f"{what} has {n} resource instances" for what, n in sorted(counts.items()))
    finalizers: dict[str, int] = {}
    for _, entry in left:
        for finalizer in entry.decode()["metadata"].get("finalizers") or ():
            finalizers[finalizer] = finalizers.get(finalizer, 0) + 1
    kept = ", ".join(f"{f} in {n} resource instances" for f, n in sorted(finalizers.items()))
    conditions = [
        _condition(
            "NamespaceContentRemaining", "SomeResourcesRemain", f"Some resources are remaining: {remaining}", now
        )
    ]
    if kept:
        message = f"Some content in the namespace has finalizers remaining: {kept}"
        conditions.append(_condition("NamespaceFinalizersRemaining", "SomeFinalizersRemain", message, now))
    before = {c["type"]: c for c in (raw.get("status") or {}).get("conditions") or ()}
    for condition in conditions:
        if (old := before.get(condition["type"])) is not None:
            condition["lastTransitionTime"] = old["lastTransitionTime"]
    return {**raw, "status": {"phase": "Terminating", "conditions": conditions}}


def _condition(type_: str, reason: str, message: str, now: str) -> Raw:
    return {"type": type_, "status": "True", "reason": reason, "message": message, "lastTransitionTime": now}
