"""Reading fields of objects whose type is somebody else's: a value of a wrong type counts as absent.

The contract says what a field holds, but only the provider's own schema enforces it; a reconciler must not fail on it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def at(value: Any, *path: str) -> Any:
    """What stands at a path; None where any part of it is not there."""
    for name in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


def text(value: Any, *path: str) -> str:
    """Text at a path, or empty."""
    found = at(value, *path)
    return found if isinstance(found, str) else ""


def flag(value: Any, *path: str) -> bool:
    """Whether `true` stands at a path."""
    return at(value, *path) is True


def number(value: Any, *path: str) -> int | None:
    """A whole number at a path."""
    found = at(value, *path)
    return found if isinstance(found, int) and not isinstance(found, bool) else None


def texts(value: Any, *path: str) -> tuple[str, ...]:
    """The texts in a list at a path, without what is none."""
    found = at(value, *path)
    return tuple(item for item in found if isinstance(item, str)) if isinstance(found, list) else ()


def objects(value: Any, *path: str) -> tuple[Mapping[str, Any], ...]:
    """The objects in a list at a path, without what is none."""
    found = at(value, *path)
    return tuple(item for item in found if isinstance(item, Mapping)) if isinstance(found, list) else ()
