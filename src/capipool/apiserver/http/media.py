"""Media types: what a client accepts, and objects in the form that it wants them in."""

from __future__ import annotations

import datetime as dt
from functools import lru_cache
from typing import Any, Literal

from capipool.apiserver.builtin import protobuf
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.printing import tables
from capipool.machinery import codec
from capipool.machinery.calls import WatchEvent
from capipool.machinery.errors import BadRequest, NotAcceptable, UnsupportedMediaType
from capipool.machinery.objects import Raw

Form = Literal["json", "yaml", "table", "partial"]

_BODIES = ("application/json", "application/yaml", protobuf.MEDIA_TYPE)
_GROUP = "meta.k8s.io"
_INCLUDES: dict[str, tables.Include] = {"": "Metadata", "None": "None", "Metadata": "Metadata", "Object": "Object"}


@lru_cache(maxsize=256)
def accepted(accept: bytes) -> Form:
    """The first form of those a client accepts that can be served. Raises NotAcceptable."""
    if not accept:
        return "json"
    for wish in accept.decode("latin-1").split(","):
        media, *parameters = [part.strip() for part in wish.split(";")]
        given = dict(p.split("=", 1) for p in parameters if "=" in p)
        if media in ("application/json", "application/*", "*/*"):
            kind = given.get("as")
            if kind is None:
                return "json"
            if given.get("g") == _GROUP and given.get("v") in ("v1", "v1beta1"):
                if kind == "Table":
                    return "table"
                if kind in ("PartialObjectMetadata", "PartialObjectMetadataList"):
                    return "partial"
        elif media == "application/yaml" and "as" not in given:
            return "yaml"
    raise NotAcceptable("only the following media types are accepted: application/json, application/yaml")


def check_content_type(content_type: str, *, patch: bool) -> str:
    """The content type of a body, without parameters. Raises UnsupportedMediaType."""
    media = content_type.partition(";")[0].strip() or "application/json"
    if patch or media in _BODIES:
        return media
    raise UnsupportedMediaType(
        f"the body of the request was in an unknown format - accepted media types include: {', '.join(_BODIES)}"
    )


def include(value: str) -> tables.Include:
    """What each row of a table carries. Raises BadRequest."""
    found = _INCLUDES.get(value)
    if found is None:
        raise BadRequest(f"unrecognized includeObject value: {value!r}")
    return found


def shaped(form: Form, definition: Definition, body: bytes, *, now: dt.datetime, rows: tables.Include) -> bytes:
    """A reply's body, an object or a list, in a form."""
    if form == "json":
        return body
    raw = codec.decode_json_object(body)
    if form == "yaml":
        return codec.encode_yaml(raw).encode()
    if raw.get("kind") == "Status" and raw.get("apiVersion") == "v1":
        return body
    items, meta = _items(raw)
    if form == "table":
        return codec.encode_json(tables.table(definition, items, now=now, include=rows, metadata=meta))
    if "items" not in raw:
        return codec.encode_json(tables.partial(raw))
    head = {"kind": "PartialObjectMetadataList", "apiVersion": tables.META, "metadata": raw["metadata"]}
    return codec.encode_json({**head, "items": [tables.partial(item) for item in items]})


def _items(raw: Raw) -> tuple[list[Any], Raw]:
    if "items" in raw and raw["kind"].endswith("List"):
        return raw["items"], raw["metadata"]
    return [raw], {"resourceVersion": (raw.get("metadata") or {}).get("resourceVersion", "")}


class Lines:
    """Watch events as lines of a response, in a form. Remembers whether the headers of the table were sent."""

    def __init__(self, form: Form, definition: Definition, rows: tables.Include) -> None:
        self._form = form
        self._definition = definition
        self._rows = rows
        self._headers = True

    def line(self, event: WatchEvent, now: dt.datetime) -> bytes:
        """One event."""
        body = event.object
        if self._form in ("table", "partial") and event.type != "ERROR":
            body = self._shape(codec.decode_json_object(body), now, bookmark=event.type == "BOOKMARK")
        return b'{"type":"%b","object":%b}\n' % (event.type.encode(), body)

    def _shape(self, raw: Raw, now: dt.datetime, *, bookmark: bool) -> bytes:
        if self._form == "partial":
            return codec.encode_json(tables.partial(raw))
        meta = {"resourceVersion": raw["metadata"].get("resourceVersion", "")}
        shown = [] if bookmark else [raw]
        table = tables.table(self._definition, shown, now=now, include=self._rows, metadata=meta, headers=self._headers)
        if bookmark:
            table["rows"] = [{"cells": [], "object": tables.partial(raw)}]
        else:
            self._headers = False
        return codec.encode_json(table)
