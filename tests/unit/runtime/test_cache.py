"""Caches follow a server: through breaks, expiry, deletions missed, and objects that do not decode."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from capipool.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.calls import Call, WatchEvent
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime import Caches
from capipool.runtime.cache import Settings
from capipool.testing import virtual
from tests.unit.runtime.fake import FakeServer
from tests.unit.runtime.kinds import Machine, Pool, pool

CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
Test = Callable[[FakeServer, Caches], Coroutine[Any, Any, None]]


def run_on_virtual_time(test: Test, streaming: bool) -> None:
    async def main() -> None:
        server = FakeServer(initial_events=streaming)
        caches = Caches(Client(server), rng=random.Random(1))
        try:
            await test(server, caches)
        finally:
            await caches.stop()

    virtual.run(main())


def caching(test: Test) -> Callable[[], None]:
    """Run a test on virtual time with a server and the caches that follow it."""

    def run() -> None:
        run_on_virtual_time(test, True)

    run.__name__ = test.__name__
    return run


def both_ways(test: Test) -> Callable[[bool], None]:
    """The same, with a server that streams lists and with one that does not."""

    def run(streaming: bool) -> None:
        run_on_virtual_time(test, streaming)

    run.__name__ = test.__name__
    return pytest.mark.parametrize("streaming", [True, False], ids=["streaming list", "list and watch"])(run)


def names(caches: Caches) -> list[str]:
    return sorted(obj.metadata.name for obj in caches.of(Pool).list())


def follow(caches: Caches) -> list[tuple[str, str]]:
    """What a subscriber is told: what kind of change, to whom."""
    told: list[tuple[str, str]] = []

    def changed(old: Pool | None, new: Pool | None) -> None:
        what = "added" if old is None else "gone" if new is None else "changed"
        told.append((what, (new or old).metadata.name))  # type: ignore[union-attr]

    caches.of(Pool).subscribe(changed)
    return told


@both_ways
async def test_a_synced_cache_holds_what_is_there_and_follows_what_changes(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a"))
    told = follow(caches)
    await caches.synced()
    assert names(caches) == ["a"]
    server.put(Pool.RESOURCE, pool("b"))
    server.put(Pool.RESOURCE, pool("a", replicas=3))
    server.take(Pool.RESOURCE, "b", "ns")
    await asyncio.sleep(1)
    assert names(caches) == ["a"]
    assert caches.of(Pool).get(ObjectKey("ns", "a")).spec.replicas == 3  # type: ignore[union-attr]
    assert told == [("added", "a"), ("added", "b"), ("changed", "a"), ("gone", "b")]


@both_ways
async def test_a_watch_that_breaks_goes_on_where_it_was_without_listing_again(
    server: FakeServer, caches: Caches
) -> None:
    server.put(Pool.RESOURCE, pool("a"))
    told = follow(caches)
    await caches.synced()
    await asyncio.sleep(5)
    lists, streams = server.count("list"), _streams(server)
    server.break_watches(errors.ServiceUnavailable("gone away"))
    await virtual.settle()
    server.put(Pool.RESOURCE, pool("b"))
    await asyncio.sleep(5)
    assert names(caches) == ["a", "b"]
    assert told == [("added", "a"), ("added", "b")]
    assert (server.count("list"), _streams(server)) == (lists, streams)


@both_ways
async def test_when_the_version_is_too_old_a_relist_finds_what_was_deleted_meanwhile(
    server: FakeServer, caches: Caches
) -> None:
    for name in "abc":
        server.put(Pool.RESOURCE, pool(name))
    told = follow(caches)
    await caches.synced()
    await asyncio.sleep(5)
    told.clear()
    server.break_watches(ConnectionResetError("cut"))
    await virtual.settle()
    server.take(Pool.RESOURCE, "b", "ns")
    server.put(Pool.RESOURCE, pool("c", replicas=1))
    server.put(Pool.RESOURCE, pool("d"))
    server.forget_history()
    await asyncio.sleep(5)
    assert names(caches) == ["a", "c", "d"]
    assert sorted(told) == [("added", "d"), ("changed", "c"), ("gone", "b")]


@both_ways
async def test_a_server_restored_from_before_is_followed_from_there(server: FakeServer, caches: Caches) -> None:
    for name in "abc":
        server.put(Pool.RESOURCE, pool(name))
    told = follow(caches)
    await caches.synced()
    await asyncio.sleep(5)
    told.clear()
    server.take(Pool.RESOURCE, "c", "ns")
    await virtual.settle()
    server.restore(90)
    server.put(Pool.RESOURCE, pool("d"))
    server.break_watches(ConnectionResetError("cut"))
    await asyncio.sleep(5)
    assert names(caches) == ["a", "b", "d"]
    assert told == [("gone", "c"), ("added", "d")]
    server.put(Pool.RESOURCE, pool("d", replicas=2))
    await asyncio.sleep(1)
    assert told[2:] == [("changed", "d")]


@caching
async def test_an_error_event_in_a_watch_is_an_expiry_too(server: FakeServer, caches: Caches) -> None:
    follow(caches)
    await caches.synced()
    server.send(WatchEvent("ERROR", b'{"kind":"Status","code":410,"reason":"Expired","message":"too old"}'))
    await asyncio.sleep(2)
    server.put(Pool.RESOURCE, pool("a"))
    await asyncio.sleep(2)
    assert names(caches) == ["a"]


@caching
async def test_a_bookmark_moves_the_version_on_so_that_quiet_kinds_do_not_expire(
    server: FakeServer, caches: Caches
) -> None:
    follow(caches)
    await caches.synced()
    await asyncio.sleep(5)
    server.restore(555)
    server.send(WatchEvent("BOOKMARK", b'{"metadata":{"resourceVersion":"555"}}'))
    await virtual.settle()
    server.break_watches(None)
    await asyncio.sleep(2)
    assert server.calls[-1].query["resourceVersion"] == "555"


@both_ways
async def test_an_object_that_does_not_decode_is_left_out_and_the_others_are_not(
    server: FakeServer, caches: Caches
) -> None:
    server.put(Pool.RESOURCE, pool("good"))
    server.put(Pool.RESOURCE, {"metadata": {"name": "bad", "namespace": "ns"}, "spec": {"replicas": "many"}})
    await caches.of(Pool).synced()
    assert names(caches) == ["good"]
    server.put(Pool.RESOURCE, {"metadata": {"name": "good", "namespace": "ns"}, "spec": []})
    server.put(Pool.RESOURCE, pool("other"))
    await asyncio.sleep(1)
    assert names(caches) == ["other"], "one that no longer decodes is missing rather than stale"
    server.put(Pool.RESOURCE, pool("good"))
    await asyncio.sleep(1)
    assert names(caches) == ["good", "other"]


@caching
async def test_a_silent_watch_is_taken_for_broken(server: FakeServer, caches: Caches) -> None:
    await caches.of(Pool).synced()
    before = server.count("watch")
    await asyncio.sleep(Settings().silence + 10)
    assert server.count("watch") == before + 1
    assert server.watching == 1


@caching
async def test_a_server_that_is_away_is_asked_ever_less_often(server: FakeServer, caches: Caches) -> None:
    server.fault = lambda call: errors.ServiceUnavailable("away")
    caches.of(Pool)
    await asyncio.sleep(600)
    assert 15 < len(server.calls) < 40
    server.fault = lambda call: None
    await asyncio.sleep(60)
    assert caches.of(Pool).is_synced


@caching
async def test_a_server_that_ends_every_watch_at_once_is_not_asked_in_a_loop(
    server: FakeServer, caches: Caches
) -> None:
    await caches.of(Pool).synced()
    for _ in range(300):
        server.break_watches(None)
        await asyncio.sleep(0.1)
    assert server.count("watch") < 30


@caching
async def test_a_kind_that_is_not_served_counts_as_read_and_is_followed_once_it_is(
    server: FakeServer, caches: Caches
) -> None:
    server.unserved.add(Pool.RESOURCE.group_resource)
    told = follow(caches)
    await caches.synced()
    await asyncio.sleep(3)
    server.unserved.clear()
    server.put(Pool.RESOURCE, pool("a"))
    definition = {"metadata": {"name": "pools.test.example.com"}, "spec": _names("test.example.com", "pools")}
    server.put(CRDS, definition)
    await asyncio.sleep(1)
    assert told == [("added", "a")], "at once, not at the next poll"


@caching
async def test_when_a_kind_goes_away_its_objects_do_too(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a"))
    told = follow(caches)
    await caches.synced()
    await asyncio.sleep(5)
    server.unserved.add(Pool.RESOURCE.group_resource)
    server.break_watches(None)
    await asyncio.sleep(1)
    assert told == [("added", "a"), ("gone", "a")]


@caching
async def test_a_late_subscriber_is_told_first_of_what_is_there(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a"))
    await caches.of(Pool).synced()
    assert follow(caches) == [("added", "a")]


@caching
async def test_a_subscriber_that_fails_or_leaves_does_not_disturb_the_others(
    server: FakeServer, caches: Caches
) -> None:
    def fails(old: Any, new: Any) -> None:
        raise RuntimeError("oops")

    caches.of(Pool).subscribe(fails)
    heard: list[Any] = []
    leave = caches.of(Pool).subscribe(lambda old, new: heard.append(new))
    told = follow(caches)
    await caches.synced()
    leave()
    server.put(Pool.RESOURCE, pool("a"))
    await asyncio.sleep(1)
    assert (told, heard) == ([("added", "a")], [])


@caching
async def test_indexes_follow_changes_and_may_come_late(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a", zone="x"))
    cache = caches.of(Pool)
    await cache.synced()
    cache.add_index("zone", zones)
    server.put(Pool.RESOURCE, pool("b", zone="x"))
    server.put(Pool.RESOURCE, pool("c", zone="y"))
    await asyncio.sleep(1)
    assert [p.metadata.name for p in cache.by("zone", "x")] == ["a", "b"]
    server.put(Pool.RESOURCE, pool("a", zone="y"))
    server.take(Pool.RESOURCE, "b", "ns")
    await asyncio.sleep(1)
    assert [p.metadata.name for p in cache.by("zone", "y")] == ["c", "a"]
    assert cache.by("zone", "x") == []
    with pytest.raises(KeyError):
        cache.by("colour", "red")


def zones(p: Pool) -> list[str]:
    return [p.spec.zone] if p.spec.zone else []


@caching
async def test_an_index_that_is_added_again_is_shared(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a", zone="x"))
    cache = caches.of(Pool)
    cache.add_index("zone", zones)
    await cache.synced()
    caches.of(Pool).add_index("zone", zones)
    assert [p.metadata.name for p in cache.by("zone", "x")] == ["a"]


@caching
async def test_a_name_of_an_index_is_not_given_to_another_function(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a", zone="x"))
    cache = caches.of(Pool)
    cache.add_index("zone", zones)
    await cache.synced()
    with pytest.raises(ValueError, match=r"Pool: index 'zone' is by .*\.zones already; the one by .*<lambda> needs"):
        cache.add_index("zone", lambda p: [p.metadata.name])
    assert [p.metadata.name for p in cache.by("zone", "x")] == ["a"]
    assert cache.by("zone", "a") == []


@caching
async def test_owned_objects_are_found_by_the_owners_uid(server: FakeServer, caches: Caches) -> None:
    owner = [{"apiVersion": "v1", "kind": "Owner", "name": "o", "uid": "u1"}]
    server.put(Pool.RESOURCE, pool("a", ownerReferences=owner))
    server.put(Pool.RESOURCE, pool("b"))
    cache = caches.of(Pool)
    await cache.synced()
    assert [p.metadata.name for p in cache.owned_by("u1")] == ["a"]
    assert cache.owned_by("u2") == []


@caching
async def test_namespaced_caches_hold_one_namespace(server: FakeServer, caches: Caches) -> None:
    server.put(Pool.RESOURCE, pool("a", "one"))
    server.put(Pool.RESOURCE, pool("b", "two"))
    only, every = caches.of(Pool, "one"), caches.of(Pool)
    await caches.synced()
    assert [p.metadata.name for p in only.list()] == ["a"]
    assert [p.metadata.name for p in every.list("two")] == ["b"]
    assert len(every) == 2


@both_ways
async def test_a_cache_with_a_label_selector_asks_the_server_for_what_matches(
    server: FakeServer, caches: Caches
) -> None:
    await caches.of(Pool, labels="team=x").synced()
    await virtual.settle()
    assert {call.query.get("labelSelector") for call in server.calls} == {"team=x"}
    assert caches.of(Pool, labels="team=x") is not caches.of(Pool)


@caching
async def test_one_cache_serves_all_who_ask(server: FakeServer, caches: Caches) -> None:
    assert caches.of(Pool) is caches.of(Pool)
    assert caches.of(Pool) is not caches.of(Machine)
    await caches.synced()
    assert server.count("watch") == 2


@caching
async def test_items_of_a_list_that_say_no_kind_get_theirs(server: FakeServer, caches: Caches) -> None:
    stored = server.put(Pool.RESOURCE, pool("a"))
    del stored["kind"], stored["apiVersion"]
    cache = caches.of(Pool.RESOURCE)
    await cache.synced()
    (obj,) = cache.list()
    assert (obj.kind, obj.api_version) == ("Pool", "test.example.com/v1")
    assert objects.to_raw(obj)["kind"] == "Pool"


def test_long_lists_are_read_page_by_page() -> None:
    async def main() -> None:
        server = FakeServer(initial_events=False)
        for number in range(1203):
            server.put(Pool.RESOURCE, pool(f"p{number}"))
        caches = Caches(Client(server), rng=random.Random(1))
        await caches.of(Pool).synced()
        assert len(caches.of(Pool)) == 1203
        assert server.count("list") == 3
        await caches.stop()

    virtual.run(main())


def test_a_lean_cache_keeps_no_bytes_and_its_objects_are_not_written_back_whole() -> None:
    async def main() -> None:
        server = FakeServer()
        server.put(Pool.RESOURCE, pool("a"))
        client = Client(server)
        caches = Caches(client, rng=random.Random(1), lean=[Pool])
        await caches.of(Pool).synced()
        (obj,) = caches.of(Pool).list()
        assert not objects.has_origin(obj)
        with pytest.raises(ValueError, match="patch it"):
            await client.update(obj)
        await caches.stop()

    virtual.run(main())


def _streams(server: FakeServer) -> int:
    def begins(call: Call) -> bool:
        return call.verb == "watch" and call.query.get("sendInitialEvents") == "true"

    return sum(begins(call) for call in server.calls)


def _names(group: str, plural: str) -> dict[str, Any]:
    return {"group": group, "names": {"plural": plural}}
