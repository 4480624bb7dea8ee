"""Typed Kubernetes objects: msgspec structs that keep what they do not know.

A type declares the fields that capipool works with; what else an object carries is kept, byte for byte as JSON, behind
it. `encode` lays the known fields over that origin, so a read, a change and a write never drop a field that a newer
server, or somebody else's controller, put there.

Objects are immutable: change one with `replace`. Reconcilers and caches share them without copying.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import cache
from types import NoneType, UnionType
from typing import Annotated, Any, ClassVar, TypeVar, Union, cast, dataclass_transform, get_args, get_origin

import msgspec

from capipool.machinery.resource import GroupKind, ObjectKey, Resource, split_api_version

JSON = Any
Raw = dict[str, Any]
"""A decoded object as JSON has it. Treat it as read-only wherever it came out of a cache or a store."""

_ACRONYMS = {"id": "ID", "ip": "IP", "cidr": "CIDR", "url": "URL", "dns": "DNS", "uuid": "UUID"}


def wire_name(name: str) -> str:
    """The JSON name of a field: camelCase, with Kubernetes' acronyms in capitals (`provider_id` -> `providerID`).

    A name that upstream spells otherwise is given with `msgspec.field(name=...)`. A trailing underscore, which keeps a
    field clear of Python's keywords, is dropped.
    """
    first, *rest = name.rstrip("_").split("_")
    return first + "".join(_ACRONYMS.get(word, word[:1].upper() + word[1:]) for word in rest)


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(msgspec.field,))
class Model(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, rename=wire_name):
    """A part of an object: immutable, absent fields left out on the wire."""


class OwnerReference(Model):
    """Who an object belongs to; the garbage collector goes by the UID."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None

    @property
    def group_kind(self) -> GroupKind:
        """The owner's kind without its version: what to compare, since a version may change under the reference."""
        return GroupKind(split_api_version(self.api_version)[0], self.kind)


class ObjectMeta(Model):
    """Metadata every object has. Times are UTC, to the second."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: dt.datetime | None = None
    deletion_timestamp: dt.datetime | None = None
    deletion_grace_period_seconds: int | None = None
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    owner_references: tuple[OwnerReference, ...] = ()
    finalizers: tuple[str, ...] = ()


class Object(Model, dict=True, gc=True):
    """An API object. Subclasses of a fixed kind set `RESOURCE`."""

    RESOURCE: ClassVar[Resource]

    api_version: str = ""
    kind: str = ""
    metadata: ObjectMeta = msgspec.field(default_factory=ObjectMeta)

    @property
    def key(self) -> ObjectKey:
        """Namespace and name."""
        return ObjectKey(self.metadata.namespace, self.metadata.name)

    @property
    def group_kind(self) -> GroupKind:
        """Its kind without its version."""
        return GroupKind(split_api_version(self.api_version)[0], self.kind)

    @property
    def deleting(self) -> bool:
        """Whether deletion was asked for and waits for finalizers."""
        return self.metadata.deletion_timestamp is not None


class Unstructured(Object):
    """An object of a kind known only at run time: `spec` and `status` as plain JSON, the rest kept all the same."""

    spec: Raw = msgspec.field(default_factory=dict)
    status: Raw = msgspec.field(default_factory=dict)


ObjectT = TypeVar("ObjectT", bound=Object)


def owner_reference(owner: Object, *, controller: bool = False) -> OwnerReference:
    """A reference to an object of a fixed kind, for who belongs to it. One owner at most is the controller."""
    resource, meta = owner.RESOURCE, owner.metadata
    return OwnerReference(
        api_version=resource.api_version,
        kind=resource.kind,
        name=meta.name,
        uid=meta.uid,
        controller=controller or None,
    )


_ORIGIN = "_origin"
_encoder = msgspec.json.Encoder()


@cache
def _decoder(cls: type[Any]) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(cls)


def decode(cls: type[ObjectT], data: bytes) -> ObjectT:
    """Read an object from JSON, keeping the bytes as its origin. Raises msgspec.ValidationError on a wrong type."""
    obj: ObjectT = _decoder(cls).decode(data)
    obj.__dict__[_ORIGIN] = data
    return obj


def decode_lean(cls: type[ObjectT], data: bytes) -> ObjectT:
    """Read an object without keeping its bytes: for caches of many large objects that are only ever patched."""
    obj: ObjectT = _decoder(cls).decode(data)
    return obj


def has_origin(obj: Object) -> bool:
    """Whether the object keeps what its type does not know, so that it may be written back whole."""
    return _ORIGIN in obj.__dict__


def origin_bytes(obj: Object) -> bytes | None:
    """The bytes an object was read from, shared and not copied; None for one made here, or read leanly."""
    return cast(bytes | None, obj.__dict__.get(_ORIGIN))


def from_raw(cls: type[ObjectT], raw: Mapping[str, Any]) -> ObjectT:
    """Read an object from decoded JSON."""
    return decode(cls, _encoder.encode(raw))


def new(cls: type[ObjectT], **fields: Any) -> ObjectT:
    """An object of a fixed kind with its apiVersion and kind filled in."""
    return cls(api_version=cls.RESOURCE.api_version, kind=cls.RESOURCE.kind, **fields)


def replace(obj: ObjectT, **changes: Any) -> ObjectT:
    """The object with some fields changed; what its type does not know goes along."""
    changed = msgspec.structs.replace(obj, **changes)
    if (origin := obj.__dict__.get(_ORIGIN)) is not None:
        changed.__dict__[_ORIGIN] = origin
    return changed


ModelT = TypeVar("ModelT", bound=Model)


def replace_part(part: ModelT, **changes: Any) -> ModelT:
    """A part of an object with some fields changed."""
    return msgspec.structs.replace(part, **_recognisable(type(part), changes))


def _recognisable(cls: type[Model], changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, with parts that say nothing given as the default itself.

    msgspec leaves a struct away only where it *is* the default: one that merely equals it would be written as `{}`,
    which schemas with `minProperties` refuse.
    """
    for name, default in _struct_defaults(cls).items():
        if name in changes and changes[name] == default:
            changes[name] = default
    return changes


