"""Lists: order, selectors, and pages that show one state however long they take."""

from __future__ import annotations

import pytest

from capipool.apiserver.settings import Settings
from capipool.machinery import errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CONFIGMAPS, NAMESPACES, NODES, PODS, World, config


async def fill(world: World, count: int) -> None:
    for i in range(count):
        await world.create(CONFIGMAPS, config(f"c{i}", labels={"odd": str(i % 2), "i": str(i)}))


async def test_a_list_is_ordered_and_knows_its_revision(world: World) -> None:
    for name in ("b", "c", "a"):
        made = await world.create(CONFIGMAPS, config(name))
    found = await world.list(CONFIGMAPS)
    assert [i["metadata"]["name"] for i in found["items"]] == ["a", "b", "c"]
    assert found["kind"] == "ConfigMapList"
    assert found["metadata"]["resourceVersion"] == made["metadata"]["resourceVersion"]


async def test_an_empty_list_is_a_list(world: World) -> None:
    assert (await world.list(CONFIGMAPS))["items"] == []


async def test_a_list_of_all_namespaces_is_ordered_by_them(world: World) -> None:
    await world.create(NAMESPACES, {"metadata": {"name": "a"}})
    await world.create(CONFIGMAPS, config("z"), namespace="a")
    await world.create(CONFIGMAPS, config("b"))
    found = worlds.decoded(await world.call("list", CONFIGMAPS, namespace=""))
    assert [i["metadata"]["namespace"] for i in found["items"]] == ["a", "default"]


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ({"labelSelector": "odd=1"}, ["c1", "c3"]),
        ({"labelSelector": "odd!=1"}, ["c0", "c2"]),
        ({"labelSelector": "i in (0,3),odd"}, ["c0", "c3"]),
        ({"labelSelector": "!odd"}, []),
        ({"fieldSelector": "metadata.name=c2"}, ["c2"]),
        ({"fieldSelector": "metadata.name!=c2", "labelSelector": "odd=0"}, ["c0"]),
    ],
)
async def test_selectors_select(world: World, query: dict[str, str], names: list[str]) -> None:
    await fill(world, 4)
    assert await world.names(CONFIGMAPS, **query) == names


async def test_pods_are_selected_by_their_node(world: World) -> None:
    await world.create(PODS, worlds.pod("a", node="n1"))
    await world.create(PODS, worlds.pod("b", node="n2"))
    await world.create(PODS, worlds.pod("c"))
    assert await world.names(PODS, fieldSelector="spec.nodeName=n1") == ["a"]
    assert await world.names(PODS, fieldSelector="spec.nodeName=") == ["c"]
    assert await world.names(PODS, fieldSelector="status.phase=Pending,spec.nodeName!=n1") == ["b", "c"]


async def test_an_absent_field_counts_as_its_default(world: World) -> None:
    await world.create(NODES, {"metadata": {"name": "a"}})
    await world.create(NODES, {"metadata": {"name": "b"}, "spec": {"unschedulable": True}})
    assert await world.names(NODES, fieldSelector="spec.unschedulable=false") == ["a"]


@pytest.mark.parametrize(
    "query",
    [
        {"labelSelector": "a=b=c!"},
        {"fieldSelector": "spec.color=red"},
        {"fieldSelector": "nonsense"},
        {"limit": "-1"},
        {"continue": "???"},
        {"continue": "e30"},
        {"resourceVersion": "x"},
        {"resourceVersionMatch": "Exact"},
        {"resourceVersion": "1", "resourceVersionMatch": "Sometimes"},
    ],
)
async def test_a_malformed_query_is_a_bad_request(world: World, query: dict[str, str]) -> None:
    with pytest.raises(errors.BadRequest):
        await world.list(CONFIGMAPS, **query)


async def test_pages_show_the_state_of_the_first(world: World) -> None:
    await fill(world, 5)
    first = await world.list(CONFIGMAPS, limit="2")
    assert first["metadata"]["remainingItemCount"] == 3
    await world.delete(CONFIGMAPS, "c3")
    await world.patch(CONFIGMAPS, "c4", {"data": {"late": "yes"}})
    await world.create(CONFIGMAPS, config("c2a"))
    second = await world.list(CONFIGMAPS, limit="2", **{"continue": first["metadata"]["continue"]})
    third = await world.list(CONFIGMAPS, limit="2", **{"continue": second["metadata"]["continue"]})
    pages = [first, second, third]
    assert [i["metadata"]["name"] for p in pages for i in p["items"]] == ["c0", "c1", "c2", "c3", "c4"]
    assert {p["metadata"]["resourceVersion"] for p in pages} == {first["metadata"]["resourceVersion"]}
    assert "continue" not in third["metadata"]
    assert "late" not in third["items"][0].get("data", {})


async def test_pages_respect_selectors(world: World) -> None:
    await fill(world, 6)
    first = await world.list(CONFIGMAPS, limit="2", labelSelector="odd=1")
    cont = {"continue": first["metadata"]["continue"]}
    second = await world.list(CONFIGMAPS, limit="2", labelSelector="odd=1", **cont)
    names = [i["metadata"]["name"] for p in (first, second) for i in p["items"]]
    assert names == ["c1", "c3", "c5"]
    assert "remainingItemCount" not in first["metadata"]


async def test_a_page_of_a_state_long_forgotten_is_expired() -> None:
    async with worlds.running(settings=Settings(watch_window=3)) as world:
        await fill(world, 4)
        first = await world.list(CONFIGMAPS, limit="2")
        for i in range(4):
            await world.patch(CONFIGMAPS, "c0", {"data": {"i": str(i)}})
        with pytest.raises(errors.Expired) as error:
            await world.list(CONFIGMAPS, limit="2", **{"continue": first["metadata"]["continue"]})
        assert error.value.http_code == 410


async def test_an_exact_revision_shows_that_state(world: World) -> None:
    await fill(world, 2)
    then = (await world.list(CONFIGMAPS))["metadata"]["resourceVersion"]
    await world.delete(CONFIGMAPS, "c0")
    assert await world.names(CONFIGMAPS, resourceVersion=then, resourceVersionMatch="Exact") == ["c0", "c1"]
    assert await world.names(CONFIGMAPS, resourceVersion=then, resourceVersionMatch="NotOlderThan") == ["c1"]


async def test_a_revision_of_the_future_is_answered_with_a_timeout(world: World) -> None:
    with pytest.raises(errors.Timeout, match="Too large resource version"):
        await world.list(CONFIGMAPS, resourceVersion="999999")
