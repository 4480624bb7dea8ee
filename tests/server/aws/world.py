"""AWS under a whole installation: moto's region with a network in it, the real controllers, and nodes that join."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from capipool.providers.aws import kinds, setup
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.workload.connections import Connections
from tests.server.aws.cloud import Cloud
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World
from tests.shared import shared

POOL = "demo-mp-0"
FAST = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=300))


def upstream() -> str:
    """Upstream's manifest of a cluster with a pool."""
    return shared("upstream/manifests/aws-machinepool.yaml").read_text()


class Region:
    """A whole installation over a region of AWS."""

    def __init__(self, cloud: Cloud, world: World, joiner: Joiner, facts: dict[str, str]) -> None:
        self.cloud = cloud
        self.world = world
        self.joiner = joiner
        self.facts = facts
        """Of the network that was made: `subnet`, `group`, `image`."""

    async def begin(self, *, replicas: int = 3, edits: tuple[tuple[str, str], ...] = ()) -> None:
        """Apply upstream's manifest as it is, and wait until its pool runs."""
        await self.world.load(upstream(), edits=edits)
        await self.world.running_pool(POOL, replicas)

    async def aws_pool(self, name: str = POOL) -> AWSMachinePool:
        return await self.world.client.get(AWSMachinePool, name, NS)

    async def until(
        self, so: Callable[[AWSMachinePool], bool], name: str = POOL, seconds: float = 30
    ) -> AWSMachinePool:
        """Wait until something is so of an AWSMachinePool, and return it."""

        async def is_so() -> bool:
            return so(await self.aws_pool(name))

        await self.world.until(is_so, seconds=seconds, why=lambda: self.world.described(name))
        return await self.aws_pool(name)

    async def patch(self, spec: dict[str, Any], name: str = POOL) -> None:
        """Change the AWSMachinePool's spec."""
        await self.world.patch(AWSMachinePool, name, {"spec": spec})


@asynccontextmanager
async def region(running: Cloud, *, intervals: Intervals = FAST) -> AsyncIterator[Region]:
    """Moto with a network for the cluster `demo`, and an installation that runs on it."""
    facts = running.furnish("demo")

    def add(manager: Manager, connections: Connections) -> None:
        calls = Calls(rng=random.Random(4), endpoint=running.endpoint, rate=1000)
        setup.setup(manager, connections, rng=random.Random(4), calls=calls, intervals=intervals)

    async with clouds.world(add, control_plane="demo-control-plane", crds=kinds.crds(), rules=kinds.rules()) as world:
        yield Region(running, world, world.joiner(running.running), facts)
