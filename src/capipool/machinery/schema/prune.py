"""Pruning: dropping the fields that a schema does not know, and naming them.

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
    if inner is None:
        return None

    def prune(value: Any, path: Path, dropped: list[str]) -> Any:
        if not isinstance(value, dict):
            return value
        result = value
        for key, item in value.items():
            pruned = inner(item, (path, f".{key}"), dropped)
            if pruned is not item:
                if result is value:
                    result = dict(value)
                result[key] = pruned
        return result

    return prune


def _object_pruner(properties: Mapping[str, Schema], preserves: bool) -> Pruner | None:
    known = frozenset(properties)
    inner = {name: (pruner, f".{name}") for name, s in properties.items() if (pruner := compile(s)) is not None}
    if preserves and not inner:
        return None

    def prune(value: Any, path: Path, dropped: list[str]) -> Any:
        if not isinstance(value, dict):
            return value
        result = value
        if not preserves and not value.keys() <= known:
            dropped.extend(spell((path, f".{key}")) for key in value if key not in known)
            result = {key: item for key, item in value.items() if key in known}
        for key, item in value.items():
            found = inner.get(key)
            if found is None:
                continue
            pruner, part = found
            pruned = pruner(item, (path, part), dropped)
            if pruned is not item:
                if result is value:
                    result = dict(value)
                result[key] = pruned
        return result

    return prune
