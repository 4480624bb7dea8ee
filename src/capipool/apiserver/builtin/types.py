"""The schemas of built-in kinds, from a compact notation (`types.txt`), each made when it is first asked for.

One line a type: its name (with `@` where it is atomic for server-side apply), then its fields as `name=type`, or
`name!=type` where required. A type is one of

    str int int32 num bool time bytes qty intstr any meta     a scalar, or anything, or ObjectMeta
    str(A|B)   str~x                                           an enumeration; a default
    Name       +Name                                           another type; merged with the retainKeys strategy
    {}T        {atomic}T                                       a map; one that apply takes as a whole
    []T        [set]T                                          a list that is replaced as a whole; a set
    [a,b]T     [~a]T    [a+]T                                  a list map by these keys; one in which keys may recur;
                                                               one whose items retain only the keys of a patch
"""

from __future__ import annotations

import pathlib
import re
from collections.abc import Callable
from functools import cache
from typing import Any

from capipool.machinery.schema import metadata

Schema = dict[str, Any]

_SCALARS: dict[str, Schema] = {
    "str": {"type": "string"},
    "int": {"type": "integer", "format": "int64"},
    "int32": {"type": "integer", "format": "int32"},
    "num": {"type": "number"},
    "bool": {"type": "boolean"},
    "time": {"type": "string", "format": "date-time"},
    "bytes": {"type": "string", "format": "byte"},
    "qty": {"x-kubernetes-int-or-string": True},
    "intstr": {"x-kubernetes-int-or-string": True},
    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
}
_DEFAULTS: dict[str, Callable[[str], Any]] = {"integer": int, "boolean": lambda text: text == "true"}
_FIELD = re.compile(r"(?P<name>[^=!]+)(?P<required>!?)=(?P<type>.+)")
_LIST = re.compile(r"\[(?P<loose>~?)(?P<keys>[^]+]*)(?P<retain>\+?)\](?P<items>.+)")
_MAP = re.compile(r"\{(?P<atomic>(?:atomic)?)\}(?P<values>.+)")
_SCALAR = re.compile(r"(?P<base>\w+)(?:\((?P<enum>[^)]*)\))?(?:~(?P<default>.+))?")


@cache
def _lines() -> dict[str, str]:
    text = pathlib.Path(__file__).with_name("types.txt").read_text("utf-8")
    lines = (line.partition(" ") for line in text.splitlines() if line and not line.startswith("#"))
    return {name: rest for name, _, rest in lines}


_names: dict[int, str] = {}


@cache
def schema(name: str) -> Schema:
    """The schema of a type, always the same object. Raises KeyError where there is no such type."""
    atomic = f"{name}@" in _lines()
    properties: dict[str, Schema] = {}
    required: list[str] = []
    for text in _lines()[f"{name}@" if atomic else name].split():
        found = _FIELD.fullmatch(text)
        assert found is not None, f"{name}: {text}"
        properties[found["name"]] = _type(found["type"])
        if found["required"]:
            required.append(found["name"])
    result: Schema = {"type": "object", "properties": properties}
    if required:
        result["required"] = required
    if atomic:
        result["x-kubernetes-map-type"] = "atomic"
    _names[id(result)] = name
    return result


def name_of(node: Schema) -> str | None:
    """The name of the type whose schema this very object is, for documents that refer to types."""
    return _names.get(id(node))


def _type(text: str) -> Schema:
    if text == "meta":
        return metadata.OBJECT_META
    if text.startswith("+"):
        return {**schema(text[1:]), "x-kubernetes-patch-strategy": "retainKeys"}
    if found := _LIST.fullmatch(text):
        return _list(found)
    if found := _MAP.fullmatch(text):
        result: Schema = {"type": "object", "additionalProperties": _type(found["values"])}
        return {**result, "x-kubernetes-map-type": "atomic"} if found["atomic"] else result
    found = _SCALAR.fullmatch(text)
    assert found is not None, text
    if found["base"] not in _SCALARS:
        return schema(found["base"])
    return _scalar(_SCALARS[found["base"]], found["enum"], found["default"])


def _scalar(base: Schema, enum: str | None, default: str | None) -> Schema:
    result = dict(base)
    if enum:
        result["enum"] = enum.split("|")
    if default is not None:
        result["default"] = _DEFAULTS.get(result["type"], str)(default)
    return result


def _list(found: re.Match[str]) -> Schema:
    result: Schema = {"type": "array", "items": _type(found["items"])}
    keys = found["keys"]
    if keys == "set":
        return {**result, "x-kubernetes-list-type": "set", "x-kubernetes-patch-strategy": "merge"}
    if not keys:
        return {**result, "x-kubernetes-list-type": "atomic"}
    result["x-kubernetes-patch-strategy"] = "merge,retainKeys" if found["retain"] else "merge"
    result["x-kubernetes-patch-merge-key"] = keys.split(",")[0]
    if not found["loose"]:
        result |= {"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys.split(",")}
    return result
