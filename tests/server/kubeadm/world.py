"""A management cluster and one workload cluster in one API server, the provider running, all on virtual time."""

from __future__ import annotations

import asyncio
import base64
import datetime as dt
import random
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any

from capipool.api import crds
from capipool.api.builtin import Secret
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.calls import ADMIN, Call, Reply, WatchEvent
from capipool.machinery.objects import Object, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.kubeadm import kinds, setup, tokens
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.tokens import Token
from capipool.providers.kubeadm.world import Settings
from capipool.runtime import Manager
from capipool.testing import virtual
from capipool.workload import connections
from capipool.workload.connections import Connections
from tests.unit.kubeadm import worlds

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
SPACE = "default/c"
_TOKEN = re.compile(rb'token: "?([a-z0-9]{6})\.([a-z0-9]{16})')


class Flaky(InProcessTransport):
    """A workload API that can be away, and that counts who asks for tokens."""

    away = False
    created = 0

    async def call(self, call: Call) -> Reply:
        """Make one call, unless the cluster is away."""
        if self.away:
            raise errors.ServiceUnavailable("the workload cluster is away")
        if call.verb == "create" and call.resource.kind == "Secret":
            self.created += 1
        return await super().call(call)

    async def _until_away(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        if self.away:
            raise errors.ServiceUnavailable("the workload cluster is away")
        async for batch in super().watch(call):
            yield batch

    def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        """Follow changes."""
        return self._until_away(call)

    async def get_path(self, path: str) -> bytes:
        """Read `/version` and the like."""
        if self.away:
            raise errors.ServiceUnavailable("the workload cluster is away")
        return await super().get_path(path)


class World:
    """What a test acts on and looks at."""

    def __init__(self, settings: Settings) -> None:
        self.clock = virtual.clock()
        self.server = Server(journal=MemoryJournal(), clock=self.clock, rng=random.Random(1))
        self.client = Client(InProcessTransport(self.server, "", ADMIN))
        self.workload = Flaky(self.server, SPACE, ADMIN)
        self.settings = settings
        self.start_manager()

    def start_manager(self) -> None:
        """A new process, as far as the provider can tell."""
        rng = random.Random(2)
        self.manager = Manager(self.client, clock=self.clock, rng=rng)
        patient = connections.Settings(probe=dt.timedelta(minutes=5))
        self.connections = Connections(self._open, self.manager.caches, rng=rng, settings=patient)
        self.manager.add_task("connections", self.connections.run)
        setup.setup(self.manager, self.connections, settings=self.settings, token_rng=random.Random(3))

    async def _open(self, kubeconfig: bytes) -> Client:
        return Client(self.workload)

    async def define(self) -> None:
        """Install the kinds, and the objects of a cluster that works."""
        for raw in (*crds.crds(), *kinds.crds()):
            await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
        for rules in kinds.rules():
            self.server.add_rules(rules)
        for converter in kinds.converters():
            self.server.add_converter(converter)
        await self.server.ensure_space(SPACE)
        labels = {"cluster.x-k8s.io/cluster-name": "c"}
        await self.client.create(worlds.secret("c-ca", worlds.ca(), labels=labels))
        await self.client.create(worlds.secret("c-kubeconfig", {"value": worlds.kubeconfig_of("c")}, labels=labels))
        await self.create(worlds.cluster())

    async def create(self, obj: Object) -> Object:
        """Create an object with its status."""
        status = objects.to_raw(obj).get("status")
        bare = objects.from_raw(type(obj), {k: v for k, v in objects.to_raw(obj).items() if k != "status"})
        made = await self.client.create(bare)
        if status:
            kind, name, namespace = type(obj), obj.metadata.name, obj.metadata.namespace
            made = await self.client.patch(kind, name, namespace, patch={"status": status}, subresource="status")
        return made

    async def own(
        self, owner: MachinePool | Machine, spec: dict[str, Any] | None = None, name: str = "workers"
    ) -> None:
        """Create an owner and its KubeadmConfig, as core would leave them."""
        made = await self.create(owner)
        reference = {
            "apiVersion": made.api_version,
            "kind": made.kind,
            "name": made.metadata.name,
            "uid": made.metadata.uid,
            "controller": True,
        }
        config = worlds.config(
            spec or {"format": "cloud-config"},
            labels={"cluster.x-k8s.io/cluster-name": "c"},
            ownerReferences=[reference],
            uid="",
            name=name,
        )
        await self.client.create(config)

    async def join(self, nodes: int = 1) -> None:
        """Machines of the pool got their nodes."""
        status = {"status": {"nodeRefs": [{"name": f"n{i}"} for i in range(nodes)]}}
        await self.client.patch(MachinePool, "workers", "default", patch=status, subresource="status")

    async def set_cluster(self, **initialization: bool) -> None:
        """Change how far the cluster is."""
        patch = {"status": {"initialization": initialization}}
        await self.client.patch(Cluster, "c", "default", patch=patch, subresource="status")

    async def config(self, name: str = "workers") -> KubeadmConfig:
        return await self.client.get(KubeadmConfig, name, "default")

    async def data(self, name: str = "workers") -> Secret:
        return await self.client.get(Secret, name, "default")

    async def tokens(self) -> dict[str, Token]:
        """The tokens that exist in the workload cluster."""
        direct = Client(InProcessTransport(self.server, SPACE, ADMIN))
        secrets = await direct.list(Secret, tokens.NAMESPACE)
        found = [tokens.from_secret(s) for s in secrets if s.type == tokens.SECRET_TYPE]
        return {token.id: token for token in found if token is not None}

    async def held(self) -> Token:
        """The token that an instance gets that boots now; fails where it is dead or unknown."""
        data = (await self.data()).data["value"]
        match = _TOKEN.search(data)
        assert match is not None, base64.b64encode(data[:40])
        token = (await self.tokens())[match[1].decode()]
        assert token.secret == match[2].decode()
        return token

    async def wait(self, *, minutes: float = 0, seconds: float = 5) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(minutes * 60 + seconds)


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[World]:
    world = World(settings)
    await world.server.start()
    await world.define()
    run = asyncio.create_task(world.manager.run())
    await world.manager.started.wait()
    try:
        yield world
    finally:
        await world.manager.stop()
        await asyncio.gather(run, return_exceptions=True)
        await world.server.stop()


def in_a_world(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on virtual time, in a world of its own."""

    def run() -> None:
        async def main() -> None:
            async with running(Settings()) as world:
                await test(world)

        virtual.run(main(), limit=dt.timedelta(days=40))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
