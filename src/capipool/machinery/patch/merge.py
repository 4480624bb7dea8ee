"""JSON merge patch (RFC 7396): apply one, and make one from two documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from capipool.machinery.errors import BadRequest


def apply(doc: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    """The document with the patch laid over it. `null` removes, lists are replaced whole.

    Raises BadRequest where the patch is no object: the result must be one.
    """
    if not isinstance(patch, Mapping):
        raise BadRequest(f"a merge patch is an object, not {type(patch).__name__}")
    return cast(dict[str, Any], _apply(doc, patch))


def _apply(doc: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping):
        return patch
    result = dict(doc) if isinstance(doc, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            result[key] = _apply(result.get(key), value)
        else:
            result[key] = value
    return result


def diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any] | None:
    """The patch that makes `new` of `old`; None when they are equal. Lists are replaced whole.

    A `null` inside `new` counts as absent, since no merge patch can set one.
    """
    return _diff(old, new) or None


def _diff(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    patch: dict[str, Any] = {}
    for key, value in new.items():
        before = old.get(key)
        if value is None or same(before, value):
            continue
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if changed := _diff(before, value):
                patch[key] = changed
        else:
            patch[key] = value
    for key, before in old.items():
        if before is not None and new.get(key) is None:
            patch[key] = None
    return patch


def same(a: Any, b: Any) -> bool:
    """Whether values are equal as JSON: in Python `True == 1` and `1 == 1.0`, on the wire the first two differ."""
    if a is b:
        return True
    if a != b:
        return False
    if isinstance(a, bool) or isinstance(b, bool):
        return type(a) is type(b)
    if isinstance(a, Mapping):
        return all(same(v, b[k]) for k, v in a.items())
    if isinstance(a, list | tuple):
        return all(map(same, a, b))
    return True
