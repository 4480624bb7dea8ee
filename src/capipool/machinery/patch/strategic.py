"""Strategic merge patch: a merge patch that knows which lists are sets and which are maps.

What the patch may do to a list is written in the schema of the field: `x-kubernetes-patch-strategy` and
`x-kubernetes-patch-merge-key`. A field without them, or that the schema does not know, is merged as by a merge patch.
Directives inside the patch (`$patch`, `$retainKeys`, `$deleteFromPrimitiveList/f`, `$setElementOrder/f`) are obeyed and
never reach the result.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.machinery.errors import BadRequest

Schema = Mapping[str, Any]

STRATEGY = "x-kubernetes-patch-strategy"
MERGE_KEY = "x-kubernetes-patch-merge-key"
_PATCH = "$patch"
_RETAIN = "$retainKeys"
_DELETE_FROM = "$deleteFromPrimitiveList/"
_ORDER = "$setElementOrder/"
_NOTHING: Schema = {}


def apply(doc: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """The document with the patch laid over it. Raises BadRequest where a directive or a merge key is malformed."""
    if not isinstance(patch, Mapping):
        raise BadRequest(f"a strategic merge patch is an object, not {type(patch).__name__}")
    return _merge_map(doc, patch, schema)


def _merge_map(old: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    if _PATCH in patch:
        directive = patch[_PATCH]
        if directive == "delete":
            return {}
        if directive == "replace":
            return _without_directives({k: v for k, v in patch.items() if k != _PATCH}, schema)
        if directive != "merge":
            raise BadRequest(f"unknown patch type {directive!r}: it must be merge, replace or delete")
    result = dict(old)
    if _RETAIN in patch:
        _retain(result, patch)
    for key, value in patch.items():
        if key[:1] == "$":
            if key not in (_PATCH, _RETAIN) and not key.startswith((_DELETE_FROM, _ORDER)):
                result[key] = value
            continue
        if value is None:
            result.pop(key, None)
        else:
            result[key] = _merge_field(key, result.get(key), value, patch, _field(schema, key))
    _apply_list_directives(result, old, patch, schema)
    return result


def _merge_field(key: str, old: Any, new: Any, patch: Mapping[str, Any], schema: Schema) -> Any:
    if isinstance(new, Mapping):
        if isinstance(old, Mapping) and "replace" not in schema.get(STRATEGY, ""):
            return _merge_map(old, new, schema)
        return _without_directives(new, schema)
    if isinstance(new, list):
        if isinstance(old, list) and "merge" in schema.get(STRATEGY, ""):
            return _merge_list(key, old, new, schema, patch.get(_ORDER + key))
        return _plain_list(new, schema)
    return new


def _field(schema: Schema, key: str) -> Schema:
    """The schema of one field; of a map's value where the object is a map."""
    properties = schema.get("properties")
    if properties is not None and key in properties:
        found: Schema = properties[key]
        return found
    rest = schema.get("additionalProperties")
    return rest if isinstance(rest, Mapping) else _NOTHING


def _retain(result: dict[str, Any], patch: Mapping[str, Any]) -> None:
    keep = patch[_RETAIN]
    if not isinstance(keep, list):
        raise BadRequest("$retainKeys must be a list of field names")
    if missing := [k for k, v in patch.items() if k[:1] != "$" and v is not None and k not in keep]:
        raise BadRequest(f"$retainKeys must name every field of its patch, and does not name {missing[0]!r}")
    for key in [k for k in result if k not in keep]:
        del result[key]


def _apply_list_directives(
    result: dict[str, Any], old: Mapping[str, Any], patch: Mapping[str, Any], schema: Schema
) -> None:
    """Deletions from lists of plain values, and orders for lists that the patch itself does not carry."""
    for directive, operand in patch.items():
        if directive[:1] != "$":
            continue
        if directive.startswith(_DELETE_FROM):
            _delete_from(result, directive.removeprefix(_DELETE_FROM), operand)
        elif directive.startswith(_ORDER):
            key = directive.removeprefix(_ORDER)
            before = old.get(key)
            if key not in patch and isinstance(before, list) and isinstance(result.get(key), list):
                merge_key = _field(schema, key).get(MERGE_KEY)
                result[key] = _ordered(key, result[key], before, operand, merge_key)


