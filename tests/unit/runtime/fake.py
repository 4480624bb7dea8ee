"""An API server in a few lines, for tests of the runtime: objects, versions, watches, and faults to order.

It is a `client.transport.Transport`. Everything happens at once and in order, so that tests on virtual time are
deterministic; what a test wants late, broken or refused it says.
"""

from __future__ import annotations

import asyncio
import itertools
import json
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from capipool.machinery import errors
from capipool.machinery.calls import Call, Reply, WatchEvent
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import GroupResource

INITIAL_EVENTS_END = {"k8s.io/initial-events-end": "true"}


class _Watch:
    """One who watches: what was sent, and what is held back."""

    def __init__(self, call: Call) -> None:
        self.call = call
        self.queue: asyncio.Queue[WatchEvent | BaseException | None] = asyncio.Queue()
        self.late: list[WatchEvent] = []


class FakeServer:
    """Objects by kind, and who watches them."""

    def __init__(self, *, initial_events: bool = True, version: int = 100) -> None:
        self.initial_events = initial_events
        self.objects: dict[GroupResource, dict[tuple[str, str], Raw]] = {}
        self.history: list[tuple[GroupResource, int, WatchEvent]] = []
        self.oldest = 0
        self.calls: list[Call] = []
        self.fault: Callable[[Call], errors.ApiError | None] = lambda call: None
        self.unserved: set[GroupResource] = set()
        self.held: bool = False
        """Whether watches are late: events wait until `let_go`."""
        self._version = version
        self._uids = itertools.count(1)
        self._watches: list[_Watch] = []

    # --- what tests do to it

    def put(self, resource: Any, raw: Raw) -> Raw:
        """Create or change an object, as somebody else would."""
        meta = dict(raw.get("metadata") or {})
        key = (meta.get("namespace", ""), meta["name"])
        known = self.objects.setdefault(resource.group_resource, {})
        before = known.get(key)
        meta["resourceVersion"] = str(self._next())
        meta["uid"] = before["metadata"]["uid"] if before else meta.get("uid") or f"uid-{next(self._uids)}"
        stored = {"apiVersion": resource.api_version, "kind": resource.kind, **raw, "metadata": meta}
        known[key] = stored
        self._emit(resource.group_resource, "MODIFIED" if before else "ADDED", stored)
        return stored

    def take(self, resource: Any, name: str, namespace: str = "") -> None:
        """Delete an object, as somebody else would."""
        stored = self.objects[resource.group_resource].pop((namespace, name))
        gone = {**stored, "metadata": {**stored["metadata"], "resourceVersion": str(self._next())}}
        self._emit(resource.group_resource, "DELETED", gone)

    def forget_history(self) -> None:
        """From now on, versions before this are too old to watch from."""
        self.history.clear()
        self.oldest = self._version

    def restore(self, version: int) -> None:
        """Count versions from here, without a history: from an earlier one as after a restore from a backup."""
        self.history.clear()
        self._version = version

    def break_watches(self, error: BaseException | None = None) -> None:
        """Have all watches break with an error, or end as if the server wanted it."""
        for watch in self._watches:
            watch.queue.put_nowait(error)

    def send(self, event: WatchEvent) -> None:
        """Send an event to all watches, whatever it holds."""
        for watch in self._watches:
            watch.queue.put_nowait(event)

    def let_go(self) -> None:
        """Bring watches up to date that were late."""
        self.held = False
        for watch in self._watches:
            for event in watch.late:
                watch.queue.put_nowait(event)
            watch.late.clear()

    def count(self, verb: str) -> int:
        return sum(call.verb == verb for call in self.calls)

    @property
    def watching(self) -> int:
        return len(self._watches)

    # --- Transport

    async def call(self, call: Call) -> Reply:
        self._begin(call)
        answer = getattr(self, f"_{call.verb}")(call)
        return Reply(json.dumps(answer).encode())

    async def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        self._begin(call)
        watch = _Watch(call)
        for event in self._replay(call):
            watch.queue.put_nowait(event)
        self._watches.append(watch)
        try:
            while True:
                batch: list[WatchEvent] = []
                while not batch or not watch.queue.empty():
                    item = await watch.queue.get()
                    if isinstance(item, WatchEvent):
                        batch.append(item)
                        continue
                    if batch:
                        yield batch
                    if item is None:
                        return
                    raise item
                yield batch
        finally:
            self._watches.remove(watch)

    async def get_path(self, path: str) -> bytes:
        raise errors.NotFound(f"no document at {path}")

    async def close(self) -> None:
        self.break_watches()

    # --- inside

    def _begin(self, call: Call) -> None:
        self.calls.append(call)
        if (fault := self.fault(call)) is not None:
            raise fault
        if call.resource.group_resource in self.unserved:
            raise errors.NotFound("the server could not find the requested resource")

    def _next(self) -> int:
        self._version += 1
        return self._version

    def _emit(self, about: GroupResource, type_: Any, raw: Raw) -> None:
        event = WatchEvent(type_, json.dumps(raw).encode())
        self.history.append((about, int(raw["metadata"]["resourceVersion"]), event))
        for watch in self._watches:
            if watch.call.resource.group_resource == about and _within(watch.call, raw):
                if self.held:
                    watch.late.append(event)
                else:
                    watch.queue.put_nowait(event)

    def _replay(self, call: Call) -> list[WatchEvent]:
        about = call.resource.group_resource
        version = call.query.get("resourceVersion", "")
        if version:
            if int(version) > self._version:
                causes = [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]
                raise errors.Timeout("Too large resource version", details={"causes": causes})
            if int(version) < self.oldest:
                raise errors.Expired("too old resource version")
            return [event for kind, at, event in self.history if kind == about and at > int(version)]
        stored = self.objects.get(about, {}).values()
        events = [WatchEvent("ADDED", json.dumps(raw).encode()) for raw in stored if _within(call, raw)]
        if call.query.get("sendInitialEvents") == "true":
            if not self.initial_events:
                raise errors.Invalid("sendInitialEvents: Forbidden: not supported here")
            meta = {"resourceVersion": str(self._version), "annotations": INITIAL_EVENTS_END}
            events.append(WatchEvent("BOOKMARK", json.dumps({"metadata": meta}).encode()))
        return events

    def _stored(self, call: Call) -> Raw:
        key = (call.namespace if call.resource.namespaced else "", call.name)
        found = self.objects.get(call.resource.group_resource, {}).get(key)
        if found is None:
            raise errors.NotFound.of(call.resource.group_resource, call.name)
        return found

    def _get(self, call: Call) -> Raw:
        return self._stored(call)

    def _list(self, call: Call) -> Raw:
        stored = [raw for raw in self.objects.get(call.resource.group_resource, {}).values() if _within(call, raw)]
        start = int(call.query.get("continue", "0"))
        size = int(call.query.get("limit", "0")) or len(stored) or 1
        meta = {"resourceVersion": str(self._version)}
        if start + size < len(stored):
            meta["continue"] = str(start + size)
        return {"metadata": meta, "items": stored[start : start + size]}

    def _create(self, call: Call) -> Raw:
        raw = json.loads(call.body)
        key = (raw["metadata"].get("namespace", ""), raw["metadata"]["name"])
        if key in self.objects.get(call.resource.group_resource, {}):
            raise errors.AlreadyExists.of(call.resource.group_resource, raw["metadata"]["name"])
        return self.put(call.resource, raw)

    def _update(self, call: Call) -> Raw:
        return self._replace(call, json.loads(call.body))

    def _patch(self, call: Call) -> Raw:
        return self._replace(call, merge.apply(self._stored(call), json.loads(call.body)))

    def _replace(self, call: Call, raw: Raw) -> Raw:
        before = self._stored(call)
        version = raw["metadata"].get("resourceVersion")
        if version and version != before["metadata"]["resourceVersion"]:
            raise errors.Conflict.of(call.resource.group_resource, call.name, "the object has been modified")
        if {**raw, "metadata": {**raw["metadata"], "resourceVersion": ""}} == {
            **before,
            "metadata": {**before["metadata"], "resourceVersion": ""},
        }:
            return before
        return self.put(call.resource, raw)

    def _delete(self, call: Call) -> Raw:
        self._stored(call)
        self.take(call.resource, call.name, call.namespace)
        return {"kind": "Status", "status": "Success"}


def _within(call: Call, raw: Raw) -> bool:
    return call.namespace in ("", raw["metadata"].get("namespace", ""))
