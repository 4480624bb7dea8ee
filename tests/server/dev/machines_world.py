"""The development cloud beside Cluster API's own controllers, so that pools show their instances as Machines."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from capipool.api import rules
from capipool.api.core import Machine, MachineHealthCheck
from capipool.client import Client
from capipool.client.transport import Transport
from capipool.core import setup as core
from capipool.core.options import Options
from capipool.machinery import errors, objects
from capipool.machinery.objects import Raw
from capipool.providers.dev import setup as dev
from capipool.providers.dev.api.machine import DevMachine
from capipool.runtime import Manager
from capipool.testing import virtual
from capipool.workload.connections import Connections
from tests.server.dev.world import FAST, NS, Spaces, World

SHOWN: Raw = {**FAST, "machines": True}


class MachinesWorld(World):
    """A world with core's controllers in it, which all write to the management cluster through `transport`."""

    def __init__(self) -> None:
        super().__init__()
        self.transport: Transport = self.management

    async def install(self) -> None:
        for made in rules.all_rules({}):
            self.server.add_rules(made)
        await super().install()

    async def start(self, *, machine_pools: bool = True) -> None:
        self.manager = Manager(Client(self.transport), clock=self.clock, rng=random.Random(2), grace=dt.timedelta(0))
        self.connections = Connections(self._open, self.manager.caches, rng=random.Random(3))
        self.manager.add_task("connections", self.connections.run)
        core.setup(self.manager, self.connections, Options())
        dev.setup(self.manager, self.connections, Spaces(self.server), machine_pools=machine_pools)
        self._run = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()

    async def shown(self, count: int = 3, **backend: Any) -> None:
        """A pool with Machines, at rest."""
        await self.pool(replicas=count, backend={**SHOWN, **backend})
        await self.all_shown(count)

    async def machines(self) -> list[Machine]:
        return sorted(await self.client.list(Machine, NS), key=lambda m: m.metadata.name)

    async def objects(self) -> list[DevMachine]:
        return sorted(await self.client.list(DevMachine, NS), key=lambda m: m.metadata.name)

    async def all_shown(self, count: int, *, version: str = "", minutes: float = 30) -> None:
        """Wait until a pool is at rest, and each instance has its node, its object and its running Machine."""
        await self.settled(count, version=version, minutes=minutes)

        async def fits() -> bool:
            names = await self.names()
            made, machines = await self.objects(), await self.machines()
            running = {m.metadata.name for m in machines if m.status.phase == "Running" and not m.deleting}
            ready = {n.metadata.name for n in await self.ready()}
            return {o.metadata.name for o in made} == running == names == ready and len(machines) == count

        await self.until(fits, minutes=minutes)

    async def backend(self, **changes: Any) -> None:
        """Change the backend of the pool."""
        patch = {"spec": {"backend": {"inMemory": changes}}}
        await self.client.patch(await self._kind(), "p", NS, patch=patch)

    async def _kind(self) -> Any:
        return type(await self.dev_pool())

    async def delete_machine(self, name: str) -> None:
        with contextlib.suppress(errors.NotFound):
            await self.client.delete(Machine, name, NS)

    async def health_check(self) -> None:
        """Machines whose nodes are not ready for a minute are replaced, however many there are."""
        unhealthy = [
            {"type": "Ready", "status": "Unknown", "timeoutSeconds": 60},
            {"type": "Ready", "status": "False", "timeoutSeconds": 60},
        ]
        spec = {
            "clusterName": "c",
            "selector": {"matchLabels": {"cluster.x-k8s.io/pool-name": "p"}},
            "checks": {"unhealthyNodeConditions": unhealthy},
        }
        raw = {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachineHealthCheck", "metadata": {"name": "h"}}
        raw["metadata"] |= {"namespace": NS}  # type: ignore[operator]
        await self.client.create(objects.from_raw(MachineHealthCheck, raw | {"spec": spec}))

    async def gone(self, kind: type[Any]) -> bool:
        return not await self.client.list(kind, NS)


def with_machines(test: Callable[[MachinesWorld], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in such a world with a cluster and bootstrap data, on virtual time."""

    def run() -> None:
        async def whole() -> None:
            async with machines_world() as made:
                await test(made)

        virtual.run(whole())

    functools.update_wrapper(run, test)
    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for the parameter
    return run


@contextlib.asynccontextmanager
async def machines_world() -> AsyncIterator[MachinesWorld]:
    made = MachinesWorld()
    await made.install()
    await made.start()
    try:
        await made.boot_data()
        await made.cluster()
        yield made
    finally:
        await made.stop()
        await made.server.stop()
