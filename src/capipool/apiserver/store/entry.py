"""One stored object: its bytes, and the few parts of it that indexes and selectors need without decoding them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

_NO_LABELS: Mapping[str, str] = {}


class Entry:
    """An object at one revision. Immutable; a write makes another."""

    __slots__ = ("api_version", "data", "deleting", "id", "labels", "name", "namespace", "owners", "revision", "uid")

    def __init__(
        self,
        *,
        id: int,
        revision: int,
        namespace: str,
        name: str,
        data: bytes,
        api_version: str,
        uid: str,
        labels: Mapping[str, str],
        owners: tuple[str, ...],
        deleting: bool,
    ) -> None:
        self.id = id
        """The revision at which the object was created."""
        self.revision = revision
        self.namespace = namespace
        self.name = name
        self.data = data
        """The object as JSON, shared and never copied."""
        self.api_version = api_version
        """In which `group/version` the bytes are."""
        self.uid = uid
        self.labels = labels
        self.owners = owners
        """UIDs of the owners."""
        self.deleting = deleting

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    def decode(self) -> dict[str, Any]:
        """The object, decoded anew."""
        raw: dict[str, Any] = msgspec.json.decode(self.data)
        return raw


class Change:
    """One durable write, as watches see it. Changes of a collection are linked, oldest first."""

    __slots__ = ("after", "before", "next", "revision", "type")

    def __init__(
        self, type: Literal["ADDED", "MODIFIED", "DELETED"], revision: int, before: Entry | None, after: Entry
    ) -> None:
        self.type = type
        self.revision = revision
        self.before = before
        self.after = after
        """The object after the write; for a deletion its last state, at the revision of the deletion."""
        self.next: Change | None = None


def from_raw(raw: Mapping[str, Any], data: bytes, *, id: int, revision: int) -> Entry:
    """The entry of an object whose metadata is well formed; `data` is the object as JSON."""
    meta = raw["metadata"]
    owners = meta.get("ownerReferences")
    return Entry(
        id=id,
        revision=revision,
        namespace=sys.intern(meta.get("namespace") or ""),
        name=meta["name"],
        data=data,
        api_version=sys.intern(raw["apiVersion"]),
        uid=meta["uid"],
        labels=meta.get("labels") or _NO_LABELS,
        owners=tuple(owner["uid"] for owner in owners) if owners else (),
        deleting="deletionTimestamp" in meta,
    )


class _Owner(msgspec.Struct, gc=False):
    uid: str


class _Meta(msgspec.Struct, rename="camel", gc=False):
    name: str
    uid: str
    namespace: str = ""
    labels: dict[str, str] | None = None
    owner_references: list[_Owner] | None = None
    deletion_timestamp: str | None = None


class _Head(msgspec.Struct, rename="camel", gc=False):
    api_version: str
    metadata: _Meta


_heads = msgspec.json.Decoder(_Head)


def from_bytes(data: bytes, *, id: int, revision: int) -> Entry:
    """The entry of an object as it was stored: reads no more of it than the entry needs."""
    head = _heads.decode(data)
    meta = head.metadata
    return Entry(
        id=id,
        revision=revision,
        namespace=sys.intern(meta.namespace),
        name=meta.name,
        data=data,
        api_version=sys.intern(head.api_version),
        uid=meta.uid,
        labels=meta.labels or _NO_LABELS,
        owners=tuple(owner.uid for owner in meta.owner_references or ()),
        deleting=meta.deletion_timestamp is not None,
    )
