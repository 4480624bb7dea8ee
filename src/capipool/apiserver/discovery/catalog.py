"""All that a server says about itself, each document written when it is first asked for and kept as bytes.

The registry makes a new catalog whenever the set of kinds changes; the HTTP front hands it paths and `Accept` headers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.discovery import listings, openapi, protobuf

_JSON = "application/json"
_AGGREGATED_VERSIONS = ("v2", "v2beta1")


class Document(msgspec.Struct, frozen=True):
    """One answer."""

    content_type: str
    body: bytes
    etag: str
    """In quotes, as the header has it. Aggregated discovery is polled with `If-None-Match`."""


class Catalog:
    """What can be found out about some definitions. Immutable but for what it remembers."""

    def __init__(self, definitions: Sequence[Definition]) -> None:
        # Built-in groups first and CRDs in alphabetical order, so that the same kinds always give the same bytes.
        self._definitions = sorted(definitions, key=_order)
        self._made: dict[tuple[str, str], Document] = {}

    def answer(self, path: str, accept: str = _JSON) -> Document | None:
        """The document at a path (without query) in the best form that a client accepts; None where there is none."""
        form = _form(path, accept)
        known = self._made.get((path, form))
        if known is None:
            known = self._make(path, form)
            if known is not None:
                self._made[path, form] = known
        return known

    def _make(self, path: str, form: str) -> Document | None:
        if form.startswith("v2"):
            body: Any = listings.aggregated(self._definitions, core=path == "/api", version=form)
            content_type = f"{_JSON};g=apidiscovery.k8s.io;v={form};as=APIGroupDiscoveryList"
            return _document(content_type, msgspec.json.encode(body))
        if form == "protobuf":
            return _document(protobuf.CONTENT_TYPE, protobuf.encode(openapi.v2(self._definitions)))
        body = self._json(path.rstrip("/"))
        return None if body is None else _document(_JSON, msgspec.json.encode(body))

    def _json(self, path: str) -> Any:
        match path.split("/")[1:]:
            case ["api"]:
                return listings.core_versions()
            case ["api", version]:
                return self._resources("", version)
            case ["apis"]:
                return listings.group_list(self._definitions)
            case ["apis", group]:
                return listings.group(self._definitions, group) if self._serves(group) else None
            case ["apis", group, version]:
                return self._resources(group, version)
            case ["openapi", "v2"]:
                return openapi.v2(self._definitions)
            case ["openapi", "v3"]:
                return {"paths": self._v3_index()}
            case ["openapi", "v3", "api", version]:
                return self._v3("", version)
            case ["openapi", "v3", "apis", group, version]:
                return self._v3(group, version)
        return None

    def _serves(self, group: str, version: str = "") -> bool:
        return any(
            d.resource.group == group and (not version or d.resource.version == version) for d in self._definitions
        )

    def _resources(self, group: str, version: str) -> Any:
        return listings.resource_list(self._definitions, group, version) if self._serves(group, version) else None

    def _v3(self, group: str, version: str) -> Any:
        found = [d for d in self._definitions if (d.resource.group, d.resource.version) == (group, version)]
        return openapi.v3(found) if found else None

    def _v3_index(self) -> dict[str, Any]:
        """Each document's address carries a hash of what it describes, by which clients keep it."""
        index = {}
        for group, version in dict.fromkeys((d.resource.group, d.resource.version) for d in self._definitions):
            name = f"apis/{group}/{version}" if group else f"api/{version}"
            document = self.answer(f"/openapi/v3/{name}")
            assert document is not None
            index[name] = {"serverRelativeURL": f"/openapi/v3/{name}?hash={document.etag.strip(chr(34))}"}
        return index


def _order(definition: Definition) -> tuple[str, str, tuple[int, int, int, str]]:
    if definition.builtin:
        return ("", "", (0, 0, 0, ""))
    resource = definition.resource
    return (resource.group, resource.plural, listings.version_priority(resource.version))


def _form(path: str, accept: str) -> str:
    """Which form of a document is wanted: a version of aggregated discovery, protobuf, or JSON."""
    if path in ("/api", "/apis"):
        for part in accept.split(","):
            if "as=APIGroupDiscoveryList" in part:
                version = next((v for v in _AGGREGATED_VERSIONS if f"v={v};" in f"{part.replace(' ', '')};"), None)
                if version is not None:
                    return version
            elif part.strip().startswith(_JSON):
                break
    if path == "/openapi/v2" and "proto-openapi" in accept.split(",")[0]:
        return "protobuf"
    return "json"


def _document(content_type: str, body: bytes) -> Document:
    digest = hashlib.sha256(body).hexdigest()[:32].upper()
    return Document(content_type, body, f'"{digest}"')
