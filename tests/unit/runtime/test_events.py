"""Events: repeats are counted, floods are dampened, failures harm nobody, secrets are cut out."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from capipool.client import Client
from capipool.machinery import errors, objects
from capipool.runtime.events import Event, EventRecorder
from capipool.testing import virtual
from tests.unit.runtime.fake import FakeServer
from tests.unit.runtime.kinds import Machine, Pool, pool

Test = Callable[[FakeServer, EventRecorder], Coroutine[Any, Any, None]]


def recording(test: Test) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            server = FakeServer()
            recorder = EventRecorder(Client(server), clock=virtual.clock(), rng=random.Random(1))
            recorder.start()
            await test(server, recorder)
            await recorder.stop()

        virtual.run(main())

    run.__name__ = test.__name__
    return run


def a_pool(name: str = "a") -> Pool:
    raw = pool(name, uid=f"uid-{name}") | {"apiVersion": "test.example.com/v1", "kind": "Pool"}
    return objects.from_raw(Pool, raw)


def written(server: FakeServer) -> list[dict[str, Any]]:
    return list(server.objects.get(Event.RESOURCE.group_resource, {}).values())


@recording
async def test_an_event_says_what_happened_to_whom(server: FakeServer, recorder: EventRecorder) -> None:
    recorder.event(a_pool(), "Normal", "Scaled", "scaled from 1 to 3")
    await recorder.flush()
    (event,) = written(server)
    assert event["involvedObject"] == {
        "apiVersion": "test.example.com/v1",
        "kind": "Pool",
        "name": "a",
        "namespace": "ns",
        "uid": "uid-a",
    }
    assert (event["type"], event["reason"], event["message"], event["count"]) == (
        "Normal",
        "Scaled",
        "scaled from 1 to 3",
        1,
    )
    assert event["firstTimestamp"] == "2026-01-01T00:00:00Z"
    assert event["metadata"]["namespace"] == "ns"


@recording
async def test_repeats_are_one_event_with_a_count(server: FakeServer, recorder: EventRecorder) -> None:
    for _ in range(3):
        recorder.event(a_pool(), "Warning", "Waiting", "no capacity")
        await asyncio.sleep(60)
    (event,) = written(server)
    assert (event["count"], event["lastTimestamp"]) == (3, "2026-01-01T00:02:00Z")


@recording
async def test_an_event_that_has_expired_is_written_anew(server: FakeServer, recorder: EventRecorder) -> None:
    recorder.event(a_pool(), "Warning", "Waiting", "no capacity")
    await recorder.flush()
    server.objects.clear()
    recorder.event(a_pool(), "Warning", "Waiting", "no capacity")
    await recorder.flush()
    assert [event["count"] for event in written(server)] == [1]


@recording
async def test_too_much_about_one_object_is_not_heard_and_others_still_are(
    server: FakeServer, recorder: EventRecorder
) -> None:
    for number in range(100):
        recorder.event(a_pool(), "Normal", "Busy", f"step {number}")
    recorder.event(a_pool("b"), "Normal", "Busy", "step")
    await recorder.flush()
    assert len(written(server)) == 26
    await asyncio.sleep(600)
    recorder.event(a_pool(), "Normal", "Busy", "later")
    await recorder.flush()
    assert len(written(server)) == 27


@recording
async def test_a_server_that_takes_no_events_blocks_nobody(server: FakeServer, recorder: EventRecorder) -> None:
    server.fault = lambda call: errors.Forbidden("no events here")
    recorder.event(a_pool(), "Normal", "Scaled", "one")
    await recorder.flush()
    server.fault = lambda call: None
    recorder.event(a_pool(), "Normal", "Scaled", "two")
    await recorder.flush()
    assert [event["message"] for event in written(server)] == ["two"]


@recording
async def test_events_of_cluster_scoped_objects_go_to_the_default_namespace(
    server: FakeServer, recorder: EventRecorder
) -> None:
    recorder.event(objects.from_raw(Machine, {"metadata": {"name": "m"}}), "Normal", "Up", "up")
    await recorder.flush()
    assert written(server)[0]["metadata"]["namespace"] == "default"