@cache
def _struct_defaults(cls: type[Model]) -> dict[str, Model]:
    return {f.name: f.default for f in msgspec.structs.fields(cls) if isinstance(f.default, Model)}


def origin(obj: Object) -> Raw:
    """The object as it was read, decoded anew at each call; empty for one that was made here."""
    data = obj.__dict__.get(_ORIGIN)
    return cast(Raw, msgspec.json.decode(data)) if data is not None else {}


def to_raw(obj: Object) -> Raw:
    """The object as JSON has it: its own fields over what it was read from."""
    # Through JSON rather than `to_builtins`, which would leave tuples that are not equal to the lists of the origin.
    known = cast(Raw, msgspec.json.decode(_encoder.encode(obj)))
    before = origin(obj)
    return cast(Raw, _overlay(type(obj), before, known)) if before else known


def part_to_raw(part: Model) -> Raw:
    """A part of an object as JSON has it, for a patch."""
    return cast(Raw, msgspec.json.decode(_encoder.encode(part)))


def encode(obj: Object) -> bytes:
    """The object as JSON bytes; see `to_raw`."""
    return _encoder.encode(to_raw(obj))


def _overlay(kind: Any, before: JSON, known: JSON) -> JSON:
    """Lay what a type knows over what was read: fields the type does not know stay, all others are as `known` says."""
    shape = _shape(_plain(kind))
    if shape is None or before is None or known is None:
        return known
    return shape(before, known)


@cache
def _shape(kind: Any) -> Callable[[JSON, JSON], JSON] | None:
    """How values of a plain type are laid over their origin; None where the new value simply replaces the old.

    Plain, because limits cannot be looked up in a cache where a default of theirs is a whole part.
    """
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        fields = {f.encode_name: (f.type, _default(f)) for f in msgspec.structs.fields(kind)}
        return lambda before, known: _overlay_struct(fields, before, known)
    origin_type, args = get_origin(kind), get_args(kind)
    if origin_type in (tuple, list) and args and _shape(_plain(args[0])) is not None:
        return lambda before, known: _overlay_list(args[0], before, known)
    if origin_type is dict and len(args) == 2 and _shape(_plain(args[1])) is not None:
        return lambda before, known: {k: _overlay(args[1], before.get(k), v) for k, v in known.items()}
    return None


def _plain(kind: Any) -> Any:
    """A type without `Annotated` and without `| None`."""
    while True:
        if get_origin(kind) is Annotated:
            kind = get_args(kind)[0]
        elif get_origin(kind) in (Union, UnionType):
            rest = [a for a in get_args(kind) if a is not NoneType]
            if len(rest) != 1:
                return kind
            kind = rest[0]
        else:
            return kind


_NO_DEFAULT = object()


def _default(field: Any) -> JSON:
    """What a field that is left out on the wire stands for, as JSON."""
    if field.default is not msgspec.NODEFAULT:
        return (
            msgspec.json.decode(_encoder.encode(field.default)) if field.default is not msgspec.UNSET else _NO_DEFAULT
        )
    if field.default_factory is not msgspec.NODEFAULT:
        return msgspec.json.decode(_encoder.encode(field.default_factory()))
    return _NO_DEFAULT


def _overlay_struct(fields: Mapping[str, tuple[Any, JSON]], before: JSON, known: JSON) -> JSON:
    if not isinstance(before, dict) or not isinstance(known, dict):
        return known
    result = {}
    for name, old in before.items():
        if name not in fields:
            result[name] = old
        elif name not in known and (kept := _left_out(*fields[name], old)) is not _NO_DEFAULT:
            result[name] = kept
    return result | {k: _overlay(fields[k][0], before.get(k), v) for k, v in known.items()}


def _left_out(kind: Any, default: JSON, old: JSON) -> JSON:
    """What to write for a field that has its default now: what spelled that out before, and what no type knows.

    `_NO_DEFAULT` for a field that had another value, which is to go.
    """
    if default is _NO_DEFAULT or default is None or old is None:
        return old if old == default else _NO_DEFAULT
    kept = _overlay(kind, old, default)
    return kept if kept == old else (kept or _NO_DEFAULT)


_IDENTITIES = ("uid", "type", "name", "key", "id", "conditionType", "containerPath", "address")


def _overlay_list(item: Any, before: JSON, known: JSON) -> JSON:
    """Items are the same item when they share an identity (uid, type, name, ...) that is unique in both lists."""
    if not isinstance(before, list) or not isinstance(known, list):
        return known
    for identity in _IDENTITIES:
        old = {b.get(identity): b for b in before if isinstance(b, dict)}
        new_ids = [k.get(identity) for k in known if isinstance(k, dict)]
        if None in old or None in new_ids or len(old) != len(before) or len(set(new_ids)) != len(known):
            continue
        return [_overlay(item, old.get(k[identity]), k) for k in known]
    return known
