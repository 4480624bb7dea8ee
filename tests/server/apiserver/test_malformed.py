"""Whatever a client sends is answered: done, or refused with a 4xx; nothing is half-written and the server lives on."""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import Any

import hypothesis.strategies as st
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings

from capipool.apiserver.store.journal import MemoryJournal
from capipool.machinery import calls, errors
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CRDS, Raw

_TEMPLATE = {"metadata": {"labels": {"a": "b"}}, "spec": worlds.pod("p")["spec"]}
_OWNED = worlds.config("x", owners=[{"apiVersion": "v1", "kind": "ConfigMap", "name": "y", "uid": "u"}], k="v")
BASES: list[tuple[Any, Raw]] = [
    (worlds.CONFIGMAPS, _OWNED),
    (worlds.SECRETS, {"metadata": {"name": "x"}, "stringData": {"k": "v"}, "data": {"l": "dg=="}, "type": "Opaque"}),
    (worlds.NAMESPACES, {"metadata": {"name": "x", "labels": {"a": "b"}}, "spec": {"finalizers": ["kubernetes"]}}),
    (worlds.NODES, {"metadata": {"name": "x"}, "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]}}),
    (worlds.PODS, worlds.pod("x", labels={"a": "b"}, node="n")),
    (
        worlds.DEPLOYMENTS,
        {
            "metadata": {"name": "x"},
            "spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": _TEMPLATE},
        },
    ),
    (
        worlds.BUDGETS,
        {"metadata": {"name": "x"}, "spec": {"minAvailable": "50%", "selector": {"matchLabels": {"a": "b"}}}},
    ),
    (CRDS, worlds.crd()),
    (worlds.POOLS, worlds.pool("x", 3, color="red")),
]

scalars = st.none() | st.booleans() | st.integers(-(2**40), 2**40) | st.floats(allow_nan=False) | st.text(max_size=8)
values = st.recursive(
    scalars | st.sampled_from(["", "x", {}, [], [None], {"": None}, "v1", "%", "\x00"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def places(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of everything in a document."""
    found = [here] if here else []
    if isinstance(value, dict):
        for key, inner in value.items():
            found += places(inner, (*here, key))
    elif isinstance(value, list):
        for i, inner in enumerate(value):
            found += places(inner, (*here, i))
    return found


@st.composite
def spoiled(draw: st.DrawFn) -> tuple[Any, Raw, Raw]:
    """A kind, a good object of it, and the object with some part replaced by anything at all."""
    resource, good = draw(st.sampled_from(BASES))
    bad = copy.deepcopy(good)
    for _ in range(draw(st.integers(1, 2))):
        *path, last = draw(st.sampled_from(places(bad)))
        inner = bad
        for step in path:
            inner = inner[step]
        if draw(st.booleans()) or not isinstance(inner, dict):
            inner[last] = copy.deepcopy(draw(values))
        else:
            inner[draw(st.text(max_size=6))] = copy.deepcopy(draw(values))
    return resource, good, bad


async def answered(call: Any) -> None:
    """Let a call end well, or with a refusal."""
    refused: errors.ApiError | None = None
    try:
        await call
    except errors.ApiError as error:
        refused = error
    if refused is not None:
        assert 400 <= refused.http_code < 500 or refused.message.startswith("Too large resource version")
        assert msgspec.json.encode(refused.status)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(case=spoiled(), content_type=st.sampled_from([calls.MERGE_PATCH, calls.STRATEGIC_MERGE_PATCH]))
def test_a_spoiled_object_is_refused_or_taken_whole(case: tuple[Any, Raw, Raw], content_type: str) -> None:
    async def run() -> None:
        resource, good, bad = case
        journal = MemoryJournal()
        async with worlds.running(journal) as world:
            if resource is not CRDS:
                await world.create(CRDS, worlds.crd())
            await answered(world.call("create", resource, body=bad))
            await answered(world.call("create", resource, body=good))
            name = good["metadata"]["name"]
            await answered(world.call("update", resource, name, bad))
            await answered(world.call("patch", resource, name, bad, content_type=content_type))
            applied = {"fieldManager": "me", "force": "true"}
            await answered(world.call("patch", resource, name, bad, content_type=calls.APPLY_PATCH, query=applied))
            for subresource in ("status", "scale", "eviction", "binding", "finalize"):
                verb = "create" if subresource in ("eviction", "binding") else "update"
                await answered(world.call(verb, resource, name, bad, subresource=subresource))
            await answered(world.call("delete", resource, name, bad))
            await world.settle()
            found = (await world.list(resource))["items"]
        async with worlds.running(journal) as world:
            kept = {i["metadata"]["uid"] for i in (await world.list(resource))["items"]}
            assert kept <= {i["metadata"]["uid"] for i in found}

    logging.disable(logging.WARNING)
    try:
        asyncio.run(run())
    finally:
        logging.disable(logging.NOTSET)


@settings(max_examples=150, deadline=None)
@given(
    query=st.dictionaries(
        st.sampled_from(
            ["limit", "continue", "labelSelector", "fieldSelector", "resourceVersion", "resourceVersionMatch", "watch",
             "timeoutSeconds", "sendInitialEvents", "allowWatchBookmarks", "dryRun", "fieldValidation", "force",
             "propagationPolicy", "gracePeriodSeconds", "fieldManager"]
        ),
        st.text(max_size=12) | st.sampled_from(["true", "1", "All", "Exact", "0", "-1", "a=b", "a in (b", "9" * 30]),
        max_size=5,
    )
)  # fmt: skip
def test_any_query_is_understood_or_refused(query: dict[str, str]) -> None:
    async def run() -> None:
        async with worlds.running() as world:
            await world.create(worlds.CONFIGMAPS, worlds.config("a"))
            await answered(world.call("list", worlds.CONFIGMAPS, query=query))
            await answered(world.call("create", worlds.CONFIGMAPS, body=worlds.config("b"), query=query))
            patch = {"data": {"x": "y"}}
            await answered(
                world.call("patch", worlds.CONFIGMAPS, "a", patch, content_type=calls.MERGE_PATCH, query=query)
            )
            await answered(world.call("delete", worlds.CONFIGMAPS, "a", query=query))
            await answered(watched(world, query))
            await world.list(worlds.CONFIGMAPS)

    asyncio.run(run())


async def watched(world: worlds.World, query: dict[str, str]) -> None:
    world.watch(worlds.CONFIGMAPS, **query)
