"""Documents that clients send: how a newer one is laid over an older one, and what is never shown again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.machinery.objects import Raw

SECRETS = frozenset({"customData", "adminPassword", "protectedSettings", "userData"})
"""Fields that answers leave out, wherever they stand."""
_NAMED = frozenset({"extensions"})
"""Lists whose items keep by name what a newer document leaves out: what answers hide must survive a GET and a PUT."""


def merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> Raw:
    """The newer document laid over the older one: absent keeps, null removes, lists are replaced whole."""
    result = dict(old)
    for key, value in new.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            before = result.get(key)
            result[key] = merged(before if isinstance(before, Mapping) else {}, value)
        elif key in _NAMED and isinstance(value, list):
            result[key] = _by_name(result.get(key) or [], value)
        else:
            result[key] = value
    return result


def _by_name(old: list[Raw], new: list[Raw]) -> list[Raw]:
    known = {item.get("name"): item for item in old}
    return [merged(known.get(item.get("name"), {}), item) for item in new]


def shown(value: Any) -> Any:
    """The document without its secrets: a copy, safe to change."""
    if isinstance(value, Mapping):
        return {key: shown(item) for key, item in value.items() if key not in SECRETS}
    if isinstance(value, list):
        return [shown(item) for item in value]
    return value
