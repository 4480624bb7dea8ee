"""Azure under a whole installation: the Resource Manager on loopback, the real controllers, and nodes that join."""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.azure import ids, kinds
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.machinepoolmachine import AzureMachinePoolMachine
from capipool.providers.azure.calls import Caller, Calls
from capipool.providers.azure.cluster import AzureClusterReconciler
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.pools import setup as pools
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.testing import azure
from capipool.testing.azure import Machine, Power, Provisioning, ScaleSet
from capipool.workload.connections import Connections
from tests.server.azure.pools.lab import calls
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World
from tests.shared import shared

POOL = "demo-mp-0"
GROUP = "demo}"
"""As upstream's manifest has it, with a letter too many."""
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
FAST = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=300))


def upstream() -> str:
    """Upstream's manifest of a cluster with a pool."""
    return shared("upstream/manifests/azure-machinepool.yaml").read_text()


class Region:
    """A whole installation over a subscription."""

    def __init__(self, arm: azure.Arm, world: World, made: Calls) -> None:
        self.arm = arm
        self.calls = made
        self.world = world
        self.joiner: Joiner = world.joiner(self.running)

    def running(self) -> Iterator[tuple[str, str]]:
        """(node name, provider ID) of what runs. Only looks: it is called from a thread."""
        for scale_set in list(self.arm.state.scale_sets.values()):
            for machine in list(scale_set.machines.values()):
                if machine.provisioning is Provisioning.SUCCEEDED and machine.power is Power.RUNNING:
                    id = scale_set.machine_id(machine)
                    yield machine.name.replace("_", "-"), ids.instance_provider_id(id, flexible=scale_set.flexible)

    async def begin(self, *, replicas: int = 3, edits: tuple[tuple[str, str], ...] = ()) -> None:
        """Apply upstream's manifest as it is, and wait until its pool runs."""
        await self.world.load(upstream(), edits=edits)
        await self.world.running_pool(POOL, replicas)

    def scale_set(self, name: str = POOL) -> ScaleSet:
        """The scale set as it is now."""
        return self.arm.scale_set(name, GROUP)

    def names(self) -> set[str]:
        """The machines that are there and are not going."""
        return {machine.name for machine in self.scale_set().live}

    async def evict(self, machine: Machine) -> None:
        """Take a spot machine back, as Azure does when others pay more."""
        about = (GROUP, POOL, machine.instance_id)
        await self.calls.get(Caller(SUBSCRIPTION), "virtual_machine_scale_set_vms.simulate_eviction", *about)

    async def azure_pool(self, name: str = POOL) -> AzureMachinePool:
        return await self.world.client.get(AzureMachinePool, name, NS)

    async def objects(self, count: int) -> None:
        """Wait until so many AzureMachinePoolMachines are there."""

        async def so() -> bool:
            return len(await self.machines()) == count

        await self.world.until(so)

    async def machines(self) -> list[AzureMachinePoolMachine]:
        return sorted(await self.world.client.list(AzureMachinePoolMachine, NS), key=lambda m: m.metadata.name)

    async def until(
        self, so: Callable[[AzureMachinePool], bool], name: str = POOL, seconds: float = 30
    ) -> AzureMachinePool:
        """Wait until something is so of an AzureMachinePool, and return it."""

        async def is_so() -> bool:
            return so(await self.azure_pool(name))

        await self.world.until(is_so, seconds=seconds, why=lambda: self.world.described(name))
        return await self.azure_pool(name)

    async def patch(self, spec: Raw, name: str = POOL) -> None:
        """Change the AzureMachinePool's spec."""
        await self.world.patch(AzureMachinePool, name, {"spec": spec})

    async def annotate(self, annotations: dict[str, str | None], name: str = POOL) -> None:
        """Change the AzureMachinePool's annotations."""
        await self.world.patch(AzureMachinePool, name, {"metadata": {"annotations": annotations}})


@asynccontextmanager
async def region(
    *, intervals: Intervals = FAST, cluster: str = "demo", group: str = GROUP, **options: Any
) -> AsyncIterator[Region]:
    """The server with a resource group for a cluster, and an installation that runs on it."""
    async with azure.serve(subscription=SUBSCRIPTION, groups=(group,), **options) as arm:
        arm.timing.retry_after = 0
        made = calls(arm)

        def add(manager: Manager, connections: Connections) -> None:
            identities = Identities(manager.client, manager.caches)
            clusters = AzureClusterReconciler(manager, made, identities, again=dt.timedelta(milliseconds=300))
            clusters.add_to(manager.controller("azurecluster", clusters, concurrency=4))
            pools.setup(manager, connections, made, identities, intervals=intervals)

        control_plane = "demo-control-plane" if cluster == "demo" else ""
        installed = clouds.world(
            add, cluster=cluster, control_plane=control_plane, crds=kinds.crds(), rules=kinds.rules()
        )
        try:
            async with installed as world:
                yield Region(arm, world, made)
        finally:
            await made.close()


def condition(pool: AzureMachinePool, type_: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    return next(((c.status, c.reason) for c in pool.status.conditions if c.type == type_), ("", ""))
