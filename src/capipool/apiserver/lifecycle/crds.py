"""CustomResourceDefinitions: a kind is served from when its definition is durable until its last object is gone."""

from __future__ import annotations

from typing import Any

from capipool.apiserver.builtin import crds
from capipool.apiserver.context import Context
from capipool.apiserver.lifecycle import internal
from capipool.apiserver.lifecycle.worker import Worker
from capipool.apiserver.registry import CRDS, Registry
from capipool.apiserver.store.collection import Collection
from capipool.apiserver.store.entry import Change, Entry
from capipool.machinery.objects import Raw

CLEANUP = "customresourcecleanup.apiextensions.k8s.io"
"""The finalizer that keeps a definition until its objects are deleted."""

_Key = tuple[str, str]


class CRDLifecycle:
    """Keeps the registries up to date, writes the definitions' status, and deletes objects before their kind."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._worker: Worker[_Key] = Worker("custom resource definitions", self._finish)
        context.strategies[CRDS] = self._fill_in
        context.store.observe(self._observe)

    def start(self) -> None:
        """Serve what the journal's definitions define."""
        for space in self._context.store.spaces():
            for entry in self._context.store.collection(space, *CRDS).entries():
                self._define(space, entry.decode())
        self._worker.start()

    async def stop(self) -> None:
        """Leave the rest to the next start."""
        await self._worker.stop()

    def _observe(self, collection: Collection, change: Change) -> None:
        space = collection.space
        if collection.group == CRDS.group and collection.resource == CRDS.resource:
            if change.type == "DELETED":
                self._undefine(space, change.after.name)
            else:
                self._define(space, change.after.decode())
        elif change.type == "DELETED":
            registry = self._context.registry(space)
            if registry.terminating and (collection.group, collection.resource) in registry.terminating:
                self._worker.add((space, f"{collection.resource}.{collection.group}"))

    def _define(self, space: str, crd: Raw) -> None:
        if _established(crd):
            self._context.registry(space).define(crd)
        if "deletionTimestamp" in crd["metadata"]:
            self._worker.add((space, crd["metadata"]["name"]))

    def _undefine(self, space: str, name: str) -> None:
        registry = self._context.registry(space)
        stored = registry.custom(name)
        registry.undefine(name)
        if stored is not None:
            self._context.store.drop_collection(self._context.collection(space, stored))

    def _fill_in(self, space: str, crd: Raw, old: Raw | None) -> Raw:
        """Status and finalizer of a valid definition that is about to be stored: it is established by being written."""
        spec = crd["spec"]
        if "deletionTimestamp" in crd["metadata"]:
            return crd
        conflict = _conflict(self._context.registry(space), crd)
        status = dict(crd.get("status") or (old or {}).get("status") or {})
        status["conditions"] = _conditions(status.get("conditions") or (), conflict, self._context.now())
        status["acceptedNames"] = status.get("acceptedNames", {"plural": "", "kind": ""}) if conflict else spec["names"]
        status["storedVersions"] = _stored_versions(spec, status)
        meta = crd["metadata"]
        if old is None:
            meta = {**meta, "finalizers": [*(f for f in meta.get("finalizers") or () if f != CLEANUP), CLEANUP]}
        return {**crd, "metadata": meta, "status": status}

    def _finish(self, key: _Key) -> None:
        """Delete the objects of a kind that goes; let it go when there are none."""
        space, name = key
        entry = self._context.store.collection(space, *CRDS).latest("", name)
        if entry is None or not entry.deleting:
            return
        stored = self._context.registry(space).custom(name)
        left: tuple[Entry, ...] = ()
        if stored is not None:
            collection = self._context.collection(space, stored)
            left = tuple(collection.latest_entries())
            for custom in left:
                if not custom.deleting:
                    internal.delete(self._context, collection, custom)
        if not left:
            internal.remove_finalizer(self._context, self._context.store.collection(space, *CRDS), entry, CLEANUP)


def _established(crd: Raw) -> bool:
    conditions = (crd.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Established" and c["status"] == "True" for c in conditions)


def _conflict(registry: Registry, crd: Raw) -> str:
    """Why the names of a definition cannot be accepted: another of its group has them. Empty where they can."""
    names, group = crd["spec"]["names"], crd["spec"].get("group")
    own = (names.get("plural"), group)
    for definition in registry.definitions():
        resource = definition.resource
        if resource.group != group or ((resource.plural, resource.group) == own and not definition.builtin):
            continue
        if names.get("kind") in (resource.kind, definition.list_kind):
            return f'"{names["kind"]}" is already in use'
        taken = {resource.plural, definition.singular, *definition.short_names}
        wanted = [names.get("plural"), names.get("singular"), *(names.get("shortNames") or ())]
        for name in wanted:
            if name in taken:
                return f'"{name}" is already in use'
    return ""


def _conditions(before: Any, conflict: str, now: str) -> list[Raw]:
    wanted = [
        (
            "NamesAccepted",
            not conflict,
            "NoConflicts" if not conflict else "NamesConflict",
            conflict or "no conflicts found",
        ),
        (
            "Established",
            not conflict,
            "InitialNamesAccepted" if not conflict else "NotAccepted",
            "the initial names have been accepted" if not conflict else "not all names are accepted",
        ),
    ]
    old = {c["type"]: c for c in before}
    for type_, good, reason, message in wanted:
        status = "True" if good else "False"
        if type_ == "Established" and (old.get(type_) or {}).get("status") == "True":
            continue  # what was established once stays so
        since = old[type_]["lastTransitionTime"] if (old.get(type_) or {}).get("status") == status else now
        old[type_] = {
            "type": type_,
            "status": status,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since,
        }
    return list(old.values())


def _stored_versions(spec: Raw, status: Raw) -> list[str]:
    known = list(status.get("storedVersions") or ())
    storage = crds.storage_version({"spec": spec}) if any(v.get("storage") for v in spec.get("versions") or ()) else ""
    return known if not storage or storage in known else [*known, storage]
