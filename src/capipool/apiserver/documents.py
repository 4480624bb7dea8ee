"""What a server says about itself: its version, and discovery and OpenAPI of each address space."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capipool.apiserver.registry import Registry
from capipool.machinery import codec
from capipool.machinery.errors import NotFound

if TYPE_CHECKING:
    from capipool.apiserver.discovery.catalog import Catalog, Document

KUBERNETES_MINOR = 34
"""The minor version of Kubernetes whose API this server speaks."""

_VERSION = {
    "major": "1",
    "minor": str(KUBERNETES_MINOR),
    "gitVersion": f"v1.{KUBERNETES_MINOR}.0+capipool",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "",
    "goVersion": "",
    "compiler": "",
    "platform": "linux/amd64",
}


class Documents:
    """Documents by registry, made when they are first asked for and again when the set of kinds has changed."""

    def __init__(self) -> None:
        self._catalogs: dict[Registry | None, tuple[int, Catalog]] = {}

    def answer(self, registry: Registry, path: str, accept: str) -> Document:
        """The document at a path. Raises NotFound."""
        from capipool.apiserver.discovery import catalog  # not before somebody asks: a start need not wait for it

        if path == "/version":
            return catalog.Document("application/json", codec.encode_json(_VERSION), "")
        if path == "/":
            return catalog.Document("application/json", codec.encode_json({"paths": _roots(registry)}), "")
        key = registry if registry.generation else None  # those that serve built-in kinds alone share theirs
        generation, found = self._catalogs.get(key, (-1, None))
        if found is None or generation != registry.generation:
            found = catalog.Catalog(tuple(registry.definitions()))
            self._catalogs[key] = (registry.generation, found)
        document = found.answer(path, accept)
        if document is None:
            raise NotFound("the server could not find the requested resource")
        return document

    def forget(self, registry: Registry) -> None:
        """Let go of a space's documents."""
        self._catalogs.pop(registry, None)


def _roots(registry: Registry) -> list[str]:
    groups = {(d.resource.group, d.resource.version) for d in registry.definitions()}
    apis = sorted(f"/apis/{group}/{version}" for group, version in groups if group)
    names = sorted({f"/apis/{group}" for group, _ in groups if group})
    return [
        "/api",
        "/api/v1",
        "/apis",
        *names,
        *apis,
        "/healthz",
        "/livez",
        "/openapi/v2",
        "/openapi/v3",
        "/readyz",
        "/version",
    ]
