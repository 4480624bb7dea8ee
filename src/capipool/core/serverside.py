"""Server-side apply without writes that change nothing: whether applying an object would make a difference. Pure.

Whoever applies an object owns the fields it names; a field left out of the next apply goes. Both are seen from the
object as it is: its values, and what its `managedFields` say of our last apply.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.machinery import objects
from capipool.machinery.objects import Object, Raw


def needs_apply(existing: Object, desired: Mapping[str, Any], manager: str) -> bool:
    """Whether applying `desired` under this name would change the object."""
    raw = objects.origin(existing)
    if not _contains(raw, desired):
        return True
    return any(_drops(fields, desired) for fields in _owned(raw, manager))


def _contains(actual: Any, wanted: Any) -> bool:
    """Whether everything wanted is there. Lists must be the same: what order or number means is the schema's."""
    if isinstance(wanted, Mapping):
        there = actual if isinstance(actual, Mapping) else {}
        return all(_contains(there.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return _contains_list(actual if isinstance(actual, list) else [], wanted)
    return bool(actual == wanted) or (actual is None and wanted in ("", 0, False))


def _contains_list(actual: list[Any], wanted: list[Any]) -> bool:
    if not all(isinstance(item, Mapping) for item in wanted):
        return actual == wanted
    return all(any(_contains(item, want) for item in actual) for want in wanted)


def _owned(raw: Raw, manager: str) -> list[Any]:
    """What was applied under this name, as trees of fields."""
    entries = (raw.get("metadata") or {}).get("managedFields") or ()
    return [
        e.get("fieldsV1") or {}
        for e in entries
        if e.get("manager") == manager and e.get("operation") == "Apply" and not e.get("subresource")
    ]


def _drops(fields: Mapping[str, Any], desired: Any) -> bool:
    """Whether something we own is not wanted any more."""
    if isinstance(desired, list):
        return sum(key.startswith("k:") for key in fields) > len(desired)
    if not isinstance(desired, Mapping):
        return False
    for key, inner in fields.items():
        name = key.removeprefix("f:")
        if not key.startswith("f:"):
            continue
        if name not in desired or (inner and _drops(inner, desired[name])):
            return True
    return False
