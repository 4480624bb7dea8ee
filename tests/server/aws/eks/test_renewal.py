"""A token that is replaced, as EKS's are every few minutes, costs a workload connection nothing: over real HTTPS."""

from __future__ import annotations

import asyncio
import dataclasses
import random
import time
from collections.abc import Callable
from pathlib import Path

from capipool.api import crds
from capipool.api.builtin import Node, Secret
from capipool.api.core import Cluster
from capipool.apiserver import authn, pki
from capipool.apiserver.http import serving
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client, credentials, kubeconfig
from capipool.client.kubeconfig import Endpoint
from capipool.machinery import objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import ObjectMeta, Raw, Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime import Caches
from capipool.workload.connections import Connections
from tests.server.core_world import DEFINITIONS

KEY = ObjectKey("default", "c")


async def until(so: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not so():
        assert time.monotonic() < end
        await asyncio.sleep(0.01)


class Door:
    """An API server that lets in whom the test says."""

    def __init__(self, server: Server, url: str, ca: bytes, authenticator: authn.Authenticator) -> None:
        self.server = server
        self.client = Client(InProcessTransport(server, "", ADMIN))
        self.url = url
        self._ca = ca
        self._authenticator = authenticator

    def config(self, token: str) -> bytes:
        self._authenticator._users.clear()
        self._authenticator.add_token(token, ADMIN)
        return kubeconfig.build(server=self.url, ca=self._ca, cluster="c", user="u", token=token)

    async def store(self, token: str) -> None:
        """Put a kubeconfig with a token into the secret; every older token is good no more."""
        data = {"value": self.config(token)}
        meta = ObjectMeta(name="c-kubeconfig", namespace="default", labels={"cluster.x-k8s.io/cluster-name": "c"})
        secret = objects.new(Secret, metadata=meta, data=data)
        if not [s for s in await self.client.list(Secret, "default") if s.metadata.name == meta.name]:
            await self.client.create(secret)
            return
        await self.client.patch(Secret, meta.name, "default", patch={"data": objects.to_raw(secret)["data"]})


async def test_a_replaced_token_keeps_caches_and_tells_nobody(tmp_path: Path) -> None:
    clock = SystemClock()
    server = Server(journal=MemoryJournal(), clock=clock, rng=random.Random(1))
    await server.start()
    authority, authenticator = pki.Authority(tmp_path, now=clock.now()), authn.Authenticator()
    listener = await serving.serve(server, authenticator=authenticator, tls=authority.tls(["127.0.0.1"]))
    door = Door(server, listener.url, authority.ca.certificate, authenticator)
    for raw in crds.crds():
        await door.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
    caches = Caches(door.client, rng=random.Random(2))

    async def dial(config: bytes) -> Client:
        return credentials.connect(kubeconfig.parse(config), clock=clock, rng=random.Random(3))

    connections = Connections(dial, caches, rng=random.Random(4))
    told: list[bool] = []
    connections.subscribe(lambda key, connected: told.append(connected is not None))
    running = asyncio.create_task(connections.run())
    try:
        await door.store("first")
        raw: Raw = {
            "apiVersion": Cluster.RESOURCE.api_version,
            "kind": "Cluster",
            "metadata": {"name": "c"},
            "spec": {},
        }
        raw["metadata"]["namespace"] = "default"
        raw["spec"] = {"paused": True}
        await door.client.create(objects.from_raw(Cluster, raw))
        await until(lambda: connections.get(KEY) is not None)
        before = connections.get(KEY)
        assert before is not None
        for token in ("second", "third"):
            await door.store(token)
            await until(lambda this=token: authorization(before.client) == f"Bearer {this}")  # type: ignore[misc]
            node = objects.new(Node, metadata=ObjectMeta(name=f"n-{token}"))
            await before.client.create(node)
            await until(lambda this=token: before.nodes.get(f"n-{this}") is not None)  # type: ignore[misc]
        assert connections.get(KEY) is before
        assert [there for there in told if there] == [True]
        assert told[-1]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await caches.stop()
        await server.stop()
        await listener.close()


def authorization(client: Client) -> str:
    """What a client showed last."""
    return str(client.transport._identity.authorization)  # type: ignore[attr-defined]


async def test_credentials_are_not_taken_for_another_server() -> None:
    def of(endpoint: Endpoint) -> Client:
        return credentials.connect(endpoint, clock=SystemClock())

    here = Endpoint(server="https://a", ca=b"", token="1")
    client = of(here)
    for other, taken in (
        (dataclasses.replace(here, token="2", context="x"), True),
        (dataclasses.replace(here, server="https://b"), False),
        (dataclasses.replace(here, insecure=True), False),
        (dataclasses.replace(here, proxy_url="http://p"), False),
    ):
        fresh = of(other)
        assert client.transport.take_credentials(fresh.transport) is taken  # type: ignore[attr-defined]
        await fresh.close()
    assert not client.transport.take_credentials(object())  # type: ignore[attr-defined]
    await client.close()
