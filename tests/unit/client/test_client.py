"""The client: what each method asks of a transport, and what it makes of the answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from capipool.client import Change, Client, Write
from capipool.machinery import calls, errors, objects
from capipool.machinery.calls import Call, Reply, WatchEvent
from capipool.machinery.objects import Object, Unstructured
from capipool.machinery.resource import Resource
from tests.unit.runtime.kinds import Pool, pool

POOL = pool("a", replicas=1, resourceVersion="7", uid="u") | {"apiVersion": "test.example.com/v1", "kind": "Pool"}


class Scripted:
    """A transport that keeps the calls it gets and answers what a test says."""

    initial_events = True

    def __init__(self, answer: Callable[[Call], Any] | Any = None) -> None:
        self.calls: list[Call] = []
        self.paths: list[str] = []
        self.documents: dict[str, Any] = {}
        self.events: list[WatchEvent] = []
        self._answer = answer

    async def call(self, call: Call) -> Reply:
        self.calls.append(call)
        answer = self._answer(call) if callable(self._answer) else self._answer
        return Reply(json.dumps(POOL if answer is None else answer).encode())

    async def watch(self, call: Call) -> AsyncIterator[list[WatchEvent]]:
        self.calls.append(call)
        yield self.events

    async def get_path(self, path: str) -> bytes:
        self.paths.append(path)
        await asyncio.sleep(0)
        if path not in self.documents:
            raise errors.NotFound(f"no document at {path}")
        return json.dumps(self.documents[path]).encode()

    async def close(self) -> None:
        return


def body(call: Call) -> Any:
    return json.loads(call.body)


async def test_objects_come_back_typed_or_as_they_are_by_the_kind_asked_for() -> None:
    client = Client(Scripted())
    typed = await client.get(Pool, "a", "ns")
    untyped = await client.get(Pool.RESOURCE, "a", "ns")
    assert typed.spec.replicas == 1
    assert isinstance(untyped, Unstructured)
    assert untyped.spec["replicas"] == 1


async def test_a_class_of_no_fixed_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="Resource"):
        await Client(Scripted()).get(Unstructured, "a")


async def test_lists_are_read_page_by_page_and_cut_at_the_limit() -> None:
    def answer(call: Call) -> Any:
        start = int(call.query.get("continue", 0))
        more = {"continue": str(start + 2)} if start < 4 else {}
        return {"metadata": {"resourceVersion": "9", **more}, "items": [POOL, POOL]}

    transport = Scripted(answer)
    assert len(await Client(transport).list(Pool, labels="a=b", fields="metadata.name=a")) == 6
    assert transport.calls[0].query == {"labelSelector": "a=b", "fieldSelector": "metadata.name=a", "limit": "500"}
    assert len(await Client(Scripted(answer)).list(Pool, limit=3)) == 3


async def test_a_write_keeps_what_the_type_does_not_know() -> None:
    transport = Scripted(POOL | {"extra": {"x": 1}})
    client = Client(transport)
    read = await client.get(Pool, "a", "ns")
    await client.update(objects.replace(read, spec=objects.replace_part(read.spec, replicas=5)))
    sent = body(transport.calls[-1])
    assert (sent["extra"], sent["spec"]["replicas"]) == ({"x": 1}, 5)
    assert transport.calls[-1].query == {"fieldManager": "capipool"}


@pytest.mark.parametrize(
    ("patch", "sent"),
    [
        ({"spec": {"replicas": 2}}, {"spec": {"replicas": 2}, "metadata": {"resourceVersion": "7"}}),
        (
            [{"op": "remove", "path": "/spec/zone"}],
            [
                {"op": "test", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "remove", "path": "/spec/zone"},
            ],
        ),
    ],
)
async def test_a_patch_can_be_pinned_to_the_version_that_was_read(patch: Any, sent: Any) -> None:
    transport = Scripted()
    kind = calls.JSON_PATCH if isinstance(patch, list) else calls.MERGE_PATCH
    await Client(transport).patch(Pool, "a", "ns", patch=patch, content_type=kind, resource_version="7")
    assert body(transport.calls[0]) == sent
    assert transport.calls[0].content_type == kind


async def test_apply_names_the_manager_and_may_take_fields_over() -> None:
    transport = Scripted()
    await Client(transport).apply(POOL, resource=Pool.RESOURCE, field_manager="me", force=True)
    call = transport.calls[0]
    assert (call.verb, call.content_type) == ("patch", calls.APPLY_PATCH)
    assert call.query == {"fieldManager": "me", "force": "true"}
    assert (call.namespace, call.name) == ("ns", "a")


async def test_apply_without_a_name_is_refused() -> None:
    raw = {"apiVersion": "test.example.com/v1", "kind": "Pool", "metadata": {}}
    with pytest.raises(errors.BadRequest, match=r"metadata\.name"):
        await Client(Scripted()).apply(raw, resource=Pool.RESOURCE)


async def test_delete_sends_its_preconditions_and_options() -> None:
    transport = Scripted({"kind": "Status", "status": "Success"})
    await Client(transport).delete(Pool, "a", "ns", propagation="Foreground", uid="u", grace_period_seconds=0)
    assert body(transport.calls[0]) == {
        "apiVersion": "v1",
        "kind": "DeleteOptions",
        "propagationPolicy": "Foreground",
        "gracePeriodSeconds": 0,
        "preconditions": {"uid": "u"},
    }


async def test_evictions_go_to_the_pod() -> None:
    transport = Scripted({"kind": "Status", "status": "Success"})
    await Client(transport).evict("p", "ns", grace_period_seconds=30)
    call = transport.calls[0]
    assert call.resource.path(call.namespace, call.name, call.subresource) == "/api/v1/namespaces/ns/pods/p/eviction"
    assert body(call)["deleteOptions"] == {"gracePeriodSeconds": 30}


async def test_scale_is_read_and_set_through_its_subresource() -> None:
    transport = Scripted({"kind": "Scale", "apiVersion": "autoscaling/v1", "spec": {"replicas": 4}})
    client = Client(transport)
    assert await client.update_scale(Pool, "a", "ns", replicas=4) == 4
    assert (await client.get_scale(Pool, "a", "ns")).spec == {"replicas": 4}
    assert {call.subresource for call in transport.calls} == {"scale"}


async def test_writes_are_told_with_the_version_they_made() -> None:
    def answer(call: Call) -> Any:
        return {"kind": "Status", "metadata": {}} if call.verb == "delete" else POOL

    client, told = Client(Scripted(answer)), list[Write]()
    client.on_write(told.append)
    await client.patch(Pool, "a", "ns", patch={})
    await client.delete(Pool, "a", "ns")
    await client.get(Pool, "a", "ns")
    assert told == [Write(Pool.RESOURCE, "ns", "a", "7"), Write(Pool.RESOURCE, "ns", "a", "")]


async def test_each_object_deleted_together_is_told_of() -> None:
    leaving = {**POOL, "metadata": {**POOL["metadata"], "name": "b", "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    client, told = Client(Scripted({"metadata": {}, "items": [POOL, leaving]})), list[Write]()
    client.on_write(told.append)
    await client.delete_all(Pool, "ns")
    assert told == [Write(Pool.RESOURCE, "ns", "a", "")]


async def test_taking_the_last_finalizer_is_told_as_a_deletion() -> None:
    gone = {**POOL, "metadata": {**POOL["metadata"], "deletionTimestamp": "2026-01-01T00:00:00Z"}}
    client, told = Client(Scripted(gone)), list[Write]()
    client.on_write(told.append)
    await client.patch(Pool, "a", "ns", patch={"metadata": {"finalizers": None}})
    assert told == [Write(Pool.RESOURCE, "ns", "a", "")]


async def test_a_watch_yields_typed_changes_and_raises_what_the_server_says() -> None:
    transport = Scripted()
    status = b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}'
    transport.events = [WatchEvent("ADDED", json.dumps(POOL).encode()), WatchEvent("ERROR", status)]
    changes: list[Change] = []

    async def follow() -> None:
        async for change in Client(transport).watch(Pool, resource_version="5"):
            changes.append(change)

    with pytest.raises(errors.Expired, match="too old"):
        await follow()
    assert [(c.type, c.object.spec.replicas) for c in changes] == [("ADDED", 1)]


# --- discovery

DOCUMENTS = {
    "/apis/test.example.com": {
        "kind": "APIGroup",
        "name": "test.example.com",
        "versions": [{"version": "v1beta1"}, {"version": "v1"}],
        "preferredVersion": {"version": "v1"},
    },
    "/apis/test.example.com/v1": {
        "resources": [
            {"name": "pools", "kind": "Pool", "namespaced": True},
            {"name": "pools/status", "kind": "Pool", "namespaced": True},
        ]
    },
    "/apis/test.example.com/v1beta1": {"resources": [{"name": "olds", "kind": "Old", "namespaced": False}]},
    "/api/v1": {"resources": [{"name": "nodes", "kind": "Node", "namespaced": False}]},
}


async def test_kinds_are_found_at_the_preferred_version_or_at_the_one_that_has_them() -> None:
    transport = Scripted()
    transport.documents = DOCUMENTS
    find = Client(transport).resources.find
    assert await find("test.example.com", "Pool") == Pool.RESOURCE
    assert (await find("test.example.com", "Old")).version == "v1beta1"
    assert await find("", "Node") == Resource("", "v1", "Node", "nodes", namespaced=False)


async def test_what_was_found_is_remembered_and_what_was_not_is_asked_for_anew() -> None:
    transport = Scripted()
    resources = Client(transport).resources
    with pytest.raises(errors.NotFound, match=r"Pool\.test\.example\.com"):
        await resources.find("test.example.com", "Pool", "v1")
    transport.documents = DOCUMENTS
    assert await resources.find("test.example.com", "Pool", "v1") == Pool.RESOURCE
    asked = len(transport.paths)
    await resources.find("test.example.com", "Pool", "v1")
    assert len(transport.paths) == asked


async def test_those_who_ask_at_once_share_one_request() -> None:
    transport = Scripted()
    transport.documents = DOCUMENTS
    resources = Client(transport).resources
    await asyncio.gather(*(resources.find("test.example.com", "Pool", "v1") for _ in range(10)))
    assert len(transport.paths) == 1


async def test_a_server_that_fails_is_not_taken_for_one_that_serves_nothing() -> None:
    class Failing(Scripted):
        async def get_path(self, path: str) -> bytes:
            raise errors.ServiceUnavailable("away")

    with pytest.raises(errors.ServiceUnavailable):
        await Client(Failing()).resources.find("test.example.com", "Pool")


@pytest.mark.parametrize("raw", [{"kind": "Pool"}, {"apiVersion": "v1"}, {"apiVersion": 1, "kind": "Pool"}])
async def test_an_object_that_does_not_say_what_it_is_is_refused(raw: dict[str, Any]) -> None:
    with pytest.raises(errors.BadRequest, match="Required value"):
        await Client(Scripted()).resources.of(raw)


async def test_an_untyped_object_is_created_where_its_kind_is_served() -> None:
    transport = Scripted()
    transport.documents = DOCUMENTS
    obj: Object = objects.from_raw(Unstructured, POOL)
    await Client(transport).create(obj)
    assert transport.calls[0].resource == Pool.RESOURCE
