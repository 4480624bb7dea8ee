"""What CustomResourceDefinitions say of kinds: names, versions, schemas, stored versions. Reads CRD API v1 and v1beta1.

Pure. Used to find what there is to look through, which version to write, and what a version does not know.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from capipool.api.constants import GROUP
from capipool.contract.versions import CONTRACTS, age
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind, Resource
from capipool.machinery.schema import engine
from capipool.machinery.schema.engine import Structural
from capipool.migrate.conversion.steps import VERSIONS

DEFINITION = Resource(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)
LAST = "v1beta1"
"""The version that providers of the old groups came to with Cluster API 1.0: what is taken where nobody says."""
BUILT_IN = (Resource("", "v1", "Secret", "secrets"), Resource("", "v1", "ConfigMap", "configmaps"))
"""Kinds without a definition that pools own."""


@dataclass(frozen=True)
class Version:
    """One version of a kind."""

    name: str
    served: bool
    status: bool
    """Whether there is a status subresource."""
    schema: Mapping[str, Any]

    @cached_property
    def structural(self) -> Structural:
        """The schema, made to work."""
        return engine.compile(self.schema)

    def unknown(self, raw: Raw) -> list[str]:
        """Fields that the version does not know: a server would drop them without a word."""
        return self.structural.prune(raw)[1]


@dataclass(frozen=True)
class Definition:
    """One kind."""

    name: str
    kind: GroupKind
    plural: str
    namespaced: bool
    versions: tuple[Version, ...]
    storage: str
    stored: tuple[str, ...]
    """Versions in which objects may still be stored."""
    contracts: Mapping[str, str]
    """Labels that say which versions keep which contract."""

    @property
    def served(self) -> list[str]:
        """The versions that are served, the newest first."""
        return sorted((v.name for v in self.versions if v.served), key=age, reverse=True)

    @property
    def preferred(self) -> str:
        """The version that a reference names: by the newest contract we know, or the newest there is."""
        served = self.served
        for contract in CONTRACTS:
            named = [v for v in self.contracts.get(f"{GROUP}/{contract}", "").split("_") if v in served]
            if named:
                return max(named, key=age)
        return served[0] if served else self.storage

    @property
    def writable(self) -> str | None:
        """The newest served version that conversions lead to."""
        return next((name for name in self.served if name in VERSIONS), None)

    def version(self, name: str) -> Version:
        """A version by its name. Raises KeyError."""
        return {v.name: v for v in self.versions}[name]

    @property
    def resource(self) -> Resource:
        """How to address objects: in the storage version where it is served, else in the newest that is."""
        served = self.served
        version = self.storage if self.storage in served or not served else served[0]
        return Resource(self.kind.group, version, self.kind.kind, self.plural, self.namespaced)


def read(raw: Mapping[str, Any]) -> Definition:
    """Read a definition, in either version of its API."""
    spec, names = raw["spec"], raw["spec"]["names"]
    versions = spec.get("versions") or [{"name": spec.get("version", ""), "served": True, "storage": True}]
    return Definition(
        name=raw["metadata"]["name"],
        kind=GroupKind(spec["group"], names["kind"]),
        plural=names["plural"],
        namespaced=spec.get("scope", "Namespaced") == "Namespaced",
        versions=tuple(_version(version, spec) for version in versions),
        storage=next((v["name"] for v in versions if v.get("storage")), versions[0]["name"]),
        stored=tuple((raw.get("status") or {}).get("storedVersions") or ()),
        contracts=raw["metadata"].get("labels") or {},
    )


def _version(version: Mapping[str, Any], spec: Mapping[str, Any]) -> Version:
    """A version; what apiextensions.k8s.io/v1beta1 says once for all of them counts where it says nothing itself."""
    schema = (version.get("schema") or spec.get("validation") or {}).get("openAPIV3Schema") or {}
    if not schema or spec.get("preserveUnknownFields"):
        schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    subresources = version.get("subresources") or spec.get("subresources") or {}
    return Version(version["name"], bool(version.get("served")), "status" in subresources, schema)


def stand_in(kind: GroupKind, version: str) -> Raw:
    """A definition for a kind of which there are objects and no definition: it takes everything."""
    singular = kind.kind.lower()
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    served = {"name": version, "served": True, "storage": True, "schema": {"openAPIV3Schema": schema}}
    return {
        "apiVersion": DEFINITION.api_version,
        "kind": DEFINITION.kind,
        "metadata": {"name": f"{singular}s.{kind.group}"},
        "spec": {
            "group": kind.group,
            "names": {"kind": kind.kind, "plural": f"{singular}s"},
            "scope": "Namespaced",
            "versions": [served],
        },
    }


class Definitions:
    """All definitions of a cluster or a directory."""

    def __init__(self, raws: Iterable[Mapping[str, Any]]) -> None:
        self._by_kind = {found.kind: found for found in map(read, raws)}

    def __iter__(self) -> Any:
        return iter(sorted(self._by_kind.values(), key=lambda d: d.name))

    def get(self, kind: GroupKind) -> Definition | None:
        """The definition of a kind."""
        return self._by_kind.get(kind)

    def reference_version(self, kind: GroupKind, before: str) -> str:
        """The version by which to refer to a kind: the one there was as long as it is served."""
        found = self._by_kind.get(kind)
        if found is None or before in found.served:
            return before
        return found.preferred

    def newest_version(self, kind: GroupKind, before: str) -> str:
        """The version by which a new object refers to a kind; what there was where nobody knows the kind."""
        found = self._by_kind.get(kind)
        if found is None:
            return LAST if before in VERSIONS[:2] else before
        return found.preferred

    def contract_version(self, kind: GroupKind) -> str:
        """The version that a conversion to v1beta1 shows a reference with."""
        return self.newest_version(kind, VERSIONS[0])
