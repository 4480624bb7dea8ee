"""The client and the runtime against the embedded API server, in process."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import Sequence

import pytest

from capipool.api.builtin import ConfigMap, Node
from capipool.client import Client
from capipool.machinery import calls, errors, objects
from capipool.machinery.objects import ObjectMeta, OwnerReference, Raw
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime import DONE, Caches, Election, RequeueAfter, Result
from capipool.runtime.cache import Settings
from capipool.runtime.election import Lease
from capipool.runtime.events import Event
from tests.server.runtime.world import World, in_a_world
from tests.unit.runtime.kinds import Pool, PoolSpec

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)


def config(name: str, **data: str) -> ConfigMap:
    return objects.new(ConfigMap, metadata=ObjectMeta(name=name, namespace="default"), data=data)


def a_pool(name: str, replicas: int) -> Pool:
    return objects.new(Pool, metadata=ObjectMeta(name=name, namespace="default"), spec=PoolSpec(replicas=replicas))


def names(listed: Sequence[objects.Object]) -> list[str]:
    return sorted(obj.metadata.name for obj in listed)


@in_a_world
async def test_objects_are_created_read_changed_and_deleted(world: World) -> None:
    client = world.client
    made = await client.create(config("a", x="1"))
    assert made.metadata.uid
    changed = await client.update(objects.replace(made, data={"x": "2"}))
    assert (await client.get(ConfigMap, "a", "default")).data == {"x": "2"}
    with pytest.raises(errors.Conflict):
        await client.update(objects.replace(made, data={"x": "3"}))
    with pytest.raises(errors.Conflict):
        await client.patch(
            ConfigMap, "a", "default", patch={"data": {"x": "4"}}, resource_version=made.metadata.resource_version
        )
    await client.patch(
        ConfigMap,
        "a",
        "default",
        patch=[{"op": "replace", "path": "/data/x", "value": "5"}],
        content_type=calls.JSON_PATCH,
        resource_version=changed.metadata.resource_version,
    )
    with pytest.raises(errors.AlreadyExists):
        await client.create(config("a"))
    with pytest.raises(errors.Conflict):
        await client.delete(ConfigMap, "a", "default", uid="another")
    await client.delete(ConfigMap, "a", "default", uid=made.metadata.uid)
    with pytest.raises(errors.NotFound):
        await client.delete(ConfigMap, "a", "default")


@in_a_world
async def test_lists_select_by_label_and_all_of_a_kind_are_deleted_at_once(world: World) -> None:
    client = world.client
    for number in range(7):
        made = config(f"c{number}")
        labels = {"even": str(number % 2 == 0).lower()}
        await client.create(objects.replace(made, metadata=objects.replace_part(made.metadata, labels=labels)))
    assert names(await client.list(ConfigMap, "default", labels="even=false")) == ["c1", "c3", "c5"]
    assert len(await client.list(ConfigMap, "default", limit=2)) == 2
    await client.delete_all(ConfigMap, "default", labels="even=true")
    assert names(await client.list(ConfigMap, "default")) == ["c1", "c3", "c5"]


@in_a_world
async def test_applying_owns_fields_and_conflicts_with_another_manager(world: World) -> None:
    raw: Raw = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a", "namespace": "default"}}
    apply = world.client.apply
    await apply(raw | {"data": {"x": "1"}}, resource=ConfigMap.RESOURCE, field_manager="one")
    with pytest.raises(errors.Conflict):
        await apply(raw | {"data": {"x": "2"}}, resource=ConfigMap.RESOURCE, field_manager="two")
    await apply(raw | {"data": {"x": "2"}}, resource=ConfigMap.RESOURCE, field_manager="two", force=True)
    assert (await world.client.get(ConfigMap, "a", "default")).data == {"x": "2"}


@in_a_world
async def test_caches_follow_the_server(world: World) -> None:
    cache = world.manager.caches.of(ConfigMap)
    await world.client.create(config("a"))
    await cache.synced()
    await asyncio.sleep(1)
    assert names(cache.list("default")) == ["a"]
    made = await world.client.create(config("b"))
    await world.client.delete(ConfigMap, "a", "default")
    await asyncio.sleep(1)
    assert names(cache.list("default")) == ["b"]
    assert cache.get(ObjectKey("default", "b")) == made


@in_a_world
async def test_caches_stay_right_through_hours_of_silence_and_ended_watches(world: World) -> None:
    cache = world.manager.caches.of(ConfigMap)
    await cache.synced()
    for number in range(6):
        await world.client.create(config(f"c{number}"))
        await asyncio.sleep(1800)
        assert len(cache.list("default")) == number + 1


@in_a_world
async def test_a_kind_is_followed_as_soon_as_it_is_installed_and_until_it_is_removed(world: World) -> None:
    cache = world.manager.caches.of(Pool)
    await cache.synced()
    await asyncio.sleep(7)
    await world.define()
    await asyncio.sleep(0.5)
    await world.client.create(a_pool("a", 3))
    await asyncio.sleep(1)
    assert names(cache.list()) == ["a"]
    await world.client.delete(DEFINITIONS, "pools.test.example.com")
    await asyncio.sleep(5)
    assert cache.list() == []
    await world.define()
    await asyncio.sleep(0.5)
    await world.client.create(a_pool("b", 1))
    await asyncio.sleep(1)
    assert names(cache.list()) == ["b"]


class Scaler:
    """Brings a pool's status to its spec, one step a reconcile; notes when it saw less than it wrote."""

    def __init__(self, world: World, cache_of: Caches) -> None:
        self._client = world.client
        self._pools = cache_of.of(Pool)
        self._written: dict[ObjectKey, int] = {}
        self.stale = 0
        self.runs = 0

    async def reconcile(self, key: ObjectKey) -> Result:
        self.runs += 1
        pool = self._pools.get(key)
        if pool is None:
            return DONE
        if pool.status.ready < self._written.get(key, 0):
            self.stale += 1
        if pool.status.ready < pool.spec.replicas:
            ready = self._written[key] = pool.status.ready + 1
            await self._client.patch(
                Pool, key.name, key.namespace, patch={"status": {"ready": ready}}, subresource="status"
            )
            return RequeueAfter(dt.timedelta(minutes=5))
        return DONE


