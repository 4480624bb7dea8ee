"""Objects by their schema, as server-side apply sees them: their paths, merging one over another, removing paths.

What a list or a map is follows `x-kubernetes-list-type` and `x-kubernetes-map-type` (and, for the built-in kinds whose
lists may repeat a key, the patch merge key). What the schema does not know is taken apart where it is an object and
taken as a whole where it is a list.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.apiserver.fieldmanager import paths
from capipool.apiserver.fieldmanager.paths import Path
from capipool.machinery.patch.merge import same

Schema = Mapping[str, Any]
_FREE: Schema = {}


class Leaves:
    """What an object consists of: each owned path with its value, and the paths of the objects that hold them."""

    def __init__(self) -> None:
        self.values: dict[Path, Any] = {}
        self.holders: set[Path] = set()

    @property
    def fields(self) -> paths.Fields:
        """The paths as a set of fields."""
        return frozenset(self.values)


PRESENT = object()
"""The value of a path that is owned by being there: a list item, a key of a map."""


def leaves(value: Mapping[str, Any], schema: Schema) -> Leaves:
    """Take an object apart."""
    found = Leaves()
    _walk_object(value, schema, (), found)
    return found


def differing(old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema) -> tuple[Leaves, Leaves]:
    """Take two states of an object apart, but for the fields that are the same in both: most are, in most writes."""
    before, after = Leaves(), Leaves()
    _walk_both(old, new, schema, (), (before, after))
    return before, after


def _walk_both(
    old: Mapping[str, Any], new: Mapping[str, Any], schema: Schema, path: Path, found: tuple[Leaves, Leaves]
) -> None:
    for one in found:
        one.holders.add(path)
    for key in _differ(old, new):
        values, inner, here = [side.get(key) for side in (old, new)], child(schema, key), (*path, paths.field(key))
        if all(isinstance(v, Mapping) and v for v in values) and not is_atomic_map(inner):
            _walk_both(old[key], new[key], inner, here, found)
        elif all(isinstance(v, list) and list_elements(v, inner) is not None for v in values):
            _walk_both_lists(old[key], new[key], inner, here, found)
        else:
            for side, one in zip((old, new), found, strict=True):
                if key in side:
                    _walk_field(key, side[key], schema, path, one)


def _walk_both_lists(old: list[Any], new: list[Any], schema: Schema, path: Path, found: tuple[Leaves, Leaves]) -> None:
    sides = [dict(zip(list_elements(items, schema) or (), items, strict=True)) for items in (old, new)]
    differ = _differ(*sides)
    for side, one in zip(sides, found, strict=True):
        one.holders.add(path)
        for element in differ:
            if element in side:
                _walk_item(side[element], schema.get("items", _FREE), (*path, element), one)


def _differ(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    return [key for key in {**old, **new} if key not in old or key not in new or not same(old[key], new[key])]


def _walk(value: Any, schema: Schema, path: Path, found: Leaves) -> None:
    if isinstance(value, Mapping) and value and not is_atomic_map(schema):
        _walk_object(value, schema, path, found)
    elif isinstance(value, list) and (elements := list_elements(value, schema)) is not None:
        found.holders.add(path)
        inner = schema.get("items", _FREE)
        for element, each in zip(elements, value, strict=True):
            _walk_item(each, inner, (*path, element), found)
    else:
        found.values[path] = value


def _walk_object(value: Mapping[str, Any], schema: Schema, path: Path, found: Leaves) -> None:
    found.holders.add(path)
    for key, inner in value.items():
        _walk_field(key, inner, schema, path, found)


def _walk_field(key: str, value: Any, schema: Schema, path: Path, found: Leaves) -> None:
    here = (*path, paths.field(key))
    if isinstance(value, Mapping) and value and key not in (schema.get("properties") or _FREE):
        found.values[here] = PRESENT
    _walk(value, child(schema, key), here, found)


def _walk_item(item: Any, schema: Schema, path: Path, found: Leaves) -> None:
    found.values[path] = PRESENT
    if isinstance(item, Mapping):
        _walk_object(item, schema, path, found)


def child(schema: Schema, key: str) -> Schema:
    """The schema of a field, or of the values of a map."""
    found = (schema.get("properties") or _FREE).get(key)
    if found is None:
        found = schema.get("additionalProperties")
    return found if isinstance(found, Mapping) else _FREE


def is_atomic_map(schema: Schema) -> bool:
    """Whether an object is owned as a whole."""
    return schema.get("x-kubernetes-map-type") == "atomic"


def list_elements(value: list[Any], schema: Schema) -> list[str] | None:
    """The path element of each item; None where the list is owned as a whole, or its items cannot be told apart."""
    kind = schema.get("x-kubernetes-list-type")
    if kind == "set":
        elements = [paths.member(each) for each in value]
    elif (keys := _keys(schema)) is not None:
        named = [_identity(each, keys) for each in value]
        if None in named:
            return None
        elements = [each for each in named if each is not None]
    else:
        return None
    return elements if len(set(elements)) == len(elements) else None


def _keys(schema: Schema) -> dict[str, Any] | None:
    """The keys of a list map with their defaults."""
    if schema.get("x-kubernetes-list-type") == "map":
        names = schema.get("x-kubernetes-list-map-keys") or ()
    elif schema.get("x-kubernetes-list-type") is None and "x-kubernetes-patch-merge-key" in schema:
        names = (schema["x-kubernetes-patch-merge-key"],)
    else:
        return None
    properties = schema.get("items", _FREE).get("properties") or _FREE
    return {name: properties.get(name, _FREE).get("default") for name in names}


def _identity(value: Any, keys: Mapping[str, Any]) -> str | None:
    if not isinstance(value, Mapping):
        return None
    named = {k: value.get(k, default) for k, default in keys.items()}
    named = {k: v for k, v in named.items() if v is not None}
    return paths.item(named) if named else None


# -- merging ----------------------------------------------------------------------------------------------------------


def merge(old: Any, new: Any, schema: Schema) -> Any:
    """Lay what is applied over what is there. Fields that are not applied stay; `null` is applied as absent."""
    if isinstance(new, Mapping):
        if is_atomic_map(schema) or not isinstance(old, Mapping):
            return {k: merge(None, v, child(schema, k)) for k, v in new.items() if v is not None}
        result = dict(old)
        for key, value in new.items():
            if value is not None:
                result[key] = merge(old.get(key), value, child(schema, key))
        return result
    if isinstance(new, list) and isinstance(old, list):
        return _merge_lists(old, new, schema)
    return new


def _merge_lists(old: list[Any], new: list[Any], schema: Schema) -> list[Any]:
    """Applied items take the places of those that are there, in the order of the intent; new ones follow."""
    before, after = list_elements(old, schema), list_elements(new, schema)
    if before is None or after is None:
        return new
    inner = schema.get("items", _FREE)
    there = dict(zip(before, old, strict=True))
    wanted = {element: merge(there.get(element), value, inner) for element, value in zip(after, new, strict=True)}
    known = iter([value for element, value in wanted.items() if element in there])
    result = [next(known) if element in wanted else value for element, value in there.items()]
    return result + [value for element, value in wanted.items() if element not in there]


# -- removing ---------------------------------------------------------------------------------------------------------


def remove(value: dict[str, Any], gone: paths.Fields, schema: Schema) -> dict[str, Any]:
    """The object without these paths. What is left empty by that goes too, unless it is an object's root."""
    result = _remove(value, paths.to_v1(gone), schema)
    return result if isinstance(result, dict) else {}


def _remove(value: Any, gone: Mapping[str, Any], schema: Schema) -> Any:
    if isinstance(value, Mapping):
        return _remove_fields(value, gone, schema)
    if isinstance(value, list) and (elements := list_elements(value, schema)) is not None:
        inner = schema.get("items", _FREE)
        kept = [_remaining(each, gone.get(element), inner) for element, each in zip(elements, value, strict=True)]
        return [each for each in kept if each is not None] or None
    return value


def _remove_fields(value: Mapping[str, Any], gone: Mapping[str, Any], schema: Schema) -> dict[str, Any] | None:
    result = dict(value)
    for element, inner in gone.items():
        key = element[2:]
        if element.startswith("f:") and key in result:
            left = _remaining(result[key], inner, child(schema, key))
            if left is None:
                del result[key]
            else:
                result[key] = left
    return result or None


def _remaining(value: Any, gone: Mapping[str, Any] | None, schema: Schema) -> Any:
    """What is left of a value; None for nothing."""
    if gone is None:
        return value
    if not gone or "." in gone:
        return None
    return _remove(value, gone, schema)
