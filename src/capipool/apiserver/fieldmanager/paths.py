"""Sets of field paths, and `FieldsV1`, the form in which `metadata.managedFields` carries them.

A path is a tuple of elements as FieldsV1 spells them: `f:spec`, `k:{"type":"Ready"}` for an item of a list map, `v:"x"`
for an item of a set. A set of fields is a frozenset of paths, so that union and difference are Python's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

Path = tuple[str, ...]
Fields = frozenset[Path]
NOTHING: Fields = frozenset()

_canonical = msgspec.json.Encoder(order="deterministic")


def field(name: str) -> str:
    """The element of an object's field."""
    return f"f:{name}"


def item(keys: Mapping[str, Any]) -> str:
    """The element of an item of a list map."""
    return "k:" + _canonical.encode(keys).decode()


def member(value: Any) -> str:
    """The element of an item of a set."""
    return "v:" + _canonical.encode(value).decode()


def parse(fields: Mapping[str, Any]) -> Fields:
    """Read FieldsV1. What is malformed is no path and is left out."""
    return frozenset(_parse(fields, ()))


def _parse(fields: Mapping[str, Any], path: Path) -> Iterator[Path]:
    for element, inner in fields.items():
        if element == ".":
            yield path
        elif isinstance(inner, Mapping) and inner:
            yield from _parse(inner, (*path, element))
        else:
            yield (*path, element)


def to_v1(fields: Iterable[Path]) -> dict[str, Any]:
    """The inverse of `parse`, in sorted order, so that equal sets are written alike."""
    root: dict[str, Any] = {}
    for path in sorted(fields):
        node = root
        for element in path:
            node = node.setdefault(element, {})
        # In sorted order a path comes before those beneath it: those that follow find it a leaf that must stay a
        # member.
        node["."] = {}
    return _without_lone_dots(root)


def _without_lone_dots(node: dict[str, Any]) -> dict[str, Any]:
    """A leaf is a member without saying so."""
    return {k: {} if v.keys() == {"."} else _without_lone_dots(v) for k, v in node.items()}


def with_ancestors(fields: Iterable[Path]) -> set[Path]:
    """The paths and everything above them."""
    found: set[Path] = set()
    for path in fields:
        while path not in found:
            found.add(path)
            path = path[:-1]
    return found


def show(path: Path) -> str:
    """A path as a person reads it: `.spec.containers[name="a"].image`."""
    return "".join(_show(element) for element in path)


def _show(element: str) -> str:
    kind, _, text = element.partition(":")
    if kind == "k":
        keys = msgspec.json.decode(text)
        return "[" + ",".join(f"{k}={msgspec.json.encode(v).decode()}" for k, v in keys.items()) + "]"
    if kind == "v":
        return f"[={text}]"
    return f"[{text}]" if kind == "i" else f".{text}"
