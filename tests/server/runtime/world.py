"""The embedded API server on virtual time, with a client and a manager in the same process."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import crd, objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.runtime import Manager
from capipool.testing import virtual
from tests.unit.runtime.kinds import Pool

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
DEFINITION = crd.crd(crd.Version(type=Pool, storage=True))


class World:
    """One server, one client, one manager."""

    def __init__(self) -> None:
        self.clock = virtual.clock()
        self.server = Server(journal=MemoryJournal(), clock=self.clock, rng=random.Random(1))
        self.client = Client(InProcessTransport(self.server, "", ADMIN))
        self.manager = Manager(self.client, clock=self.clock, rng=random.Random(1))

    async def define(self) -> None:
        """Install the kind Pool."""
        await self.client.create(objects.from_raw(Unstructured, DEFINITION), resource=DEFINITIONS)


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    world = World()
    await world.server.start()
    try:
        yield world
    finally:
        await world.manager.stop()
        await world.manager.caches.stop()
        await world.server.stop()


def in_a_world(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on virtual time, in a world of its own."""

    def run() -> None:
        async def main() -> None:
            async with running() as world:
                await test(world)

        virtual.run(main())

    run.__name__ = test.__name__
    return run
