"""Deletion: at once, after finalizers, after a pod's grace, with preconditions, and by the dozen."""

from __future__ import annotations

import pytest

from capipool.machinery import errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, PODS, POOLS, World, config, pod, pool


async def test_what_nothing_holds_is_gone_at_once(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a"))
    status = await world.delete(CONFIGMAPS, "a")
    assert status["status"] == "Success"
    assert status["details"] == {"name": "a", "kind": "configmaps", "uid": made["metadata"]["uid"]}
    assert not await world.exists(CONFIGMAPS, "a")
    with pytest.raises(errors.NotFound):
        await world.delete(CONFIGMAPS, "a")


async def test_a_finalizer_holds_an_object_until_it_is_taken_away(pools: World) -> None:
    raw = pool("a")
    raw["metadata"]["finalizers"] = ["example.org/x"]
    await pools.create(POOLS, raw)
    marked = await pools.delete(POOLS, "a")
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:00Z"
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 0
    assert marked["metadata"]["generation"] == 2
    assert await pools.delete(POOLS, "a") == marked  # again changes nothing
    with pytest.raises(errors.Invalid, match="no new finalizers can be added"):
        await pools.patch(POOLS, "a", {"metadata": {"finalizers": ["example.org/x", "example.org/y"]}})
    last = await pools.patch(POOLS, "a", {"metadata": {"finalizers": None}})
    assert int(last["metadata"]["resourceVersion"]) > int(marked["metadata"]["resourceVersion"])
    assert not await pools.exists(POOLS, "a")


async def test_nobody_can_take_a_deletion_back(pools: World) -> None:
    raw = pool("a")
    raw["metadata"]["finalizers"] = ["example.org/x"]
    await pools.create(POOLS, raw)
    await pools.delete(POOLS, "a")
    patched = await pools.patch(POOLS, "a", {"metadata": {"deletionTimestamp": None}, "spec": {"replicas": 3}})
    assert "deletionTimestamp" in patched["metadata"]


async def test_preconditions_keep_from_deleting_another(world: World) -> None:
    made = await world.create(CONFIGMAPS, config("a"))
    for wrong in ({"uid": "other"}, {"resourceVersion": "1"}):
        with pytest.raises(errors.Conflict, match="Precondition failed"):
            await world.delete(CONFIGMAPS, "a", {"preconditions": wrong})
    meta = made["metadata"]
    right = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
    assert (await world.delete(CONFIGMAPS, "a", {"preconditions": right}))["status"] == "Success"


async def test_a_running_pod_has_its_grace_and_one_that_no_node_runs_has_none(world: World) -> None:
    await world.create(PODS, pod("a", node="n"))
    await world.create(PODS, pod("b"))
    marked = await world.delete(PODS, "a")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert marked["metadata"]["deletionTimestamp"] == "2026-01-01T00:00:30Z"
    shorter = await world.delete(PODS, "a", {"gracePeriodSeconds": 5})
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 5
    longer = await world.delete(PODS, "a", {"gracePeriodSeconds": 50})
    assert longer["metadata"]["deletionGracePeriodSeconds"] == 5
    await world.delete(PODS, "a", {"gracePeriodSeconds": 0})
    await world.delete(PODS, "b")
    assert await world.names(PODS) == []


@pytest.mark.parametrize(
    "options",
    [{"gracePeriodSeconds": "x"}, {"preconditions": 7}, {"propagationPolicy": "Sideways"}, {"dryRun": ["Some"]}],
)
async def test_malformed_options_delete_nothing(world: World, options: worlds.Raw) -> None:
    await world.create(CONFIGMAPS, config("a"))
    with pytest.raises((errors.BadRequest, errors.Invalid)):
        await world.delete(CONFIGMAPS, "a", options)
    assert await world.exists(CONFIGMAPS, "a")


async def test_a_collection_is_deleted_by_selector(world: World) -> None:
    for i in range(4):
        await world.create(CONFIGMAPS, config(f"c{i}", labels={"odd": str(i % 2)}))
    listed = worlds.decoded(await world.call("deletecollection", CONFIGMAPS, query={"labelSelector": "odd=1"}))
    assert [i["metadata"]["name"] for i in listed["items"]] == ["c1", "c3"]
    assert await world.names(CONFIGMAPS) == ["c0", "c2"]
