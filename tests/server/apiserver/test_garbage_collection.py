"""Garbage collection: what its owner's deletion means for what it owns."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.apiserver.store.journal import MemoryJournal
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, NAMESPACES, NODES, POOLS, World, config, owner


async def family(world: World, **reference: Any) -> worlds.Raw:
    """A parent, a child, and a child of the child."""
    parent = await world.create(CONFIGMAPS, config("parent"))
    child = await world.create(CONFIGMAPS, config("child", owners=[owner(parent, **reference)]))
    await world.create(CONFIGMAPS, config("grandchild", owners=[owner(child, **reference)]))
    await world.settle()
    return parent


async def test_children_follow_their_owner(world: World) -> None:
    await family(world)
    assert await world.names(CONFIGMAPS) == ["child", "grandchild", "parent"]
    await world.delete(CONFIGMAPS, "parent")
    await world.gone(CONFIGMAPS, "grandchild")
    assert await world.names(CONFIGMAPS) == []


async def test_in_the_foreground_the_owner_goes_last(world: World) -> None:
    await family(world, blockOwnerDeletion=True)
    watch = world.watch(CONFIGMAPS, resourceVersion=(await world.list(CONFIGMAPS))["metadata"]["resourceVersion"])
    marked = await world.delete(CONFIGMAPS, "parent", {"propagationPolicy": "Foreground"})
    assert marked["metadata"]["finalizers"] == ["foregroundDeletion"]
    await world.gone(CONFIGMAPS, "parent")
    deleted: list[str] = []
    while len(deleted) < 3:
        deleted += [name for type_, name in worlds.seen(await anext(watch)) if type_ == "DELETED"]
    assert deleted == ["grandchild", "child", "parent"]


async def test_a_child_that_does_not_block_is_not_waited_for(world: World) -> None:
    parent = await world.create(CONFIGMAPS, config("parent"))
    child = config("child", owners=[owner(parent, blockOwnerDeletion=False)])
    child["metadata"]["finalizers"] = ["example.org/x"]
    await world.create(CONFIGMAPS, child)
    await world.delete(CONFIGMAPS, "parent", {"propagationPolicy": "Foreground"})
    await world.gone(CONFIGMAPS, "parent")
    assert "deletionTimestamp" in (await world.get(CONFIGMAPS, "child"))["metadata"]


async def test_a_child_that_is_held_holds_its_owner_in_the_foreground(world: World) -> None:
    parent = await world.create(CONFIGMAPS, config("parent"))
    child = config("child", owners=[owner(parent, blockOwnerDeletion=True)])
    child["metadata"]["finalizers"] = ["example.org/x"]
    await world.create(CONFIGMAPS, child)
    await world.delete(CONFIGMAPS, "parent", {"propagationPolicy": "Foreground"})
    await world.settle()
    assert await world.exists(CONFIGMAPS, "parent")
    await world.patch(CONFIGMAPS, "child", {"metadata": {"finalizers": None}})
    await world.gone(CONFIGMAPS, "parent")


async def test_orphans_stay_without_their_owner(world: World) -> None:
    await family(world)
    await world.delete(CONFIGMAPS, "parent", {"propagationPolicy": "Orphan"})
    await world.gone(CONFIGMAPS, "parent")
    await world.settle()
    assert await world.names(CONFIGMAPS) == ["child", "grandchild"]
    assert "ownerReferences" not in (await world.get(CONFIGMAPS, "child"))["metadata"]


async def test_who_has_another_owner_stays_and_forgets_the_one_that_went(world: World) -> None:
    one = await world.create(CONFIGMAPS, config("one"))
    two = await world.create(CONFIGMAPS, config("two"))
    await world.create(CONFIGMAPS, config("child", owners=[owner(one), owner(two)]))
    await world.delete(CONFIGMAPS, "one")
    await world.settle()
    child = await world.get(CONFIGMAPS, "child")
    assert [r["name"] for r in child["metadata"]["ownerReferences"]] == ["two"]
    await world.delete(CONFIGMAPS, "two")
    await world.gone(CONFIGMAPS, "child")


async def test_an_owner_that_never_was_is_gone(world: World) -> None:
    ghost = {"apiVersion": "v1", "kind": "ConfigMap", "name": "ghost", "uid": "no-such-uid"}
    await world.create(CONFIGMAPS, config("child", owners=[ghost]))
    await world.gone(CONFIGMAPS, "child")


async def test_a_namesake_of_the_owner_is_not_the_owner(world: World) -> None:
    parent = await family(world)
    await world.delete(CONFIGMAPS, "parent", {"propagationPolicy": "Orphan"})
    await world.gone(CONFIGMAPS, "parent")
    await world.create(CONFIGMAPS, config("parent"))
    await world.patch(CONFIGMAPS, "child", {"metadata": {"ownerReferences": [owner(parent)]}})
    await world.gone(CONFIGMAPS, "child")


async def test_an_owner_in_another_namespace_counts_as_absent(world: World) -> None:
    await world.create(NAMESPACES, {"metadata": {"name": "other"}})
    far = await world.create(CONFIGMAPS, config("far"), namespace="other")
    await world.create(CONFIGMAPS, config("child", owners=[owner(far)]))
    await world.gone(CONFIGMAPS, "child")


async def test_a_cluster_scoped_owner_owns_across_namespaces(world: World) -> None:
    node = await world.create(NODES, {"metadata": {"name": "n"}})
    await world.create(CONFIGMAPS, config("child", owners=[owner(node)]))
    await world.settle()
    assert await world.exists(CONFIGMAPS, "child")
    await world.delete(NODES, "n")
    await world.gone(CONFIGMAPS, "child")


async def test_an_owner_of_a_kind_that_nobody_serves_is_left_alone(world: World) -> None:
    unknown = {"apiVersion": "example.org/v1", "kind": "Nothing", "name": "x", "uid": "u"}
    await world.create(CONFIGMAPS, config("child", owners=[unknown]))
    await world.settle()
    assert await world.exists(CONFIGMAPS, "child")


async def test_an_owner_is_found_in_whatever_version_the_reference_names(pools: World) -> None:
    parent = await pools.create(POOLS, worlds.pool("parent"))
    reference = {**owner(parent), "apiVersion": "example.org/v1beta1"}
    await pools.create(CONFIGMAPS, config("child", owners=[reference]))
    await pools.settle()
    assert await pools.exists(CONFIGMAPS, "child")
    await pools.delete(POOLS, "parent")
    await pools.gone(CONFIGMAPS, "child")


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
async def test_a_server_that_died_in_between_goes_on_where_it_was(policy: str) -> None:
    journal = MemoryJournal()
    async with worlds.running(journal) as world:
        await family(world, blockOwnerDeletion=True)
        await world.delete(CONFIGMAPS, "parent", {"propagationPolicy": policy})
        world.server._gc._worker._running = False  # it dies here: what follows was never done
    async with worlds.running(journal) as world:
        await world.gone(CONFIGMAPS, "grandchild")
        await world.gone(CONFIGMAPS, "child")
        await world.gone(CONFIGMAPS, "parent")
