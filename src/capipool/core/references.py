"""References to provider objects: which kind, in which version, in which cache. Shared by the reconcilers of core.

A provider's kind may have been installed a second ago, or not yet. Its version is chosen by the contract labels of its
CustomResourceDefinition; its cache is started when a reconciler first meets it, and stays.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

from capipool.api.builtin import CustomResourceDefinition
from capipool.api.core import ContractVersionedObjectReference
from capipool.contract import versions
from capipool.machinery import errors
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import GroupKind, ObjectKey, Resource
from capipool.runtime.cache import Cache
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager

SYNC_LIMIT = dt.timedelta(seconds=10)
"""How long one reconcile waits for the cache of a kind that it is the first to meet."""

KIND_INDEX = "spec.names.kind"

Keys = Callable[[Unstructured | None, Unstructured | None], Iterable[ObjectKey]]


@dataclass(frozen=True, slots=True)
class Absent:
    """A referenced object that is not there, or cannot be read as its contract wants."""

    reference: ContractVersionedObjectReference
    why: Literal["not found", "kind not served", "not readable"]
    message: str
    resource: Resource | None = None
    """Its kind as it is served: watch that to learn when the object comes. None where the kind is not served."""

    @property
    def is_gone(self) -> bool:
        """Whether there is nothing to delete. An object that cannot be read may well exist."""
        return self.why != "not readable"


@dataclass(frozen=True, slots=True)
class Served:
    """A provider's kind as it is served: in which version, and which contract that version keeps."""

    resource: Resource
    contract: str


class References:
    """Finds provider kinds for one controller, and has it watch each kind that it meets."""

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self._caches = manager.caches
        self._definitions = manager.caches.of(CustomResourceDefinition)
        self._definitions.add_index(KIND_INDEX, _kinds)
        self._watched: set[Resource] = set()

    @property
    def definitions(self) -> Cache[CustomResourceDefinition]:
        """The kinds that are installed: watch it to learn of one that comes later."""
        return self._definitions

    def find(self, kind: GroupKind) -> Served | str:
        """How a kind is served, or why it cannot be used, as a message for a condition."""
        for definition in self._definitions.by(KIND_INDEX, str(kind)):
            found = versions.served(definition)
            if found is None:
                return f"the CustomResourceDefinition of {kind} has no label that names a supported contract"
            return Served(definition.resource(found.version), found.contract)
        return f"no kind {kind} is installed"

    def is_installed(self, kind: GroupKind) -> bool:
        """Whether a kind has a definition at all."""
        return bool(self._definitions.by(KIND_INDEX, str(kind)))

    def beside(self, kind: GroupKind, other: Served) -> Resource | None:
        """A kind in the version of another of the same provider, or in its own; None where it is not installed."""
        for definition in self._definitions.by(KIND_INDEX, str(kind)):
            if any(v.name == other.resource.version and v.served for v in definition.spec.versions):
                return definition.resource(other.resource.version)
            found = versions.served(definition)
            return definition.resource(found.version) if found is not None else None
        return None

    def at(self, kind: GroupKind, version: str) -> Resource | None:
        """A kind in a version that a reference names itself; None where that is not served."""
        for definition in self._definitions.by(KIND_INDEX, str(kind)):
            if any(v.name == version and v.served for v in definition.spec.versions):
                return definition.resource(version)
        return None

    async def get(
        self, reference: ContractVersionedObjectReference, namespace: str, *, confirm_gone: bool = False
    ) -> tuple[Unstructured, Served] | Absent:
        """A referenced object and how its kind is served, or why there is none. Raises ApiError, TimeoutError.

        With `confirm_gone` the server itself is asked about an object that the cache does not have: a cache that has
        not heard of a new object yet would have a deletion leave it behind.
        """
        served = self.find(reference.group_kind)
        if isinstance(served, str):
            installed = self.is_installed(reference.group_kind)
            return Absent(reference, "not readable" if installed else "kind not served", served)
        cache = await self.cache(served.resource)
        obj = cache.get(ObjectKey(namespace, reference.name))
        if obj is None and confirm_gone:
            obj = await self._read(served.resource, reference.name, namespace)
        if obj is None:
            message = f"{reference.kind} {reference.name} does not exist"
            return Absent(reference, "not found", message, served.resource)
        return obj, served

    async def _read(self, resource: Resource, name: str, namespace: str) -> Unstructured | None:
        try:
            return await self._client.get(resource, name, namespace)
        except errors.NotFound:
            return None

    async def cache(self, resource: Resource) -> Cache[Unstructured]:
        """The synced cache of a provider's kind. Raises TimeoutError where it does not sync in time."""
        cache = self._caches.of(resource)
        if not cache.is_synced:
            async with asyncio.timeout(SYNC_LIMIT.total_seconds()):
                await cache.synced()
        return cache

    def watch(self, controller: Controller, resource: Resource, keys: Keys) -> None:
        """Have changes of a kind's objects lead to reconciles, from now on. Once for each kind."""
        if resource not in self._watched:
            self._watched.add(resource)
            controller.watch(self._caches.of(resource), keys)


def kind_of(definition: CustomResourceDefinition) -> GroupKind:
    """The kind that a definition defines."""
    return GroupKind(definition.spec.group, definition.spec.names.kind)


def _kinds(definition: CustomResourceDefinition) -> tuple[str, ...]:
    return (str(kind_of(definition)),)
