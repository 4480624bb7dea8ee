"""Single machines in AWS as a user has them: the example, the real controllers, moto, and nodes that join."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from capipool.api.core import Machine, MachineDeployment
from capipool.machinery import codec
from capipool.providers.aws import kinds as aws_kinds
from capipool.providers.aws import setup as aws_setup
from capipool.providers.aws.machines.api import AWSMachine
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.workload.connections import Connections
from tests.server.aws.cloud import Cloud
from tests.server.aws.machines.watching import Watched
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World
from tests.shared import REPOSITORY

CLUSTER = "aws-machines"
EXAMPLE = REPOSITORY / "examples" / "aws-machinedeployment.yaml"
FAST = Intervals(converging=dt.timedelta(milliseconds=100), rest=dt.timedelta(milliseconds=400))
PROFILE = "nodes.cluster-api-provider-aws.sigs.k8s.io"
HERE = ("eu-central-1\n", "us-east-1\n")
"""The example's region, and moto's."""


class Region:
    """A whole installation over a region of AWS."""

    def __init__(self, cloud: Cloud, world: World, joiner: Joiner, calls: list[Watched], facts: dict[str, str]) -> None:
        self.cloud = cloud
        self.world = world
        self.joiner = joiner
        self.made = calls
        self.facts = facts

    @property
    def calls(self) -> Watched:
        """The calls of the controllers that run now."""
        return self.made[-1]

    async def begin(self, *, replicas: int = 3, edits: tuple[tuple[str, str], ...] = ()) -> None:
        """Apply the example, and wait until its machines run."""
        await self.apply(edits)
        await self.running(replicas)

    async def apply(self, edits: tuple[tuple[str, str], ...] = (), without: tuple[str, ...] = ()) -> None:
        text = EXAMPLE.read_text()
        for before, after in (HERE, *edits):
            assert before in text, f"{before!r} is not in the example"
            text = text.replace(before, after)
        for raw in codec.decode_yaml(text):
            if raw["kind"] not in without:
                await self.world.client.apply(raw)

    async def running(self, count: int, *, version: str = "v1.31.0", seconds: float = 30) -> None:
        """Wait until so many machines, and no others, run this version with nodes of their own, and the deployment."""

        async def so() -> bool:
            machines = await self.machines()
            deployment = await self.world.client.get(MachineDeployment, "workers", NS)
            right = [m for m in machines if m.status.phase == "Running" and m.spec.version == version]
            ready = deployment.status.phase == "Running" and deployment.status.up_to_date_replicas == count
            return ready and len(right) == len(machines) == count == len(self.instances())

        await self.world.until(so, seconds=seconds, why=self.described)

    async def machines(self) -> list[Machine]:
        return sorted(await self.world.client.list(Machine, NS), key=lambda m: m.metadata.name)

    async def aws_machines(self) -> list[AWSMachine]:
        return sorted(await self.world.client.list(AWSMachine, NS), key=lambda m: m.metadata.name)

    def instances(self, *states: str) -> list[Any]:
        """The instances there are, in these states: pending and running unless said otherwise."""
        wanted = list(states or ("pending", "running"))
        found = self.cloud.ec2.describe_instances(Filters=[{"Name": "instance-state-name", "Values": wanted}])
        return [i for r in found["Reservations"] for i in r["Instances"]]

    async def described(self) -> str:
        """What there is, for a test that fails."""
        lines = [f"Machine {m.metadata.name} {m.status.phase} {m.spec.version}" for m in await self.machines()]
        for obj in await self.aws_machines():
            lines.append(f"AWSMachine {obj.metadata.name} {obj.spec.provider_id} {obj.status.instance_state}")
            lines += [f"  {c.type} {c.status} {c.reason}: {c.message}" for c in obj.status.conditions]
        lines += [f"instance {i['InstanceId']} {i['State']['Name']}" for i in self.instances()]
        return "\n".join(lines)


@asynccontextmanager
async def region(
    running: Cloud, *, intervals: Intervals = FAST, make_calls: Callable[[str], Watched] = Watched
) -> AsyncIterator[Region]:
    """Moto with a network for the example's cluster, and an installation that runs on it."""
    facts = running.furnish(CLUSTER)
    running.client("iam").create_instance_profile(InstanceProfileName=PROFILE)
    calls: list[Watched] = []

    def add(manager: Manager, connections: Connections) -> None:
        made = make_calls(running.endpoint)
        calls.append(made)
        aws_setup.setup(
            manager, connections, rng=random.Random(4), calls=made, intervals=intervals, machine_pools=False
        )

    async with clouds.world(add, cluster=CLUSTER, crds=aws_kinds.crds(), rules=aws_kinds.rules()) as world:
        yield Region(running, world, world.joiner(running.running), calls, facts)
