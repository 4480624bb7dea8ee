"""Events: two groups show the same ones, and after an hour they are gone."""

from __future__ import annotations

import asyncio
import datetime as dt

from capipool.apiserver.settings import Settings
from capipool.machinery.resource import Resource
from capipool.testing import virtual
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import World

EVENTS = Resource("", "v1", "Event", "events")
NEWER = Resource("events.k8s.io", "v1", "Event", "events")


def event(name: str) -> worlds.Raw:
    about = {"kind": "Pod", "name": "p", "namespace": "default"}
    return {"metadata": {"name": name}, "involvedObject": about, "message": "hello", "reason": "Greeted"}


async def test_an_event_shows_itself_in_both_groups(world: World) -> None:
    await world.create(EVENTS, event("a"))
    newer = await world.get(NEWER, "a")
    assert (newer["apiVersion"], newer["note"], newer["regarding"]["name"]) == ("events.k8s.io/v1", "hello", "p")
    raw = {k: v for k, v in newer.items() if k != "metadata"}
    await world.create(NEWER, {**raw, "metadata": {"name": "b"}, "note": "again"})
    assert (await world.get(EVENTS, "b"))["message"] == "again"
    assert await world.names(EVENTS, fieldSelector="involvedObject.name=p,reason=Greeted") == ["a", "b"]


def test_events_live_an_hour_after_they_were_last_written() -> None:
    async def run() -> None:
        async with worlds.running(settings=Settings(event_ttl=dt.timedelta(hours=1))) as world:
            await world.create(EVENTS, event("old"))
            await world.create(EVENTS, event("repeated"))
            await asyncio.sleep(50 * 60)
            assert await world.names(EVENTS) == ["old", "repeated"]
            await world.patch(EVENTS, "repeated", {"count": 2})
            await asyncio.sleep(20 * 60)
            assert await world.names(EVENTS) == ["repeated"]
            await asyncio.sleep(60 * 60)
            assert await world.names(EVENTS) == []

    virtual.run(run())
