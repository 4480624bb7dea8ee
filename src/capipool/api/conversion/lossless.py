"""What makes a pair of plain conversions lossless: what one version cannot say rides along in an annotation.

The annotation holds the object as the other version had it. Converted back, it is not simply put in place, since the
object may have changed meanwhile; the changes are carried over to it:

    saved          the object in version A, from the annotation
    base           what `saved` looks like in B
    object         what the object looks like in B now
    result         `saved`, with what differs between `base` and `object` (both seen from A) laid over it

so a field that A knows and B does not survives any edit in B, and an edit in B always wins over what was saved.

To v1beta1 the annotation is upstream's, and always there. To v1beta2 it is ours, and there only when something would be
lost: the version and namespace of a reference, half a second of a timeout.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, cast

import msgspec

from capipool.api.constants import CONVERSION_DATA_ANNOTATION, GROUP
from capipool.api.conversion import references
from capipool.api.conversion.references import Versions
from capipool.machinery import codec
from capipool.machinery.admission import Converter
from capipool.machinery.errors import BadRequest
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import GroupKind, split_api_version

OLD, NEW = "v1beta1", "v1beta2"
OLD_DATA_ANNOTATION = "capipool.io/v1beta1-data"
"""On a v1beta2 object: what it was in v1beta1, where v1beta2 cannot say all of it."""

_META = ("apiVersion", "kind", "metadata")


class Context(msgspec.Struct, frozen=True):
    """What a conversion to v1beta1 needs to know beside the object."""

    namespace: str
    version_of: Callable[[GroupKind], str]
    """The version under which v1beta1 shows a reference to a kind. Raises InternalError where nobody knows."""


Up = Callable[[Mapping[str, Any]], Raw]
"""v1beta1 to v1beta2, without metadata. Tolerates any part being absent; never changes its input."""
Down = Callable[[Mapping[str, Any], Context], Raw]
"""v1beta2 to v1beta1, in the same way."""


def converter(kind: str, up: Up, down: Down, versions: Versions) -> Converter:
    """The lossless conversion of one kind, made of two plain ones."""
    pair = _Pair(up, down, versions)
    return Converter(group=GROUP, kind=kind, convert=pair.convert)


class _Pair:
    def __init__(self, up: Up, down: Down, versions: Versions) -> None:
        self._up, self._down, self._versions = up, down, versions

    def convert(self, raw: Mapping[str, Any], version: str) -> Raw:
        """The object in a version. Raises BadRequest for a version that does not exist, or fields of a wrong type."""
        before = split_api_version(str(raw.get("apiVersion", "")))[1]
        if before == version:
            return cast(Raw, raw)
        if {before, version} != {OLD, NEW}:
            raise BadRequest(f"{raw.get('kind')} cannot be converted from {before!r} to {version!r}")
        try:
            return self._to_new(raw) if version == NEW else self._to_old(raw)
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            # NB: a server may convert before it checks the schema, so any field may be of any type here.
            problem = "a field has a value of a wrong type"
            raise BadRequest(f"{raw.get('kind')} cannot be converted from {before} to {version}: {problem}") from error

    def _to_new(self, raw: Mapping[str, Any]) -> Raw:
        body = _body(raw)
        context = self._context(raw, body)
        converted = self._up(body)
        if (saved := _saved(raw, CONVERSION_DATA_ANNOTATION)) is not None:
            # In which version a reference is shown does not matter on a way there and back: its kind may be gone.
            base = self._up(self._down(saved, Context(context.namespace, lambda kind: OLD)))
            converted = _carry(saved, base, converted)
            # What v1beta2 has for v1beta1 alone is there after any visit to v1beta1, as upstream has it.
            converted = _with_defaults(converted, _deprecated(base))
        lost = _meaning(self._down(converted, context)) != _meaning(body)
        return _assemble(raw, NEW, converted, CONVERSION_DATA_ANNOTATION, OLD_DATA_ANNOTATION, body if lost else None)

    def _to_old(self, raw: Mapping[str, Any]) -> Raw:
        body = _body(raw)
        saved = _saved(raw, OLD_DATA_ANNOTATION)
        context = self._context(raw, body, saved)
        converted = self._down(body, context)
        if saved is not None:
            converted = _carry(saved, self._down(self._up(saved), context), converted)
        return _assemble(raw, OLD, converted, OLD_DATA_ANNOTATION, CONVERSION_DATA_ANNOTATION, body)

    def _context(self, raw: Mapping[str, Any], *bodies: Mapping[str, Any] | None) -> Context:
        """Versions as the cluster has them; for a kind it does not have, as a reference in one of the bodies says."""
        metadata = raw.get("metadata") or {}

        def version_of(kind: GroupKind) -> str:
            found = self._versions(kind)
            return found if found is not None else _referenced_version(kind, bodies)

        return Context(str(metadata.get("namespace", "")), version_of)


def _body(raw: Mapping[str, Any]) -> Raw:
    return {key: value for key, value in raw.items() if key not in _META}


def _saved(raw: Mapping[str, Any], annotation: str) -> Raw | None:
    """What an annotation holds; None where there is none, or somebody broke it."""
    text = ((raw.get("metadata") or {}).get("annotations") or {}).get(annotation)
    if text is None:
        return None
    try:
        return codec.decode_json_object(text)
    except BadRequest:
        return None


def _carry(saved: Raw, base: Raw, now: Raw) -> Raw:
    """What was saved, with every change since laid over it."""
    patch = merge.diff(base, now)
    return saved if patch is None else merge.apply(saved, patch)


def _deprecated(base: Raw) -> Raw:
    """The part of a v1beta2 status that is there for v1beta1, without what it says."""
    deprecated = (base.get("status") or {}).get("deprecated")
    return {"status": {"deprecated": {OLD: {}}}} if deprecated is not None else {}


def _with_defaults(value: Raw, defaults: Raw) -> Raw:
    """Lay a value over defaults; objects are merged at every depth."""
    filled = {
        key: _with_defaults(value[key], default) if isinstance(value.get(key), dict) else default
        for key, default in defaults.items()
        if key not in value or isinstance(value[key], dict)
    }
    return {**value, **filled}


def _meaning(value: Any) -> Any:
    """A v1beta1 value without what Go's v1beta1 types write for nothing at all: zeros, empty lists and objects."""
    if isinstance(value, dict):
        kept = {key: _meaning(item) for key, item in value.items()}
        return {key: item for key, item in kept.items() if item not in (None, False, 0, "", {}, [])}
    if isinstance(value, list):
        return [_meaning(item) for item in value]
    return value


def _assemble(raw: Mapping[str, Any], version: str, body: Raw, dropped: str, written: str, data: Raw | None) -> Raw:
    """The converted object: metadata as it was, but for the annotations that hold data."""
    metadata = dict(raw.get("metadata") or {})
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != dropped}
    if data is not None:
        annotations[written] = codec.encode_json(data).decode()
    else:
        annotations.pop(written, None)
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)
    head = {"apiVersion": f"{GROUP}/{version}", "kind": raw.get("kind")}
    return {**head, **({"metadata": metadata} if metadata or "metadata" in raw else {}), **body}


def _referenced_version(kind: GroupKind, bodies: tuple[Mapping[str, Any] | None, ...]) -> str:
    for reference in _references(bodies):
        group, version = split_api_version(reference["apiVersion"])
        if GroupKind(group, reference["kind"]) == kind and version:
            return version
    raise references.unknown(kind)


def _references(value: Any) -> Iterator[Mapping[str, Any]]:
    """Every object in a value that names an API version and a kind."""
    if isinstance(value, Mapping):
        if isinstance(value.get("apiVersion"), str) and isinstance(value.get("kind"), str):
            yield value
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _references(item)
