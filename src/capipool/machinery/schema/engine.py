"""The schema engine: what the API server does with an object by its kind's structural schema.

A `Structural` prunes, defaults and validates. It is compiled in parts, each when it is first needed, because a server
that starts knows dozens of schemas and uses a few. It knows nothing of kinds, versions or storage.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

from capipool.machinery.errors import FieldError
from capipool.machinery.schema import checks, defaults, fast, metadata, prune
from capipool.machinery.schema.prune import Pruner

Schema = Mapping[str, Any]


def compile(schema: Schema, *, drop_nulls: bool = False) -> Structural:
    """Make a schema work. `drop_nulls`: a `null` anywhere counts as absent, as it does for Kubernetes' built-in kinds.

    The schema must be structural (see `structural.problems`) and must not change afterwards. Nothing is compiled yet.
    """
    return Structural(schema, drop_nulls=drop_nulls)


class Structural:
    """A structural schema of whole objects, with `apiVersion`, `kind` and `metadata` at the root."""

    def __init__(self, schema: Schema, *, drop_nulls: bool = False) -> None:
        self.source = schema
        """The schema as it was given."""
        self._drop_nulls = drop_nulls

    @cached_property
    def schema(self) -> dict[str, Any]:
        """The schema with what every resource has, at the root and wherever a resource is embedded."""
        return as_resource(self.source)

    def prune(self, obj: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """The object without the fields that the schema does not know, and the paths of those, in order."""
        if not self._drop_nulls and isinstance(meta := obj.get("metadata"), dict) and None in meta.values():
            obj = {**obj, "metadata": without_nulls(meta)}
        if self._is_exact(obj):
            return obj, []
        if self._drop_nulls:
            obj = without_nulls(obj)
        if self._pruner is None:
            return obj, []
        dropped: list[str] = []
        return self._pruner(obj, None, dropped), dropped

    def default(self, obj: dict[str, Any]) -> dict[str, Any]:
        """The object with the schema's defaults where it says nothing; the same object where nothing is missing."""
        return obj if self._defaulter is None else self._defaulter(obj)

    def validate(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[FieldError]:
        """What is wrong with an object, which was `old` before an update. Unchanged fields are let be."""
        if self._surely_fits(obj):
            errors: list[FieldError] = []
        else:
            errors = self.errors(obj, old)
        if not errors and self._rules is not None:
            self._rules(obj, checks.ABSENT if old is None else old, "", errors)
        return errors

    def errors(self, obj: dict[str, Any], old: dict[str, Any] | None = None) -> list[FieldError]:
        """The careful check by itself, CEL rules left aside: slower, with reasons."""
        errors: list[FieldError] = []
        self._check(obj, checks.ABSENT if old is None else old, "", errors)
        return errors

    @cached_property
    def _pruner(self) -> Pruner | None:
        return prune.compile(self.schema)

    @cached_property
    def _defaulter(self) -> defaults.Defaulter | None:
        return defaults.compile(self.schema)

    @cached_property
    def _is_exact(self) -> fast.Validator:
        return fast.compile_exact(self.schema, drop_nulls=self._drop_nulls)

    @cached_property
    def _surely_fits(self) -> fast.Validator:
        return fast.compile(self.schema)

    @cached_property
    def _check(self) -> checks.Check:
        return checks.compile(self.schema)

    @cached_property
    def _rules(self) -> checks.Check | None:
        return checks.compile_rules(self.schema)


def as_resource(schema: Schema) -> dict[str, Any]:
    """The schema of an object from the schema of its content: `apiVersion`, `kind` and `metadata` are typed, always."""
    full = _with_embedded(schema)
    properties = dict(full.get("properties") or {})
    properties["apiVersion"] = {"type": "string", **properties.get("apiVersion", {})}
    properties["kind"] = {"type": "string", **properties.get("kind", {})}
    properties["metadata"] = _metadata(properties.get("metadata") or {})
    return {**full, "type": "object", "properties": properties}


def _metadata(own: Schema) -> dict[str, Any]:
    """`ObjectMeta`, and what a schema demands of it beyond (a CRD may limit names)."""
    limits = {k: v for k, v in own.items() if k not in ("type", "description", "default")}
    return {**metadata.OBJECT_META, "allOf": [limits]} if limits else metadata.OBJECT_META


def _with_embedded(schema: Schema) -> dict[str, Any]:
    result = dict(schema)
    if isinstance(schema.get("properties"), Mapping):
        result["properties"] = {name: _with_embedded(s) for name, s in schema["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            result[keyword] = _with_embedded(schema[keyword])
    if schema.get("x-kubernetes-embedded-resource"):
        properties = dict(result.get("properties") or {})
        properties.setdefault("apiVersion", {"type": "string"})
        properties.setdefault("kind", {"type": "string"})
        properties["metadata"] = _metadata(properties.get("metadata") or {})
        result["properties"] = properties
    return result


def without_nulls(value: Any) -> Any:
    """A value without the members of objects that are `null`; the very value where there are none."""
    if isinstance(value, dict):
        result = value
        for key, item in value.items():
            if item is None:
                kept = None
            elif item.__class__ is dict or item.__class__ is list:
                kept = without_nulls(item)
            else:
                continue
            if kept is not item or item is None:
                if result is value:
                    result = dict(value)
                if kept is None:
                    del result[key]
                else:
                    result[key] = kept
        return result
    if isinstance(value, list):
        items = [without_nulls(item) for item in value]
        return value if all(a is b for a, b in zip(items, value, strict=True)) else items
    return value
