"""Structural schemas as OpenAPI documents carry them: named, referring to one another, in version 3 or in version 2.

Version 2 knows less (no `nullable`, no `anyOf`), and kubectl takes a field of unknown content there for one that may
hold anything only where it has no type at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.apiserver.builtin import types
from capipool.apiserver.builtin.definition import Definition
from capipool.machinery.objects import Raw
from capipool.machinery.schema.metadata import OBJECT_META

Schema = Mapping[str, Any]

GVK = "x-kubernetes-group-version-kind"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"
_TYPES = "io.k8s.api"
_KEPT_BY_V2 = frozenset(
    {"type", "format", "description", "required", "x-kubernetes-patch-strategy", "x-kubernetes-patch-merge-key"}
    | {"x-kubernetes-list-type", "x-kubernetes-list-map-keys", "x-kubernetes-map-type"}
)
_CHILDREN = frozenset({"properties", "items", "additionalProperties"})


class Collector:
    """Gathers the schemas of some kinds, and of every type that they refer to, by name."""

    def __init__(self, prefix: str, *, version: int) -> None:
        self.found: dict[str, Raw] = {}
        self._prefix = prefix
        self._version = version

    def add(self, definition: Definition) -> str:
        """Take a kind in and return the name of its schema."""
        name = name_of(definition)
        source = definition.schema
        if self._is_free(source):
            source = {"type": "object"}
        properties = {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            **(source.get("properties") or {}),
            "metadata": OBJECT_META,
        }
        self.found[name] = self._inline({**source, "type": "object", "properties": properties}) | {
            GVK: [definition.gvk]
        }
        return name

    def _convert(self, schema: Schema) -> Raw:
        """A schema, or a reference to it where it is a type with a name."""
        name = _META if schema is OBJECT_META else types.name_of(schema)  # type: ignore[arg-type]
        if name is None:
            return self._inline(schema)
        name = name if schema is OBJECT_META else f"{_TYPES}.{name}"
        if name not in self.found:
            self.found[name] = {}  # a type may hold itself
            self.found[name] = self._inline(schema)
        return {"$ref": self._prefix + name}

    def _inline(self, schema: Schema) -> Raw:
        if self._version == 2 and (self._is_free(schema) or schema.get("x-kubernetes-int-or-string")):
            return {}
        result: Raw = {}
        for key, value in schema.items():
            if key not in _CHILDREN:
                if self._version == 3 or key in _KEPT_BY_V2:
                    result[key] = value
            elif key == "properties":
                result[key] = {name: self._convert(inner) for name, inner in value.items()}
            elif isinstance(value, Mapping):
                result[key] = self._convert(value)
            elif self._version == 3:
                result[key] = value
        if schema.get("x-kubernetes-int-or-string") and "anyOf" not in result:
            result |= {"format": "int-or-string", "oneOf": [{"type": "integer"}, {"type": "string"}]}
        return result

    def _is_free(self, schema: Schema) -> bool:
        """Whether it may hold anything. Version 2 has no way to name some fields and let others be."""
        return self._version == 2 and bool(schema.get("x-kubernetes-preserve-unknown-fields"))


def name_of(definition: Definition) -> str:
    """What a kind's schema is called: the group backwards, the version, the kind."""
    resource = definition.resource
    if definition.builtin:
        group = resource.group.partition(".")[0] or "core"
        return f"{_TYPES}.{group}.{resource.version}.{resource.kind}"
    return ".".join([*reversed(resource.group.split(".")), resource.version, resource.kind])