def _delete_from(result: dict[str, Any], key: str, values: Any) -> None:
    if not isinstance(values, list):
        raise BadRequest(f"$deleteFromPrimitiveList/{key} must be a list")
    if isinstance(result.get(key), list):
        result[key] = [v for v in result[key] if v not in values]


def _merge_list(key: str, old: list[Any], new: list[Any], schema: Schema, order: Any) -> list[Any]:
    merge_key = schema.get(MERGE_KEY)
    if merge_key is None or not any(isinstance(item, Mapping) for item in new or old):
        merged = old + [v for i, v in enumerate(new) if v not in old and v not in new[:i]]
    elif any(isinstance(item, Mapping) and item.get(_PATCH) == "replace" for item in new):
        rest = [item for item in new if not (isinstance(item, Mapping) and item.get(_PATCH) == "replace")]
        return _plain_list(rest, schema)
    else:
        merged = _merge_items(key, old, new, merge_key, schema.get("items", _NOTHING))
    return merged if order is None else _ordered(key, merged, old, order, merge_key)


def _merge_items(key: str, old: list[Any], new: list[Any], merge_key: str, schema: Schema) -> list[Any]:
    """Items of the same identity are merged in place, the others follow in the order of the patch."""
    by_identity: dict[Any, Any] = {}
    for item in old:
        identity = item.get(merge_key) if isinstance(item, Mapping) else None
        by_identity.setdefault(identity if identity is not None else id(item), item)
    for item in new:
        identity = _identity(key, item, merge_key)
        directive = item.get(_PATCH)
        if directive == "delete":
            by_identity.pop(identity, None)
        elif identity in by_identity:
            by_identity[identity] = _merge_map(by_identity[identity], item, schema)
        else:
            by_identity[identity] = _without_directives(item, schema)
    return list(by_identity.values())


def _identity(key: str, item: Any, merge_key: str) -> Any:
    if not isinstance(item, Mapping):
        raise BadRequest(f"{key}: an item of this list must be an object")
    identity = item.get(merge_key)
    if identity is None or isinstance(identity, Mapping | list):
        raise BadRequest(f"{key}: an item of the patch does not contain the declared merge key: {merge_key}")
    return identity


def _ordered(key: str, merged: list[Any], before: list[Any], order: Any, merge_key: str | None) -> list[Any]:
    """Put the items that `order` names into that order, and leave the server's other items near where they were."""
    if not isinstance(order, list):
        raise BadRequest(f"$setElementOrder/{key} must be a list")

    def name(item: Any) -> Any:
        value = (item.get(merge_key) if merge_key else None) if isinstance(item, Mapping) else item
        return str(value) if isinstance(value, Mapping | list) else value

    wanted = {name(item): i for i, item in enumerate(order)}
    place = {name(item): i for i, item in enumerate(before)}
    named = sorted((item for item in merged if name(item) in wanted), key=lambda item: wanted[name(item)])
    others = [item for item in merged if name(item) not in wanted]
    result: list[Any] = []
    position = 0
    for item in named:
        here = place.get(name(item), -1)
        while position < len(others) and place.get(name(others[position]), len(place)) < here:
            result.append(others[position])
            position += 1
        result.append(item)
    return result + others[position:]


def _without_directives(value: Mapping[str, Any], schema: Schema) -> dict[str, Any]:
    """A new object of the patch as it enters the document: no directives, no nulls, nothing that deletes."""
    if value.get(_PATCH) == "delete":
        return {}
    result: dict[str, Any] = {}
    for key, inner in value.items():
        if inner is None or key in (_PATCH, _RETAIN) or key.startswith((_DELETE_FROM, _ORDER)):
            continue
        if isinstance(inner, Mapping):
            result[key] = _without_directives(inner, _field(schema, key))
        elif isinstance(inner, list):
            result[key] = _plain_list(inner, _field(schema, key))
        else:
            result[key] = inner
    return result


def _plain_list(items: list[Any], schema: Schema) -> list[Any]:
    inner = schema.get("items", _NOTHING)
    return [
        _without_directives(item, inner) if isinstance(item, Mapping) else item
        for item in items
        if not (isinstance(item, Mapping) and item.get(_PATCH) in ("delete", "replace"))
    ]
