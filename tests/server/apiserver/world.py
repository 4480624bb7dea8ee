"""A server in memory, and words to call it with: what the tests of this folder share."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import msgspec

from capipool.apiserver.server import Server
from capipool.apiserver.settings import DEFAULTS, Settings
from capipool.apiserver.store.journal import Journal, MemoryJournal
from capipool.machinery.calls import ADMIN, MERGE_PATCH, Call, Reply, WatchEvent
from capipool.machinery.errors import NotFound
from capipool.machinery.resource import Resource

Raw = dict[str, Any]

NAMESPACES = Resource("", "v1", "Namespace", "namespaces", namespaced=False)
CONFIGMAPS = Resource("", "v1", "ConfigMap", "configmaps")
SECRETS = Resource("", "v1", "Secret", "secrets")
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
PODS = Resource("", "v1", "Pod", "pods")
DEPLOYMENTS = Resource("apps", "v1", "Deployment", "deployments")
REPLICASETS = Resource("apps", "v1", "ReplicaSet", "replicasets")
BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
CRDS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False)
POOLS = Resource("example.org", "v1", "Pool", "pools")


class HandClock:
    """A clock that a test moves by hand."""

    def __init__(self) -> None:
        self.moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

    def now(self) -> dt.datetime:
        return self.moment

    def advance(self, **delta: float) -> None:
        self.moment += dt.timedelta(**delta)


class World:
    """One server and its clock. Objects go in and come out decoded."""

    def __init__(self, server: Server, clock: HandClock, space: str = "") -> None:
        self.server = server
        self.clock = clock
        self.space = space

    async def call(self, verb: Any, resource: Resource, name: str = "", body: Any = None, **more: Any) -> Reply:
        namespace = more.pop("namespace", "default") if resource.namespaced else ""
        data = body if isinstance(body, bytes) else b"" if body is None else msgspec.json.encode(body)
        call = Call(verb=verb, resource=resource, namespace=namespace, name=name, body=data, **more)
        return await self.server.handle(self.space, ADMIN, call)

    async def create(self, resource: Resource, body: Any, **more: Any) -> Raw:
        return decoded(await self.call("create", resource, body=body, **more))

    async def get(self, resource: Resource, name: str, **more: Any) -> Raw:
        return decoded(await self.call("get", resource, name, **more))

    async def list(self, resource: Resource, **query: str) -> Raw:
        return decoded(await self.call("list", resource, query=query))

    async def names(self, resource: Resource, **query: str) -> list[str]:
        return [item["metadata"]["name"] for item in (await self.list(resource, **query))["items"]]

    async def update(self, resource: Resource, body: Raw, **more: Any) -> Raw:
        return decoded(await self.call("update", resource, body["metadata"]["name"], body, **more))

    async def patch(
        self, resource: Resource, name: str, body: Any, *, content_type: str = MERGE_PATCH, **more: Any
    ) -> Raw:
        return decoded(await self.call("patch", resource, name, body, content_type=content_type, **more))

    async def delete(self, resource: Resource, name: str, options: Raw | None = None, **more: Any) -> Raw:
        return decoded(await self.call("delete", resource, name, options, **more))

    async def exists(self, resource: Resource, name: str, **more: Any) -> bool:
        try:
            await self.get(resource, name, **more)
        except NotFound:
            return False
        return True

    async def until(self, what: Callable[[], Any]) -> None:
        """Let the server's own work go on until something holds."""
        for _ in range(1000):
            found = what()
            if await found if asyncio.iscoroutine(found) else found:
                return
            await asyncio.sleep(0)
        raise AssertionError("it never came to hold")

    async def soon(self, what: Callable[[], Any]) -> None:
        """Wait until something holds that takes the network's time."""
        async with asyncio.timeout(10):
            while True:
                found = what()
                if await found if asyncio.iscoroutine(found) else found:
                    return
                await asyncio.sleep(0.001)

    async def gone(self, resource: Resource, name: str, **more: Any) -> None:
        async def is_gone() -> bool:
            return not await self.exists(resource, name, **more)

        await self.until(is_gone)

    async def settle(self) -> None:
        """Let the server's own work come to rest."""
        for _ in range(50):
            await asyncio.sleep(0)

    def watch(self, resource: Resource, name: str = "", **query: str) -> AsyncIterator[Any]:
        namespace = "default" if resource.namespaced else ""
        call = Call(verb="watch", resource=resource, namespace=namespace, name=name, query=query)
        return self.server.watch(self.space, ADMIN, call)


def decoded(reply: Reply) -> Raw:
    raw: Raw = msgspec.json.decode(reply.body)
    return raw


@asynccontextmanager
async def running(journal: Journal | None = None, settings: Settings = DEFAULTS) -> AsyncIterator[World]:
    """A server that has started, and stops in the end."""
    clock = HandClock()
    server = Server(journal=journal or MemoryJournal(), clock=clock, rng=random.Random(1), settings=settings)
    await server.start()
    try:
        yield World(server, clock)
    finally:
        await server.stop()


def config(name: str, *, labels: Raw | None = None, owners: list[Raw] | None = None, **data: str) -> Raw:
    """A config map."""
    meta: Raw = {"name": name}
    if labels:
        meta["labels"] = labels
    if owners:
        meta["ownerReferences"] = owners
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def pod(name: str, *, labels: Raw | None = None, node: str = "", owners: list[Raw] | None = None) -> Raw:
    """A pod of one container."""
    meta: Raw = {"name": name, "labels": labels or {}}
    if owners:
        meta["ownerReferences"] = owners
    spec: Raw = {"containers": [{"name": "c", "image": "i"}]}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec | ({"nodeName": node} if node else {})}


def crd(**changes: Any) -> Raw:
    """The definition of `pools.example.org`, with status, scale and some rules."""
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["replicas"],
                "properties": {
                    "replicas": {"type": "integer", "minimum": 0},
                    "color": {"type": "string", "enum": ["red", "blue"], "default": "blue"},
                },
            },
            "status": {"type": "object", "properties": {"replicas": {"type": "integer"}}},
        },
    }
    subresources = {
        "status": {},
        "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
    }
    version = {"served": True, "schema": {"openAPIV3Schema": schema}, "subresources": subresources}
    spec = {
        "group": "example.org",
        "scope": "Namespaced",
        "names": {"plural": "pools", "singular": "pool", "kind": "Pool", "shortNames": ["pl"]},
        "versions": [{"name": "v1", "storage": True, **version}, {"name": "v1beta1", "storage": False, **version}],
        **changes,
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "pools.example.org"},
        "spec": spec,
    }


def pool(name: str, replicas: Any = 1, **spec: Any) -> Raw:
    """An object of that kind."""
    meta = {"name": name}
    return {"apiVersion": "example.org/v1", "kind": "Pool", "metadata": meta, "spec": {"replicas": replicas, **spec}}


def owner(raw: Raw, **more: Any) -> Raw:
    """A reference to an owner."""
    meta = raw["metadata"]
    return {
        "apiVersion": raw["apiVersion"],
        "kind": raw["kind"],
        "name": meta["name"],
        "uid": meta["uid"],
        **more,
    }


def seen(batch: list[WatchEvent]) -> list[tuple[str, str]]:
    """Type and name of each event."""
    return [(e.type, msgspec.json.decode(e.object).get("metadata", {}).get("name", "")) for e in batch]
