"""References to provider objects: who has them, of which kind, version and cache. Shared by the reconcilers of core.

A provider's kind may have been installed a second ago, or not yet. Its version is chosen by the contract labels of its
CustomResourceDefinition; its cache is started when a reconciler first meets it, and stays.
"""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, TypeVar

from capipool.api.builtin import CustomResourceDefinition
from capipool.api.core import (
    Cluster,
    ContractVersionedObjectReference,
    Machine,
    MachineDeployment,
    MachinePool,
    MachineSet,
)
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
OBJECTS, KINDS = "referenced object", "referenced kind"
"""What `add_indexes` has a cache searched by: `name` of a provider's object, and its kind as text."""

Referring = Cluster | Machine | MachineDeployment | MachinePool | MachineSet
ReferringT = TypeVar("ReferringT", bound=Referring)
Keys = Callable[[Unstructured | None, Unstructured | None], Iterable[ObjectKey]]


class Found(Protocol):
    """What came of a reference: a provider's facts, or `Absent`."""

    @property
    def resource(self) -> Resource | None:
        """The kind as it is served, where it is."""


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
        self._definitions.add_index(KIND_INDEX, _defined)
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

    def follow(self, controller: Controller, found: Iterable[Found | None], keys: Keys) -> None:
        """Watch the kinds of what references have led to, as soon as each is known."""
        for provider in found:
            if provider is not None and provider.resource is not None:
                self.watch(controller, provider.resource, keys)


def of(obj: Referring) -> list[ContractVersionedObjectReference]:
    """The provider's objects that an object refers to: for a set or deployment, the templates."""
    found: tuple[ContractVersionedObjectReference | None, ...]
    if isinstance(obj, Cluster):
        found = (obj.spec.infrastructure_ref, obj.spec.control_plane_ref)
    else:
        spec = obj.spec if isinstance(obj, Machine) else obj.spec.template.spec
        found = (spec.infrastructure_ref, spec.bootstrap.config_ref)
    return [reference for reference in found if reference is not None]


def add_indexes(cache: Cache[ReferringT]) -> None:
    """Have a cache searched for what refers to an object (`OBJECTS`), or to any of a kind (`KINDS`)."""
    cache.add_index(OBJECTS, _objects)
    cache.add_index(KINDS, kinds)


def name(kind: GroupKind, key: ObjectKey) -> str:
    """A provider's object under `OBJECTS`."""
    return f"{kind}/{key}"


def kinds(obj: Referring) -> set[str]:
    """The kinds that an object refers to, under `KINDS`; of templates also the kinds of what is made from them."""
    referred = {reference.group_kind for reference in of(obj)}
    made = {GroupKind(kind.group, kind.kind.removesuffix("Template")) for kind in referred}
    return {str(kind) for kind in (*referred, *made)}


def _objects(obj: Referring) -> list[str]:
    namespace = obj.metadata.namespace
    return [name(reference.group_kind, ObjectKey(namespace, reference.name)) for reference in of(obj)]


def kind_of(definition: CustomResourceDefinition) -> GroupKind:
    """The kind that a definition defines."""
    return GroupKind(definition.spec.group, definition.spec.names.kind)


def _defined(definition: CustomResourceDefinition) -> tuple[str, ...]:
    return (str(kind_of(definition)),)
