"""The HTTPS transport against the embedded API server: what works in process works over the wire."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from capipool.api.builtin import ConfigMap
from capipool.apiserver import authn, pki
from capipool.apiserver.http import serving
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.client import Client, credentials, kubeconfig
from capipool.client.kubeconfig import Endpoint
from capipool.machinery import errors, objects
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import ObjectMeta
from capipool.runtime import Caches


def config(name: str, **data: str) -> ConfigMap:
    return objects.new(ConfigMap, metadata=ObjectMeta(name=name, namespace="default"), data=data)


@asynccontextmanager
async def serve(directory: Path) -> AsyncIterator[tuple[Server, Endpoint]]:
    """A server on a free port, and how its administrator reaches it."""
    clock = SystemClock()
    server = Server(journal=MemoryJournal(), clock=clock, rng=random.Random(1))
    await server.start()
    authority = pki.Authority(directory, now=clock.now())
    listener = await serving.serve(server, authenticator=authn.Authenticator(), tls=authority.tls(["127.0.0.1"]))
    admin = authority.client("admin")
    try:
        text = kubeconfig.build(
            server=listener.url,
            ca=authority.ca.certificate,
            cluster="test",
            user="admin",
            cert=admin.certificate,
            key=admin.key,
        )
        yield server, kubeconfig.parse(text)
    finally:
        await server.stop()
        await listener.close()


@asynccontextmanager
async def dialled(endpoint: Endpoint) -> AsyncIterator[Client]:
    client = credentials.connect(endpoint, clock=SystemClock(), rng=random.Random(1))
    try:
        yield client
    finally:
        await client.close()


async def test_objects_are_written_and_read_over_https(tmp_path: Path) -> None:
    async with serve(tmp_path) as (_, endpoint), dialled(endpoint) as client:
        made = await client.create(config("a", x="1"))
        await client.update(objects.replace(made, data={"x": "2"}))
        await client.patch(ConfigMap, "a", "default", patch={"data": {"y": "3"}})
        assert (await client.get(ConfigMap, "a", "default")).data == {"x": "2", "y": "3"}
        with pytest.raises(errors.Conflict):
            await client.update(made)
        with pytest.raises(errors.AlreadyExists):
            await client.create(config("a"))
        await client.delete(ConfigMap, "a", "default")
        with pytest.raises(errors.NotFound):
            await client.get(ConfigMap, "a", "default")


async def test_kinds_are_discovered_over_https(tmp_path: Path) -> None:
    async with serve(tmp_path) as (_, endpoint), dialled(endpoint) as client:
        assert await client.resources.find("", "ConfigMap") == ConfigMap.RESOURCE
        assert (await client.resources.find("coordination.k8s.io", "Lease")).plural == "leases"
        with pytest.raises(errors.NotFound):
            await client.resources.find("coordination.k8s.io", "Nothing")


async def test_a_client_without_credentials_is_told_so(tmp_path: Path) -> None:
    async with serve(tmp_path) as (_, endpoint):
        stranger = Endpoint(server=endpoint.server, ca=endpoint.ca)
        async with dialled(stranger) as client:
            with pytest.raises(errors.Unauthorized):
                await client.list(ConfigMap)


async def test_caches_follow_over_https(tmp_path: Path) -> None:
    async with serve(tmp_path) as (_, endpoint), dialled(endpoint) as client:
        caches = Caches(client, rng=random.Random(1))
        cache = caches.of(ConfigMap)
        await cache.synced()
        arrived = asyncio.Event()
        cache.subscribe(lambda old, new: arrived.set())
        await client.create(config("a"))
        async with asyncio.timeout(5):
            await arrived.wait()
        assert [c.metadata.name for c in cache.list("default")] == ["a"]
        await caches.stop()


async def test_many_calls_at_once_share_connections(tmp_path: Path) -> None:
    async with serve(tmp_path) as (_, endpoint), dialled(endpoint) as client:
        await asyncio.gather(*(client.create(config(f"c{n}")) for n in range(200)))
        assert len(await client.list(ConfigMap, "default")) == 200
