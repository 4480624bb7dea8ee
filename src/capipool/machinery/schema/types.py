"""Structural schemas from typed objects: the type is written once, and the CRD follows from it.

Called when CRDs are made (`machinery.crd`); what a schema then does to objects is `engine`'s business. Schemas come out
of a cache and share their parts: treat them as read-only.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import msgspec

from capipool.machinery.objects import Object
from capipool.machinery.schema.limits import Limits

Schema = dict[str, Any]

_SCALARS: dict[Any, Schema] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    bytes: {"type": "string", "format": "byte"},
    dt.datetime: {"type": "string", "format": "date-time"},
    Any: {"x-kubernetes-preserve-unknown-fields": True},
}
_INT_OR_STRING: Schema = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}
_METADATA = frozenset({"api_version", "kind", "metadata"})


@cache
def from_type(cls: type[Any]) -> Schema:
    """The structural schema of a struct. An `Object` has its metadata left open, as a CRD wants it.

    Raises TypeError naming the field whose type has no structural schema.
    """
    properties: Schema = {}
    required: list[str] = []
    for field in msgspec.structs.fields(cls):
        kind, limits = _split(field.type)
        if issubclass(cls, Object) and field.name in _METADATA:
            properties[field.encode_name] = {"type": "object" if field.name == "metadata" else "string"}
        else:
            try:
                properties[field.encode_name] = _schema(kind, limits)
            except TypeError as error:
                raise TypeError(f"{cls.__name__}.{field.name}: {error}") from error
        if field.required or any(said.required for said in limits):
            required.append(field.encode_name)
    schema: Schema = {"type": "object", "properties": properties}
    if required:
        schema["required"] = sorted(required)
    if own := getattr(cls, "LIMITS", None):
        schema |= own.to_schema()
    if text := cls.__dict__.get("__doc__"):
        schema.setdefault("description", _described(cls, text))
    return schema


def _described(cls: type[Any], text: str) -> str:
    """A docstring for those who write manifests: fields are called as they are there."""
    said = " ".join(text.split())
    if "`" not in said:
        return said
    for name, manifest in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True):
        said = said.replace(f"`{name}`", f"`{manifest}`")
    return said


def _schema(kind: Any, limits: Iterable[Limits]) -> Schema:
    """A type without its wrappers, and the limits they carried."""
    schema = dict(_bare(kind))
    for said in limits:
        schema |= said.to_schema()
    return schema


def _bare(kind: Any) -> Schema:
    if (scalar := _SCALARS.get(kind)) is not None:
        return scalar
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return from_type(kind)
    container, args = get_origin(kind), get_args(kind)
    if container in (tuple, list, frozenset, set):
        return {"type": "array", "items": _schema(*_split(args[0]))}
    if container is dict:
        return _map(*_split(args[1]))
    if container in (Union, UnionType) and set(args) == {int, str}:
        return _INT_OR_STRING
    raise TypeError(f"no structural schema for {kind!r}")


def _map(value: Any, limits: tuple[Limits, ...]) -> Schema:
    if value is Any and not limits:
        return {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    return {"type": "object", "additionalProperties": _schema(value, limits)}


def _split(kind: Any) -> tuple[Any, tuple[Limits, ...]]:
    """A type without `Annotated`, `None` and `UnsetType` around it, and the limits met on the way, innermost first."""
    if get_origin(kind) is Annotated:
        inner, *notes = get_args(kind)
        bare, limits = _split(inner)
        return bare, (*limits, *(note for note in notes if isinstance(note, Limits)))
    if get_origin(kind) in (Union, UnionType):
        present = tuple(_present(get_args(kind)))
        if len(present) == 1:
            return _split(present[0])
        return Union[present], ()  # noqa: UP007  (made at run time)
    return kind, ()


def _present(members: Iterable[Any]) -> Iterator[Any]:
    return (member for member in members if member not in (NoneType, msgspec.UnsetType))
