"""The migration's bookkeeping on the objects themselves: where one came from, and how to take back what was changed.

A mark is written in the same call as the change that it is about, so there is no moment at which one is there without
the other, however the process ends. `commit` and `undo` take every mark away. Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from capipool.machinery import codec
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge

PREFIX = "migrate.capipool.io"
FROM = f"{PREFIX}/from"
"""On an object that the migration made: what it was made of."""
UNDO = f"{PREFIX}/undo"
"""On an object that the migration changed: the merge patch that takes all of its changes back."""

_VOLATILE = ("uid", "resourceVersion", "generation", "creationTimestamp", "managedFields", "selfLink")


class Origin(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a new object was made of."""

    api_version: str
    uid: str
    deleting: bool = False
    """Whether the old one waits for its deletion: the new one is deleted too, when the migration is committed."""
    paused: bool = False
    """Whether the old one was paused by somebody before the migration: then the new one stays so."""


def annotations_of(raw: Mapping[str, Any]) -> Mapping[str, str]:
    """The annotations of an object."""
    found: Mapping[str, str] = (raw.get("metadata") or {}).get("annotations") or {}
    return found


def origin(raw: Mapping[str, Any]) -> Origin | None:
    """What an object was made of; None where the migration did not make it."""
    text = annotations_of(raw).get(FROM)
    return msgspec.json.decode(text, type=Origin) if text is not None else None


def undo_of(raw: Mapping[str, Any]) -> Raw | None:
    """The patch that takes the migration's changes back; None where it changed nothing."""
    text = annotations_of(raw).get(UNDO)
    return codec.decode_json_object(text) if text is not None else None


def unchanged(raw: Raw) -> Raw:
    """The object as it was before the migration first wrote it."""
    inverse = undo_of(raw)
    if inverse is None:
        return raw
    before = merge.apply(raw, inverse)
    # As a server has it: an empty map is no map.
    empty = [key for key in ("labels", "annotations") if before["metadata"].get(key) == {}]
    return {**before, "metadata": {key: value for key, value in before["metadata"].items() if key not in empty}}


def change(raw: Raw, wanted: Raw) -> Raw | None:
    """The merge patch that makes `wanted` of an object and marks it; None where it is so already.

    `wanted` has the mark that `raw` has. The new mark takes back this change and all before it.
    """
    if merge.diff(raw, wanted) is None:
        return None
    # Seen from an object that is marked, so that what takes the changes back takes the mark away too.
    inverse = merge.diff(_marked(wanted, ""), _open(unchanged(raw)))
    return merge.diff(raw, _marked(wanted, codec.encode_json(inverse).decode()))


def _open(raw: Raw) -> Raw:
    """With maps for labels and annotations: taking changes back then leaves alone what others put there meanwhile."""
    metadata = raw.get("metadata") or {}
    return {**raw, "metadata": {"labels": {}, "annotations": {}, **metadata}}


def _marked(raw: Raw, text: str) -> Raw:
    metadata = raw.get("metadata") or {}
    return {**raw, "metadata": {**metadata, "annotations": {**(metadata.get("annotations") or {}), UNDO: text}}}


def stable(raw: Mapping[str, Any]) -> Raw:
    """An object without what a server gives it at each write."""
    metadata = {key: value for key, value in (raw.get("metadata") or {}).items() if key not in _VOLATILE}
    return {**raw, "metadata": metadata}
