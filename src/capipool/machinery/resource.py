"""How a kind is named: group, version, kind, and the plural under which the API serves it."""

from __future__ import annotations

from typing import NamedTuple, Self

import msgspec


class GroupKind(NamedTuple):
    """A kind without its version: what owner references and contract references identify."""

    group: str
    kind: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.group}" if self.group else self.kind


class GroupResource(NamedTuple):
    """A plural without its version: how stored objects and error details name their collection."""

    group: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


def split_api_version(api_version: str) -> tuple[str, str]:
    """Split `group/version` (or `version` for the core group, whose name is empty) into group and version."""
    group, _, version = api_version.rpartition("/")
    return group, version


def join_api_version(group: str, version: str) -> str:
    """The inverse of `split_api_version`."""
    return f"{group}/{version}" if group else version


class Resource(msgspec.Struct, frozen=True):
    """One served kind in one version: enough to address it over the API. Hashable."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """`group/version`, or `version` alone for the core group."""
        return join_api_version(self.group, self.version)

    @property
    def group_kind(self) -> GroupKind:
        """The kind without its version."""
        return GroupKind(self.group, self.kind)

    @property
    def group_resource(self) -> GroupResource:
        """The plural without its version."""
        return GroupResource(self.group, self.plural)

    def at(self, version: str) -> Self:
        """The same kind in another version."""
        return msgspec.structs.replace(self, version=version)

    def path(self, namespace: str | None = None, name: str | None = None, subresource: str | None = None) -> str:
        """The REST path of the collection, or of one object, or of a subresource of it."""
        root = f"/apis/{self.group}/{self.version}" if self.group else f"/api/{self.version}"
        scope = f"/namespaces/{namespace}" if namespace and self.namespaced else ""
        return (
            f"{root}{scope}/{self.plural}" + (f"/{name}" if name else "") + (f"/{subresource}" if subresource else "")
        )


class ObjectKey(NamedTuple):
    """Namespace and name: what a reconciler is called with. Cluster-scoped objects have an empty namespace."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}" if self.namespace else self.name
