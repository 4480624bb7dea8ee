"""Azure's single machines under a whole installation: the Resource Manager on loopback, real controllers, and nodes."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

from capipool.api.builtin import Node
from capipool.api.core import Machine, MachineDeployment
from capipool.machinery.objects import Raw
from capipool.providers.azure import ids, kinds, setup
from capipool.providers.azure.api.machine import AzureMachine
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.testing import azure
from capipool.testing.azure import Machine as VirtualMachine
from capipool.testing.azure import Power, Provisioning
from capipool.workload.connections import Connections
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World
from tests.shared import REPOSITORY

NAME = "workers"
"""Of the cluster, the resource group and the MachineDeployment of the example."""
SUBSCRIPTION = "00000000-0000-0000-0000-000000000000"
PRINCIPALS = {"77777777-7777-7777-7777-777777777777": "replace-me"}
FAST = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=300))
SLOW = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(minutes=5))


def example() -> str:
    """The example, as people apply it."""
    return (REPOSITORY / "examples/azure-machinedeployment.yaml").read_text()


class Region:
    """A whole installation over a subscription."""

    def __init__(self, arm: azure.Arm, world: World) -> None:
        self.arm = arm
        self.world = world
        self.joiner: Joiner = world.joiner(self._running)

    def _running(self) -> Iterator[tuple[str, str]]:
        """(node name, provider ID) of what runs. Only looks: it is called from a thread."""
        for path, machine in list(self.arm.state.machines.items()):
            if machine.provisioning is Provisioning.SUCCEEDED and machine.power is Power.RUNNING:
                yield machine.name, ids.provider_id(_id(path, machine.name))

    async def apply(self, *, edits: tuple[tuple[str, str], ...] = (), checked: bool = True) -> None:
        """Apply the example. Without its health check nobody replaces a machine that is unwell."""
        await self.world.load(example(), edits=edits, without=() if checked else ("MachineHealthCheck",))

    async def begin(self, *, replicas: int = 2, edits: tuple[tuple[str, str], ...] = (), checked: bool = True) -> None:
        """Apply the example, and wait until its machines run."""
        await self.apply(edits=edits, checked=checked)
        await self.running(replicas)

    def virtual_machines(self) -> dict[str, VirtualMachine]:
        """What is in Azure now, by name."""
        self.arm.advance()
        return {machine.name: machine for machine in self.arm.state.machines.values()}

    async def azure_machines(self) -> list[AzureMachine]:
        """The objects, by name."""
        return sorted(await self.world.client.list(AzureMachine, NS), key=lambda m: m.metadata.name)

    async def running(self, count: int, *, seconds: float = 30) -> None:
        """Wait until so many machines of the deployment run, with a node each, and none else is left."""

        async def so() -> bool:
            machines = await self.world.client.list(Machine, NS)
            phases = [m.status.phase for m in machines]
            ready = [m for m in await self.azure_machines() if m.status.ready and m.status.vm_state == "Succeeded"]
            nodes = len(await self.world.ready_nodes())
            return phases == ["Running"] * count and len(ready) == count == nodes == len(self.virtual_machines())

        await self.world.until(so, seconds=seconds, why=self.described)

    async def until(self, so: Callable[[AzureMachine], bool], *, seconds: float = 30) -> AzureMachine:
        """Wait until something is so of one of the machines, and return it."""
        found: list[AzureMachine] = []

        async def is_so() -> bool:
            found[:] = [m for m in await self.azure_machines() if so(m)]
            return bool(found)

        await self.world.until(is_so, seconds=seconds, why=self.described)
        return found[0]

    async def scale(self, replicas: int) -> None:
        """Change how many machines the deployment wants."""
        await self.world.patch(MachineDeployment, NAME, {"spec": {"replicas": replicas}})

    async def described(self) -> str:
        """What everything says of itself, for a test that fails."""
        lines = []
        for machine in await self.world.client.list(Machine, NS):
            lines.append(f"Machine {machine.metadata.name} {machine.status.phase} {machine.spec.provider_id}")
        for each in await self.azure_machines():
            lines.append(f"AzureMachine {each.metadata.name} {each.status} {each.metadata.finalizers}")
        lines += [f"virtual machine {m.name} {m.provisioning} {m.power}" for m in self.virtual_machines().values()]
        for node in await self.world.workload.list(Node):
            lines.append(f"node {node.metadata.name} {node.spec.provider_id} {node.status.conditions}")
        lines += [str(request) for request in self.arm.log.all[-15:]]
        return "\n".join(lines)


def _id(path: str, name: str) -> str:
    """An ID in the letters that Azure shows it in; the tables have it in lower case."""
    parts = path.split("/")
    root = f"/subscriptions/{parts[2]}/resourceGroups/{parts[4]}"
    return f"{root}/providers/Microsoft.Compute/virtualMachines/{name}"


@asynccontextmanager
async def region(*, intervals: Intervals = FAST, **options: Any) -> AsyncIterator[Region]:
    """The server with a resource group for the cluster, and an installation that runs on it."""
    about: Raw = {"subscription": SUBSCRIPTION, "groups": (NAME,), "principals": PRINCIPALS} | options
    async with azure.serve(**about) as arm:
        arm.timing.retry_after = 0

        def add(manager: Manager, connections: Connections) -> None:
            setup.setup(
                manager,
                connections,
                rng=random.Random(4),
                endpoint=arm.url,
                authority=arm.url,
                ca_file=str(arm.ca_file),
                machine_intervals=intervals,
            )

        async with clouds.world(add, cluster=NAME, crds=kinds.crds(), rules=kinds.rules()) as world:
            yield Region(arm, world)
