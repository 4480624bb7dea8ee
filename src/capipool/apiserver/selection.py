"""Which objects of a collection a list or a watch is about, told from entries without decoding more than is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.store.entry import Entry
from capipool.machinery import selectors
from capipool.machinery.errors import BadRequest
from capipool.machinery.selectors import FieldSelector, LabelSelector

_ANY_FIELDS = FieldSelector()
_METADATA = ("metadata.name", "metadata.namespace")


@dataclass(frozen=True)
class Selection:
    """A namespace (empty for all), labels and fields."""

    namespace: str = ""
    labels: LabelSelector = selectors.EVERYTHING
    fields: FieldSelector = _ANY_FIELDS
    absent: Mapping[str, str] | None = None
    """What a field counts as where an object does not have it."""

    @property
    def selects_all(self) -> bool:
        """Whether everything in the namespace is selected."""
        return not self.labels.requirements and not self.fields.terms

    def matches(self, entry: Entry) -> bool:
        """Whether an object is selected."""
        if self.namespace and entry.namespace != self.namespace:
            return False
        if self.labels.requirements and not self.labels.matches(entry.labels):
            return False
        return not self.fields.terms or self.fields.matches(lambda path: self._value(entry, path))

    def _value(self, entry: Entry, path: str) -> str:
        if path == "metadata.name":
            return entry.name
        if path == "metadata.namespace":
            return entry.namespace
        value = _reader(path)(entry.data)
        if value is None or value == "":
            return (self.absent or {}).get(path, "")
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value)


def parse(definition: Definition, namespace: str, query: Mapping[str, str]) -> Selection:
    """Read the selectors of a query. Raises BadRequest where they are malformed or name what cannot be selected by."""
    labels, fields = query.get("labelSelector", ""), query.get("fieldSelector", "")
    if not labels and not fields:
        return Selection(namespace)
    parsed = selectors.parse_fields(fields)
    known = definition.selectable_fields or {}
    for path, _, _ in parsed.terms:
        if path not in _METADATA and path not in known:
            raise BadRequest(
                f'"{path}" is not a known field selector: only "metadata.name", "metadata.namespace"'
                + (f", {', '.join(repr(k) for k in known)}" if known else "")
            )
    return Selection(namespace, selectors.parse_labels(labels), parsed, known)


@lru_cache(maxsize=256)
def _reader(path: str) -> Callable[[bytes], Any]:
    """A function that reads one field of an object's JSON and skips the rest."""
    parts = path.split(".")
    kind: Any = Any
    for part in reversed(parts):
        kind = msgspec.defstruct("Part", [("value", kind | None, None)], rename={"value": part}, gc=False)
    decode = msgspec.json.Decoder(kind).decode

    def read(data: bytes) -> Any:
        try:
            value: Any = decode(data)
        except msgspec.ValidationError:  # a part of the path is no object here: the field is absent
            return None
        for _ in parts:
            if value is None:
                return None
            value = value.value
        return value

    return read
