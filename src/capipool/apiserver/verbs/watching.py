"""`watch`: what there is, then every change as it becomes durable, in batches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import NamedTuple

from capipool.apiserver import options
from capipool.apiserver.context import Context, Target
from capipool.apiserver.selection import Selection
from capipool.apiserver.store.collection import Collection, expired
from capipool.apiserver.store.entry import Change
from capipool.apiserver.verbs import reading
from capipool.machinery import codec
from capipool.machinery.calls import Call, WatchEvent
from capipool.machinery.errors import ApiError, BadRequest

INITIAL_EVENTS_END = "k8s.io/initial-events-end"
_BATCH = 500
"""Events in one batch: what a reader who falls behind gets at once."""


class _Wish(NamedTuple):
    """What a watch was asked to do."""

    revision: int
    initial: bool
    """Whether to begin with what there is."""
    initial_end: bool
    """Whether to say where that ends."""
    bookmarks: bool
    timeout_seconds: float


def _read(context: Context, call: Call) -> _Wish:
    query = call.query
    text = query.get("resourceVersion", "")
    revision = options.revision(text)
    send = query.get("sendInitialEvents")
    bookmarks = options.flag(query, "allowWatchBookmarks")
    if send is not None and query.get("resourceVersionMatch") != "NotOlderThan":
        raise BadRequest(
            "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"
        )
    initial = options.flag(query, "sendInitialEvents") if send is not None else text in ("", "0")
    seconds = options.number(query, "timeoutSeconds")
    default = context.settings.watch_timeout.total_seconds()
    return _Wish(
        revision,
        initial,
        send is not None and initial and bookmarks,
        bookmarks,
        float(seconds) if seconds else default * (1 + context.rng.random()),
    )


def watch(context: Context, target: Target, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
    """Follow a collection from now on. Raises Expired where the revision is too old, BadRequest, at once.

    The iterator ends at the watch's timeout, or with the server.
    """
    wish = _read(context, call)
    selection = reading.selection(target, call)
    collection = target.collection
    reading.refuse_the_future(context, wish.revision)
    position = collection.after(wish.revision) if wish.revision and not wish.initial else collection.last
    # What there is, and where what follows begins, are taken together, before anything else can happen.
    there = _initial(context, target, selection, wish) if wish.initial else []
    return _follow(context, target, selection, wish, there, position)


_EARLY_SECONDS = 1e-6
"""A loop may call a timer a little before its time. Waiting again for the rest would spin where time stands still."""


async def _follow(
    context: Context,
    target: Target,
    selection: Selection,
    wish: _Wish,
    there: list[list[WatchEvent]],
    position: Change,
) -> AsyncIterator[Sequence[WatchEvent]]:
    collection = target.collection
    for batch in there:
        yield batch
    del there
    loop = asyncio.get_running_loop()
    end = loop.time() + wish.timeout_seconds
    interval = context.settings.bookmark_interval.total_seconds()
    bookmark = loop.time() + interval if wish.bookmarks else end
    while True:
        changes, position = _next(position)
        if changes:
            events = [event for change in changes if (event := _event(context, target, selection, change)) is not None]
            if events:
                yield events
            continue
        if position is not collection.last:  # the chain was cut: this reader is too slow for what is kept
            yield [_error(expired(position.revision, collection.floor))]
            return
        now = loop.time() + _EARLY_SECONDS
        if now >= end or collection.gone or context.stopping:
            return
        if now >= bookmark:
            bookmark = now + interval
            yield [_bookmark(context, target)]
            continue
        await _wait(collection, min(end, bookmark))


async def _wait(collection: Collection, until: float) -> None:
    """Wait for a change, or until a time of the loop."""
    loop = asyncio.get_running_loop()
    future = collection.changed()
    timer = loop.call_at(until, _resolve, future)
    try:
        await future
    finally:
        timer.cancel()
        collection.stop_waiting(future)


def _resolve(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


def _next(position: Change) -> tuple[list[Change], Change]:
    """The changes after a position, a batch at most, and the new position."""
    changes: list[Change] = []
    while (following := position.next) is not None and len(changes) < _BATCH:
        changes.append(following)
        position = following
    return changes, position


def _initial(context: Context, target: Target, selection: Selection, wish: _Wish) -> list[list[WatchEvent]]:
    view, served = context.conversion.view, target.served
    events = [
        WatchEvent("ADDED", view(served, entry))
        for entry in target.collection.entries(selection.namespace)
        if selection.matches(entry)
    ]
    if wish.initial_end:
        events.append(_bookmark(context, target, initial_end=True))
    return [events[start : start + _BATCH] for start in range(0, len(events), _BATCH)]


def _event(context: Context, target: Target, selection: Selection, change: Change) -> WatchEvent | None:
    """A change as this watch sees it: what enters the selection is added to it, what leaves is deleted from it."""
    if selection.namespace and change.after.namespace != selection.namespace:
        return None
    if selection.selects_all:
        return WatchEvent(change.type, context.conversion.view(target.served, change.after))
    was = change.before is not None and selection.matches(change.before)
    is_ = change.type != "DELETED" and selection.matches(change.after)
    if not was and not is_:
        return None
    body = context.conversion.view(target.served, change.after)
    return WatchEvent("MODIFIED" if was and is_ else "ADDED" if is_ else "DELETED", body)


def _bookmark(context: Context, target: Target, *, initial_end: bool = False) -> WatchEvent:
    meta: dict[str, object] = {"resourceVersion": str(context.store.revision)}
    if initial_end:
        meta["annotations"] = {INITIAL_EVENTS_END: "true"}
    resource = target.served.definition.resource
    body = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": meta}
    return WatchEvent("BOOKMARK", codec.encode_json(body))


def _error(error: ApiError) -> WatchEvent:
    return WatchEvent("ERROR", codec.encode_json(error.status))