@in_a_world
async def test_a_controller_brings_many_objects_where_they_are_wanted_and_always_sees_its_own_writes(
    world: World,
) -> None:
    await world.define()
    manager = world.manager
    scaler = Scaler(world, manager.caches)
    manager.controller("scaler", scaler).watch(manager.caches.of(Pool), lambda old, new: [(new or old).key])  # type: ignore[union-attr]
    running = asyncio.create_task(manager.run())
    await manager.started.wait()
    for number in range(50):
        await world.client.create(a_pool(f"p{number}", number % 5))
    await asyncio.sleep(60)
    pools = await world.client.list(Pool)
    assert len(pools) == 50
    assert all(p.status.ready == p.spec.replicas for p in pools)
    assert scaler.stale == 0
    assert manager.idle
    await manager.stop()
    await running


class Finisher:
    """Takes its finalizer off objects that are deleted; notes every call that found nothing left to do."""

    FINALIZER = "test.example.com/finisher"

    def __init__(self, world: World, caches: Caches) -> None:
        self._client = world.client
        self._configs = caches.of(ConfigMap)
        self.finished: list[str] = []

    async def reconcile(self, key: ObjectKey) -> Result:
        found = self._configs.get(key)
        if found is None:
            return DONE
        if found.deleting:
            self.finished.append(key.name)
            await self._client.patch(ConfigMap, key.name, key.namespace, patch={"metadata": {"finalizers": None}})
        elif not found.metadata.finalizers:
            patch = {"metadata": {"finalizers": [self.FINALIZER]}}
            await self._client.patch(ConfigMap, key.name, key.namespace, patch=patch)
        return DONE


@in_a_world
async def test_a_finalizer_is_taken_off_once_and_its_object_is_not_seen_again(world: World) -> None:
    manager = world.manager
    finisher = Finisher(world, manager.caches)
    controller = manager.controller("finisher", finisher)
    controller.watch(manager.caches.of(ConfigMap), lambda old, new: [(new or old).key])  # type: ignore[union-attr]
    running = asyncio.create_task(manager.run())
    await manager.started.wait()
    for number in range(10):
        await world.client.create(config(f"c{number}"))
    await asyncio.sleep(1)
    for number in range(10):
        await world.client.delete(ConfigMap, f"c{number}", "default")
        controller.enqueue(ObjectKey("default", f"c{number}"))
    await asyncio.sleep(1)
    assert sorted(finisher.finished) == [f"c{number}" for number in range(10)]
    assert await world.client.list(ConfigMap, "default") == []
    await manager.stop()
    await running


@in_a_world
async def test_owned_objects_are_found_by_index_and_collected_with_their_owner(world: World) -> None:
    owner = await world.client.create(config("owner"))
    reference = OwnerReference(api_version="v1", kind="ConfigMap", name="owner", uid=owner.metadata.uid)
    meta = ObjectMeta(name="owned", namespace="default", owner_references=(reference,))
    await world.client.create(objects.new(ConfigMap, metadata=meta))
    cache = world.manager.caches.of(ConfigMap)
    await cache.synced()
    assert names(cache.owned_by(owner.metadata.uid)) == ["owned"]
    await world.client.delete(ConfigMap, "owner", "default", propagation="Background")
    await asyncio.sleep(5)
    assert cache.owned_by(owner.metadata.uid) == []
    assert cache.list("default") == []


@in_a_world
async def test_events_reach_the_server(world: World) -> None:
    made = await world.client.create(config("a"))
    world.manager.events.start()
    for _ in range(3):
        world.manager.events.event(made, "Warning", "Waiting", "no capacity")
    await world.manager.events.flush()
    (event,) = await world.client.list(Event, "default")
    assert (event.count, event.involved_object.uid) == (3, made.metadata.uid)
    await world.manager.events.stop()


@in_a_world
async def test_two_candidates_stand_for_election_on_a_real_lease(world: World) -> None:
    never = asyncio.Event()
    candidates = [
        Election(
            Client(world.client.transport),
            name="capipool",
            namespace="kube-system",
            identity=f"c{n}",
            clock=world.clock,
            rng=random.Random(n),
        )
        for n in range(2)
    ]
    runs = [asyncio.create_task(candidate.run(never)) for candidate in candidates]
    await asyncio.sleep(60)
    assert [candidate.leading.is_set() for candidate in candidates] == [True, False]
    runs[0].cancel()
    await asyncio.gather(runs[0], return_exceptions=True)
    await candidates[0].release()
    await asyncio.sleep(3)
    assert candidates[1].leading.is_set()
    assert (await world.client.get(Lease, "capipool", "kube-system")).spec.lease_transitions == 1
    runs[1].cancel()
    await asyncio.gather(runs[1], return_exceptions=True)


@in_a_world
async def test_in_process_a_cache_keeps_the_very_bytes_of_the_store(world: World) -> None:
    await world.client.create(objects.new(Node, metadata=ObjectMeta(name="n")))
    first, second = (Caches(world.client, rng=random.Random(1), settings=Settings()) for _ in range(2))
    await first.of(Node).synced()
    await second.of(Node).synced()
    one, two = first.of(Node).list()[0], second.of(Node).list()[0]
    assert objects.origin_bytes(one) is objects.origin_bytes(two)
    await first.stop()
    await second.stop()
