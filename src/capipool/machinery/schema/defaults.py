"""Defaulting: laying a schema's `default` values into what is absent, from the outside in.

A compiled defaulter returns the very object it was given where nothing is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Schema = Mapping[str, Any]
Defaulter = Callable[[Any], Any]


def compile(schema: Schema) -> Defaulter | None:
    """The defaulter of what is inside a schema; None where it has no defaults."""
    if "items" in schema:
        return _list_defaulter(schema["items"])
    rest = schema.get("additionalProperties")
    if isinstance(rest, Mapping):
        return _map_defaulter(rest)
    return _object_defaulter(schema.get("properties") or {})


def _list_defaulter(items: Schema) -> Defaulter | None:
    inner = compile(items)
    if inner is None:
        return None

    def default(value: Any) -> Any:
        if not isinstance(value, list):
            return value
        result = [inner(item) for item in value]
        return value if all(a is b for a, b in zip(result, value, strict=True)) else result

    return default


def _map_defaulter(values: Schema) -> Defaulter | None:
    inner = compile(values)
    if inner is None:
        return None

    def default(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        result = {key: inner(item) for key, item in value.items()}
        return value if all(result[key] is item for key, item in value.items()) else result

    return default


def _object_defaulter(properties: Mapping[str, Schema]) -> Defaulter | None:
    missing = {name: _copier(s["default"]) for name, s in properties.items() if s.get("default") is not None}
    not_null = [name for name in missing if not properties[name].get("nullable")]
    inner = {name: d for name, s in properties.items() if (d := compile(s)) is not None}
    if not missing and not inner:
        return None

    def default(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        result = value
        absent = missing.keys() - value.keys()
        absent.update(name for name in not_null if name in value and value[name] is None)
        if absent:
            # In the order of the schema, so that the same object is always written the same way.
            result = value | {name: copy() for name, copy in missing.items() if name in absent}
        for name, fill in inner.items():
            if name not in result:
                continue
            filled = fill(result[name])
            if filled is not result[name]:
                if result is value:
                    result = dict(value)
                result[name] = filled
        return result

    return default


def _copier(value: Any) -> Callable[[], Any]:
    """A default that is a container is decoded anew each time: whoever gets it may change it."""
    if not isinstance(value, dict | list):
        return lambda: value
    data = msgspec.json.encode(value)
    return lambda: msgspec.json.decode(data)
