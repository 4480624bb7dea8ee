"""Namespaces: there before what is in them, and gone after it."""

from __future__ import annotations

import pytest

from capipool.machinery import errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, NAMESPACES, PODS, POOLS, World, config


async def test_every_cluster_has_its_four(world: World) -> None:
    assert await world.names(NAMESPACES) == ["default", "kube-node-lease", "kube-public", "kube-system"]


async def test_nothing_is_created_where_there_is_no_namespace(world: World) -> None:
    with pytest.raises(errors.NotFound, match='namespaces "nowhere" not found'):
        await world.create(CONFIGMAPS, config("a"), namespace="nowhere")


async def test_a_deleted_namespace_takes_everything_with_it(pools: World) -> None:
    await pools.create(NAMESPACES, {"metadata": {"name": "n"}})
    for i in range(3):
        await pools.create(CONFIGMAPS, config(f"c{i}"), namespace="n")
        await pools.create(POOLS, worlds.pool(f"p{i}"), namespace="n")
    await pools.create(CONFIGMAPS, config("safe"))
    marked = await pools.delete(NAMESPACES, "n")
    assert marked["status"]["phase"] == "Terminating"
    await pools.gone(NAMESPACES, "n")
    assert worlds.decoded(await pools.call("list", POOLS, namespace=""))["items"] == []
    assert await pools.names(CONFIGMAPS) == ["safe"]


async def test_while_it_ends_nothing_new_begins_and_it_says_what_it_waits_for(world: World) -> None:
    await world.create(NAMESPACES, {"metadata": {"name": "n"}})
    held = config("held")
    held["metadata"]["finalizers"] = ["example.org/x"]
    await world.create(CONFIGMAPS, held, namespace="n")
    await world.delete(NAMESPACES, "n")
    with pytest.raises(errors.Forbidden, match="because it is being terminated") as error:
        await world.create(CONFIGMAPS, config("late"), namespace="n")
    assert error.value.details["causes"][0]["reason"] == "NamespaceTerminating"
    await world.settle()
    conditions = (await world.get(NAMESPACES, "n"))["status"]["conditions"]
    messages = {c["type"]: c["message"] for c in conditions}
    assert "configmaps. has 1 resource instances" in messages["NamespaceContentRemaining"]
    assert "example.org/x in 1 resource instances" in messages["NamespaceFinalizersRemaining"]
    await world.patch(CONFIGMAPS, "held", {"metadata": {"finalizers": None}}, namespace="n")
    await world.gone(NAMESPACES, "n")


async def test_pods_that_run_are_given_their_time(world: World) -> None:
    await world.create(NAMESPACES, {"metadata": {"name": "n"}})
    await world.create(PODS, worlds.pod("p", node="node"), namespace="n")
    await world.delete(NAMESPACES, "n")
    await world.settle()
    assert (await world.get(PODS, "p", namespace="n"))["metadata"]["deletionGracePeriodSeconds"] == 30
    await world.delete(PODS, "p", {"gracePeriodSeconds": 0}, namespace="n")
    await world.gone(NAMESPACES, "n")


async def test_an_update_cannot_let_a_namespace_go_before_its_content(world: World) -> None:
    await world.create(NAMESPACES, {"metadata": {"name": "n"}})
    updated = await world.update(NAMESPACES, {"metadata": {"name": "n", "labels": {"a": "b"}}})
    assert updated["spec"] == {"finalizers": ["kubernetes"]}
    held = config("held")
    held["metadata"]["finalizers"] = ["example.org/x"]
    await world.create(CONFIGMAPS, held, namespace="n")
    await world.delete(NAMESPACES, "n")
    await world.settle()
    body = {"metadata": {"name": "n"}, "spec": {"finalizers": []}}
    await world.update(NAMESPACES, body, subresource="finalize")  # unless it is told so in so many words
    assert not await world.exists(NAMESPACES, "n")


async def test_the_first_ones_cannot_be_deleted(world: World) -> None:
    with pytest.raises(errors.Forbidden, match="this namespace may not be deleted"):
        await world.delete(NAMESPACES, "default")


async def test_address_spaces_know_nothing_of_each_other(world: World) -> None:
    await world.server.ensure_space("default/one")
    await world.server.ensure_space("default/one")
    one = worlds.World(world.server, world.clock, "default/one")
    await one.create(CONFIGMAPS, config("a"))
    assert await world.names(CONFIGMAPS) == []
    assert await one.names(NAMESPACES) == await world.names(NAMESPACES)
    await one.create(worlds.CRDS, worlds.crd())
    with pytest.raises(errors.NotFound):
        await world.list(POOLS)
    assert world.server.spaces() == ("", "default/one")
    await world.server.drop_space("default/one")
    with pytest.raises(errors.NotFound):
        await one.list(CONFIGMAPS)
    await world.server.ensure_space("default/one")
    assert await one.names(CONFIGMAPS) == []
    with pytest.raises(errors.NotFound):
        await one.list(POOLS)
