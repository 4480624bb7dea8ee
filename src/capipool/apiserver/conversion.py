"""One kind in several versions: how what is stored becomes what was asked for, and back."""

from __future__ import annotations

from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.registry import Served
from capipool.apiserver.store.entry import Entry
from capipool.machinery import codec
from capipool.machinery.admission import Converter
from capipool.machinery.objects import Raw

_KEPT = 2048


class Conversion:
    """The converters of a server. A kind without one has the same fields in all its versions (strategy `None`)."""

    def __init__(self) -> None:
        self._converters: dict[tuple[str, str], Converter] = {}
        self._shown: dict[tuple[Entry, str], bytes] = {}

    def add(self, converter: Converter) -> None:
        """Convert a kind by a function from now on."""
        self._converters[converter.group, converter.kind] = converter

    def to_storage(self, served: Served, raw: Raw) -> Raw:
        """An object as a request brought it, as it is to be stored."""
        if served.stored_as_is:
            return raw
        if served.definition.alias is not None:
            return served.definition.alias.to_storage(raw)
        return self._convert(raw, served.storage)

    def from_storage(self, served: Served, raw: Raw) -> Raw:
        """A stored object (in whatever version it was stored) as a request sees it."""
        if raw["apiVersion"] == served.api_version:
            return raw
        if served.definition.alias is not None:
            return served.definition.alias.from_storage(raw)
        return self._convert(raw, served.definition)

    def at_storage(self, served: Served, raw: Raw) -> Raw:
        """A stored object in today's storage version."""
        return raw if raw["apiVersion"] == served.storage.resource.api_version else self._convert(raw, served.storage)

    def at(self, definition: Definition, version: str, raw: Raw) -> Raw:
        """An object of a kind in another version of it: what admission rules of that version see."""
        resource = definition.resource.at(version)
        if raw["apiVersion"] == resource.api_version:
            return raw
        converter = self._converters.get((resource.group, resource.kind))
        return {**raw, "apiVersion": resource.api_version} if converter is None else converter.convert(raw, version)

    def view(self, served: Served, entry: Entry) -> bytes:
        """A stored object as the JSON a request sees: the stored bytes themselves wherever they will do."""
        if entry.api_version == served.api_version:
            return entry.data
        key = (entry, served.api_version)
        if (shown := self._shown.get(key)) is None:
            shown = codec.encode_json(self.from_storage(served, entry.decode()))
            if len(self._shown) >= _KEPT:  # a watch shows each change to many at about the same time
                self._shown.pop(next(iter(self._shown)))
            self._shown[key] = shown
        return shown

    def _convert(self, raw: Raw, definition: Definition) -> Raw:
        resource = definition.resource
        converter = self._converters.get((resource.group, resource.kind))
        if converter is not None:
            return converter.convert(raw, resource.version)
        return definition.structural.prune({**raw, "apiVersion": resource.api_version})[0]
