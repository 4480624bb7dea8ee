"""Watches: what there is, what follows, resuming, bookmarks, selectors, and their ends."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from capipool.apiserver.settings import Settings
from capipool.machinery import errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, NODES, POOLS, World, config, pool, seen


async def following(watch: AsyncIterator[Any]) -> list[Any]:
    """The next batch, which must come without any time passing."""
    return list(await asyncio.wait_for(anext(watch), 5))


async def test_a_watch_begins_with_what_there_is(world: World) -> None:
    await world.create(CONFIGMAPS, config("a"))
    watch = world.watch(CONFIGMAPS)
    assert seen(await following(watch)) == [("ADDED", "a")]
    await world.patch(CONFIGMAPS, "a", {"data": {"x": "1"}})
    assert seen(await following(watch)) == [("MODIFIED", "a")]
    deleted = await world.delete(CONFIGMAPS, "a")
    batch = await following(watch)
    assert seen(batch) == [("DELETED", "a")]
    last = msgspec.json.decode(batch[0].object)
    assert last["data"] == {"x": "1"}
    assert last["metadata"]["uid"] == deleted["details"]["uid"]


async def test_a_watch_resumes_where_it_was(world: World) -> None:
    revision = (await world.list(CONFIGMAPS))["metadata"]["resourceVersion"]
    made = await world.create(CONFIGMAPS, config("a"))
    await world.create(CONFIGMAPS, config("b"))
    assert seen(await following(world.watch(CONFIGMAPS, resourceVersion=revision))) == [("ADDED", "a"), ("ADDED", "b")]
    later = made["metadata"]["resourceVersion"]
    assert seen(await following(world.watch(CONFIGMAPS, resourceVersion=later))) == [("ADDED", "b")]


async def test_a_deletion_has_a_revision_of_its_own_to_resume_from(world: World) -> None:
    await world.create(CONFIGMAPS, config("a"))
    watch = world.watch(CONFIGMAPS)
    await following(watch)
    await world.delete(CONFIGMAPS, "a")
    (event,) = await following(watch)
    revision = msgspec.json.decode(event.object)["metadata"]["resourceVersion"]
    await world.create(CONFIGMAPS, config("b"))
    assert seen(await following(world.watch(CONFIGMAPS, resourceVersion=revision))) == [("ADDED", "b")]


async def test_too_old_a_revision_is_expired_at_once() -> None:
    async with worlds.running(settings=Settings(watch_window=3)) as world:
        revision = (await world.list(CONFIGMAPS))["metadata"]["resourceVersion"]
        for i in range(5):
            await world.create(CONFIGMAPS, config(f"c{i}"))
        with pytest.raises(errors.Expired, match="too old resource version"):
            world.watch(CONFIGMAPS, resourceVersion=revision)


async def test_a_watch_that_falls_behind_the_window_is_told_to_list_again() -> None:
    async with worlds.running(settings=Settings(watch_window=3)) as world:
        await world.create(CONFIGMAPS, config("a"))
        watch = world.watch(CONFIGMAPS)
        await following(watch)
        for i in range(6):
            await world.patch(CONFIGMAPS, "a", {"data": {"i": str(i)}})
        events = [event async for batch in watch for event in batch]
        assert events[-1].type == "ERROR"
        assert msgspec.json.decode(events[-1].object)["code"] == 410


async def test_busy_collections_share_what_is_remembered() -> None:
    async with worlds.running(settings=Settings(history_bytes=20_000)) as world:
        quiet = await world.create(NODES, {"metadata": {"name": "n"}})
        busy = await world.create(CONFIGMAPS, config("a"))
        bookmark = (await world.list(NODES))["metadata"]["resourceVersion"]
        for i in range(40):
            await world.patch(CONFIGMAPS, "a", {"data": {"i": str(i)}})
        with pytest.raises(errors.Expired):
            world.watch(CONFIGMAPS, resourceVersion=busy["metadata"]["resourceVersion"])
        # Where nothing happened since, there is nothing to have forgotten.
        world.watch(NODES, resourceVersion=quiet["metadata"]["resourceVersion"])
        world.watch(NODES, resourceVersion=bookmark)


async def test_a_watch_that_keeps_up_outlives_the_window() -> None:
    async with worlds.running(settings=Settings(watch_window=3)) as world:
        await world.create(CONFIGMAPS, config("a"))
        watch = world.watch(CONFIGMAPS)
        await following(watch)
        for i in range(10):
            await world.patch(CONFIGMAPS, "a", {"data": {"i": str(i)}})
            assert seen(await following(watch)) == [("MODIFIED", "a")]


async def test_initial_events_end_with_a_bookmark(world: World) -> None:
    await world.create(CONFIGMAPS, config("a"))
    query = {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan", "allowWatchBookmarks": "true"}
    batch = await following(world.watch(CONFIGMAPS, **query))
    assert [e.type for e in batch] == ["ADDED", "BOOKMARK"]
    meta = msgspec.json.decode(batch[1].object)["metadata"]
    assert meta["annotations"] == {"k8s.io/initial-events-end": "true"}
    assert meta["resourceVersion"] == (await world.list(CONFIGMAPS))["metadata"]["resourceVersion"]
    with pytest.raises(errors.BadRequest, match="resourceVersionMatch"):
        world.watch(CONFIGMAPS, sendInitialEvents="true")


async def test_what_enters_a_selection_is_added_and_what_leaves_is_deleted(world: World) -> None:
    watch = world.watch(CONFIGMAPS, labelSelector="on=yes")
    await world.create(CONFIGMAPS, config("a"))
    await world.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"on": "yes"}}})
    assert seen(await following(watch)) == [("ADDED", "a")]
    await world.patch(CONFIGMAPS, "a", {"data": {"x": "1"}})
    assert seen(await following(watch)) == [("MODIFIED", "a")]
    await world.patch(CONFIGMAPS, "a", {"metadata": {"labels": {"on": None}}})
    assert seen(await following(watch)) == [("DELETED", "a")]


async def test_one_object_can_be_watched_by_its_name(world: World) -> None:
    watch = world.watch(CONFIGMAPS, "a")
    await world.create(CONFIGMAPS, config("b"))
    await world.create(CONFIGMAPS, config("a"))
    assert seen(await following(watch)) == [("ADDED", "a")]


async def test_changes_made_together_come_together_and_in_order(world: World) -> None:
    watch = world.watch(CONFIGMAPS)
    await asyncio.gather(*(world.create(CONFIGMAPS, config(f"c{i}")) for i in range(10)))
    batch = await following(watch)
    assert [name for _, name in seen(batch)] == [f"c{i}" for i in range(10)]


async def test_a_quiet_watch_gets_bookmarks_and_ends_in_time() -> None:
    settings = Settings(bookmark_interval=dt.timedelta(milliseconds=20))
    async with worlds.running(settings=settings) as world:
        revision = (await world.list(CONFIGMAPS))["metadata"]["resourceVersion"]
        watch = world.watch(CONFIGMAPS, resourceVersion=revision, allowWatchBookmarks="true", timeoutSeconds="1")
        await world.create(NODES, {"metadata": {"name": "n"}})  # moves the revision, not the collection
        batch = await following(watch)
        assert [e.type for e in batch] == ["BOOKMARK"]
        assert int(msgspec.json.decode(batch[0].object)["metadata"]["resourceVersion"]) > int(revision)
        assert [e.type async for batch in watch for e in batch].count("BOOKMARK") > 1


async def test_watches_end_with_the_server() -> None:
    async with worlds.running() as world:
        watch = world.watch(CONFIGMAPS)
        ended = asyncio.ensure_future(anext(watch, "ended"))
        await world.settle()
    assert await asyncio.wait_for(ended, 5) == "ended"


async def test_watches_of_a_kind_end_with_the_kind(pools: World) -> None:
    await pools.create(POOLS, pool("a"))
    watch = pools.watch(POOLS)
    assert seen(await following(watch)) == [("ADDED", "a")]
    await pools.delete(worlds.CRDS, "pools.example.org")
    assert seen(await following(watch)) == [("DELETED", "a")]
    assert await asyncio.wait_for(anext(watch, None), 5) is None


async def test_an_abandoned_watch_leaves_nothing_behind(world: World) -> None:
    collection = world.server.context.store.collection("", "", "configmaps")
    waiting = asyncio.ensure_future(anext(world.watch(CONFIGMAPS)))
    await world.settle()
    assert collection.waiting == 1
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    assert collection.waiting == 0
