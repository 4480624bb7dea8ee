"""Pruning: dropping the fields that a schema does not know, and naming them.

A `null` in a field that may not be null counts as absent and is dropped without a word, as in Kubernetes; where the
field has a default it is left for the defaults to replace.

A compiled pruner returns the very object it was given where there is nothing to drop, so that the usual case allocates
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]
Path = tuple[Any, str] | None
"""A linked path, made on the way down for the price of a tuple and spelt out only when something is dropped."""
Pruner = Callable[[Any, Path, list[str]], Any]


def spell(path: Path) -> str:
    """The path as users write it."""
    parts: list[str] = []
    while path is not None:
        path, part = path
        parts.append(part)
    return "".join(reversed(parts)).lstrip(".")


def compile(schema: Schema) -> Pruner | None:
    """The pruner of a schema; None where it never drops anything."""
    properties = schema.get("properties") or {}
    rest = schema.get("additionalProperties")
    if "items" in schema:
        return _list_pruner(schema["items"])
    if isinstance(rest, Mapping):
        return _map_pruner(rest)
    preserves = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or rest is True
    if properties or schema.get("type") == "object":
        return _object_pruner(properties, preserves)
    return None


def _list_pruner(items: Schema) -> Pruner | None:
    inner = compile(items)
    if inner is None:
        return None

    def prune(value: Any, path: Path, dropped: list[str]) -> Any:
        if not isinstance(value, list):
            return value
        result = value
        for i, item in enumerate(value):
            pruned = inner(item, (path, f"[{i}]"), dropped)
            if pruned is not item:
                if result is value:
                    result = list(value)
                result[i] = pruned
        return result

    return prune


def _map_pruner(values: Schema) -> Pruner | None:
    inner = compile(values)
    nullable = bool(values.get("nullable") or values.get("x-kubernetes-preserve-unknown-fields"))
    if inner is None and nullable:
        return None

    def prune(value: Any, path: Path, dropped: list[str]) -> Any:
        if not isinstance(value, dict):
            return value
        if not nullable and None in value.values():
            value = {key: item for key, item in value.items() if item is not None}
        return value if inner is None else _prune_values(value, inner, path, dropped)

    return prune


def _prune_values(value: dict[str, Any], inner: Pruner, path: Path, dropped: list[str]) -> dict[str, Any]:
    result = value
    for key, item in value.items():
        pruned = inner(item, (path, f".{key}"), dropped)
        if pruned is not item:
            if result is value:
                result = dict(value)
            result[key] = pruned
    return result


def _object_pruner(properties: Mapping[str, Schema], preserves: bool) -> Pruner | None:
    known = frozenset(properties)
    not_null = frozenset(n for n, s in properties.items() if not s.get("nullable") and s.get("default") is None)
    inner = {name: (pruner, f".{name}") for name, s in properties.items() if (pruner := compile(s)) is not None}
    if preserves and not known:
        return None

    def prune(value: Any, path: Path, dropped: list[str]) -> Any:
        if not isinstance(value, dict):
            return value
        result = value
        if not preserves and not value.keys() <= known:
            dropped.extend(spell((path, f".{key}")) for key in value if key not in known)
            result = {key: item for key, item in value.items() if key in known}
        if None in value.values():
            result = {key: item for key, item in result.items() if item is not None or key not in not_null}
        for key, item in value.items():
            found = inner.get(key)
            if found is None or item is None:
                continue
            pruner, part = found
            pruned = pruner(item, (path, part), dropped)
            if pruned is not item:
                if result is value:
                    result = dict(value)
                result[key] = pruned
        return result

    return prune
