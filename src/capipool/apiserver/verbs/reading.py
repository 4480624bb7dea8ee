"""`get` and `list`. Objects leave as the bytes they are stored as, unless another version was asked for."""

from __future__ import annotations

import base64
import binascii
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from capipool.apiserver import options
from capipool.apiserver import selection as selections
from capipool.apiserver.context import Context, Target
from capipool.apiserver.selection import Selection
from capipool.apiserver.store.entry import Entry
from capipool.machinery import codec
from capipool.machinery.calls import Call, Reply
from capipool.machinery.errors import BadRequest, Expired, NotFound, Timeout


async def get(context: Context, target: Target, call: Call) -> Reply:
    """One object."""
    entry = target.collection.get(target.namespace, target.name)
    if entry is None:
        raise NotFound.of(target.served.group_resource, target.name)
    return Reply(context.conversion.view(target.served, entry), 200, warnings(target))


def warnings(target: Target) -> tuple[str, ...]:
    """What a reader is told about the version it asked for."""
    deprecated = target.served.definition.deprecated
    return (deprecated,) if deprecated else ()


class Page(NamedTuple):
    """A part of a list."""

    entries: Sequence[Entry]
    revision: int
    cont: str = ""
    """Where the next page begins; empty when this is the last."""
    remaining: int | None = None


class _Continue(msgspec.Struct):
    """A continue token: at which revision the list is read, and after which object it goes on."""

    rv: int
    namespace: str
    name: str
    v: str = "capipool/v1"


_tokens = msgspec.json.Decoder(_Continue)


async def list_(context: Context, target: Target, call: Call) -> Reply:
    """Objects, ordered by namespace and name. Pages show the state of the first page. Raises Expired, BadRequest."""
    found = page(context, target, call, selection(target, call))
    meta: dict[str, object] = {"resourceVersion": str(found.revision)}
    if found.cont:
        meta["continue"] = found.cont
    if found.remaining:
        meta["remainingItemCount"] = found.remaining
    definition = target.served.definition
    head = {"kind": definition.list_kind, "apiVersion": target.served.api_version, "metadata": meta}
    api_version, view = target.served.api_version, context.conversion.view
    items = [e.data if e.api_version == api_version else view(target.served, e) for e in found.entries]
    body = b"".join((codec.encode_json(head)[:-1], b',"items":[', b",".join(items), b"]}"))
    return Reply(body, 200, warnings(target))


def selection(target: Target, call: Call) -> Selection:
    """What a call's selectors (and its name, if it has one) select."""
    found = selections.parse(target.served.definition, target.namespace, call.query)
    if target.name:
        fields = msgspec.structs.replace(
            found.fields, terms=(*found.fields.terms, ("metadata.name", True, target.name))
        )
        return Selection(found.namespace, found.labels, fields, found.absent)
    return found


def page(context: Context, target: Target, call: Call, wanted: Selection) -> Page:
    """The entries that a list call asks for."""
    query = call.query
    if not query:
        return Page(target.collection.entries(wanted.namespace), context.store.revision)
    limit = options.number(query, "limit")
    revision, entries = _start(context, target, query, wanted)
    if wanted.selects_all:
        selected = entries
    else:
        selected = [entry for entry in entries if wanted.matches(entry)]
    if not limit or len(selected) <= limit:
        return Page(selected, revision)
    last = selected[limit - 1]
    token = codec.encode_json(_Continue(revision, last.namespace, last.name))
    remaining = len(selected) - limit if wanted.selects_all else None
    cont = base64.urlsafe_b64encode(token).rstrip(b"=").decode()
    return Page(selected[:limit], revision, cont, remaining)


def _start(
    context: Context, target: Target, query: Mapping[str, str], wanted: Selection
) -> tuple[int, Sequence[Entry]]:
    """The revision at which a list is read, and what there was from where it begins."""
    token = query.get("continue", "")
    if not token:
        at = at_revision(context, query)
        return at, target.collection.entries_at(at, wanted.namespace)
    after = _decode_token(token)
    try:
        entries = target.collection.entries_at(after.rv, wanted.namespace)
    except Expired as error:
        message = (
            "The provided continue parameter is too old to display a consistent list result. You can start a new list "
            "without the continue parameter."
        )
        raise Expired(message) from error
    start = bisect_right(entries, (after.namespace, after.name), key=lambda entry: entry.key)
    return after.rv, entries[start:]


def at_revision(context: Context, query: Mapping[str, str]) -> int:
    """The revision a list is read at: now, unless an exact one is asked for. Raises BadRequest, Timeout."""
    text, match = query.get("resourceVersion", ""), query.get("resourceVersionMatch", "")
    if match not in ("", "Exact", "NotOlderThan"):
        raise BadRequest(f"resourceVersionMatch: Unsupported value: {match!r}: supported values: Exact, NotOlderThan")
    if match and not text:
        raise BadRequest("resourceVersionMatch is forbidden unless resourceVersion is provided")
    revision = options.revision(text)
    refuse_the_future(context, revision)
    return revision if match == "Exact" and revision else context.store.revision


def refuse_the_future(context: Context, revision: int) -> None:
    """A revision that was not given out yet cannot be read at. Raises Timeout, as kube-apiserver does after waiting."""
    current = context.store.revision
    if revision > current:
        details = {
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        }
        raise Timeout(f"Too large resource version: {revision}, current: {current}", details=details)


def _decode_token(token: str) -> _Continue:
    try:
        return _tokens.decode(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    except (binascii.Error, msgspec.DecodeError, ValueError) as error:
        raise BadRequest("continue key is not valid") from error
