"""Which resources an address space serves: the built-in kinds, and those that its CustomResourceDefinitions define.

The server asks it about every call; the CRD lifecycle keeps it up to date.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property

from capipool.apiserver.builtin import crds, table
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.verbs import reviews
from capipool.machinery.errors import NotFound
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupResource, Resource

CRDS = GroupResource("apiextensions.k8s.io", "customresourcedefinitions")
NAMESPACES = GroupResource("", "namespaces")


@dataclass(frozen=True, eq=False)
class Served:
    """A resource in the version of a request, and how it is stored."""

    definition: Definition
    storage: Definition
    """The definition of the version that objects are stored in (of another group for an alias)."""

    @cached_property
    def stored_as_is(self) -> bool:
        """Whether objects are stored just as this version shows them."""
        return self.definition is self.storage

    @cached_property
    def group_resource(self) -> GroupResource:
        """The plural, as errors name it."""
        return self.definition.resource.group_resource

    @cached_property
    def api_version(self) -> str:
        """`group/version` of requests."""
        return self.definition.resource.api_version


_Key = tuple[str, str, str]


@cache
def _builtin() -> Mapping[_Key, Served]:
    """The built-in kinds, which all registries share."""
    by_key = {_key(d.resource): d for d in (*table.RESOURCES, *reviews.DEFINITIONS)}
    return {key: Served(d, by_key[_key(d.alias.storage)] if d.alias is not None else d) for key, d in by_key.items()}


def _key(resource: Resource) -> _Key:
    return resource.group, resource.version, resource.plural


class Registry:
    """The resources of one address space."""

    def __init__(self) -> None:
        self._served: dict[_Key, Served] = dict(_builtin())
        self._kinds: dict[tuple[str, str], Served] = {}
        self._stored: dict[tuple[str, str], Served] = {}
        self._custom: dict[str, tuple[_Key, ...]] = {}
        self._storages: dict[str, Served] = {}
        self._index()
        self.terminating: set[GroupResource] = set()
        """Custom resources whose definition is being deleted: nothing is created any more."""
        self.generation = 0
        """Counts changes, for whoever keeps documents made from a registry."""

    def find(self, group: str, version: str, plural: str) -> Served:
        """What serves a resource. Raises NotFound as for an unknown path."""
        found = self._served.get((group, version, plural))
        if found is None:
            raise NotFound("the server could not find the requested resource")
        return found

    def get(self, group: str, version: str, plural: str) -> Served | None:
        """What serves a resource, if anything does."""
        return self._served.get((group, version, plural))

    def by_kind(self, group: str, kind: str) -> Served | None:
        """A version in which a kind is served: what an owner reference is resolved with."""
        return self._kinds.get((group, kind))

    def by_storage(self, group: str, plural: str) -> Served | None:
        """How the objects of a collection are stored, and served if that version is: what the server itself goes by."""
        return self._stored.get((group, plural))

    def definitions(self) -> Iterator[Definition]:
        """Everything served: built-in kinds first, then custom ones in the order of their definition."""
        return (served.definition for served in self._served.values())

    def custom(self, name: str) -> Served | None:
        """How the objects that a CRD defines are stored; None where it is not established."""
        return self._storages.get(name)

    def define(self, crd: Raw) -> None:
        """Serve what a CRD defines, instead of what it defined before."""
        name = crd["metadata"]["name"]
        self.undefine(name)
        definitions = {d.resource.version: d for d in crds.definitions(crd)}
        version = crds.storage_version(crd)
        # A storage version need not be served; objects are checked against its schema all the same.
        storage = definitions.get(version) or _unserved(crd, version)
        for definition in definitions.values():
            self._served[_key(definition.resource)] = Served(definition, storage)
        self._custom[name] = tuple(_key(d.resource) for d in definitions.values())
        self._storages[name] = Served(storage, storage)
        self._index()
        group_resource = storage.resource.group_resource
        if "deletionTimestamp" in crd["metadata"]:
            self.terminating.add(group_resource)
        else:
            self.terminating.discard(group_resource)

    def undefine(self, name: str) -> None:
        """Serve no longer what a CRD defined."""
        for key in self._custom.pop(name, ()):
            del self._served[key]
        if (stored := self._storages.pop(name, None)) is not None:
            self.terminating.discard(stored.group_resource)
        self._index()
        self.generation += 1

    def _index(self) -> None:
        self._kinds, self._stored = {}, {}
        for served in (*self._served.values(), *self._storages.values()):
            resource = served.definition.resource
            self._kinds[resource.group, resource.kind] = served
            if served.stored_as_is:
                self._stored[resource.group, resource.plural] = served


def _unserved(crd: Raw, version: str) -> Definition:
    only = [{**v, "served": True} for v in crd["spec"]["versions"] if v["name"] == version]
    return next(crds.definitions({**crd, "spec": {**crd["spec"], "versions": only}}))
