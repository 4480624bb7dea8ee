"""AWS under a whole installation: moto's region with a network in it, the real controllers, and nodes that join."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from capipool.api.core import Cluster, MachinePool
from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Raw
from capipool.providers.aws import kinds, setup
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.identities.api import AWSClusterRoleIdentity, AWSClusterStaticIdentity
from capipool.providers.aws.identities.finding import SECRETS_NAMESPACE
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.workload.connections import Connections
from tests.server.aws.cloud import ACCOUNT, Cloud
from tests.server.aws.wire import Wire
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World
from tests.shared import shared

POOL = "demo-mp-0"
FAST = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=300))

IDENTITY: tuple[Raw, ...] = (
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SECRETS_NAMESPACE}},
    {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys", "namespace": SECRETS_NAMESPACE},
        "stringData": {"AccessKeyID": "test", "SecretAccessKey": "test"},
    },
    {
        "apiVersion": AWSClusterStaticIdentity.RESOURCE.api_version,
        "kind": "AWSClusterStaticIdentity",
        "metadata": {"name": "team"},
        "spec": {"secretRef": "keys", "allowedNamespaces": {}},
    },
)
"""A user with keys of its own, and all that belongs to it."""
ROLE: Raw = {
    "apiVersion": AWSClusterRoleIdentity.RESOURCE.api_version,
    "kind": "AWSClusterRoleIdentity",
    "metadata": {"name": "team"},
    "spec": {
        "roleARN": f"arn:aws:iam::{ACCOUNT}:role/team",
        "sourceIdentityRef": {"kind": "AWSClusterStaticIdentity", "name": "team"},
        "allowedNamespaces": {},
    },
}
"""A role that this user assumes."""


def upstream() -> str:
    """Upstream's manifest of a cluster with a pool."""
    return shared("upstream/manifests/aws-machinepool.yaml").read_text()


def said(conditions: Sequence[V1Beta1Condition], type_: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition; empty where it is not there."""
    found = (c for c in conditions if c.type == type_)
    return next(((c.status, c.reason, c.message) for c in found), ("", "", ""))


class Region:
    """A whole installation over a region of AWS."""

    def __init__(self, cloud: Cloud, world: World, joiner: Joiner, facts: dict[str, str]) -> None:
        self.cloud = cloud
        self.world = world
        self.joiner = joiner
        self.facts = facts
        """Of the network that was made: `subnet`, `group`, `image`."""
        self.wire: Wire
        """That of the process that runs now."""

    # --- what users do

    async def apply(self, *, edits: tuple[tuple[str, str], ...] = ()) -> None:
        """Apply upstream's manifest."""
        await self.world.load(upstream(), edits=edits)

    async def begin(self, *, replicas: int = 3, edits: tuple[tuple[str, str], ...] = ()) -> None:
        """Apply upstream's manifest as it is but for the number, and wait until its pool runs."""
        await self.apply(edits=(*edits, ("replicas: 3", f"replicas: {replicas}")))
        await self.world.running_pool(POOL, replicas)

    async def patch(self, spec: Raw) -> None:
        """Change the AWSMachinePool's spec."""
        await self.world.patch(AWSMachinePool, POOL, {"spec": spec})

    async def annotate(self, key: str, value: str | None) -> None:
        """Change an annotation of the AWSMachinePool."""
        await self.world.patch(AWSMachinePool, POOL, {"metadata": {"annotations": {key: value}}})

    async def lose(self, what: str) -> None:
        """Take something away that a deletion would look for."""
        client = self.world.client
        match what:
            case "group":
                await self.world.stop()
                self.cloud.groups.delete_auto_scaling_group(AutoScalingGroupName=POOL, ForceDelete=True)
                await self.world.start()
            case "template":
                self.cloud.ec2.delete_launch_template(LaunchTemplateName=POOL)
            case "status":
                gone = {"launchTemplateID": None, "launchTemplateVersion": None, "instances": None}
                await client.patch(AWSMachinePool, POOL, NS, patch={"status": gone}, subresource="status")
            case "cluster":
                await self.world.stop()
                for kind, name in ((MachinePool, POOL), (AWSCluster, "demo"), (Cluster, "demo")):
                    await client.patch(kind, name, NS, patch={"metadata": {"finalizers": None}})
                    await client.delete(kind, name, NS)
                await self.world.start()

    # --- looking

    async def aws_pool(self, name: str = POOL) -> AWSMachinePool:
        return await self.world.client.get(AWSMachinePool, name, NS)

    async def until(self, so: Callable[[AWSMachinePool], bool], name: str = POOL) -> AWSMachinePool:
        """Wait until something is so of an AWSMachinePool, and return it."""

        async def is_so() -> bool:
            return so(await self.aws_pool(name))

        await self.world.until(is_so, why=self.described)
        return await self.aws_pool(name)

    async def eventually(self, so: Callable[[], bool]) -> None:
        """Wait until something is so of the cloud; what it asks may call moto."""

        async def is_so() -> bool:
            return await asyncio.to_thread(so)

        await self.world.until(is_so, why=self.described)

    async def looked(self) -> None:
        """Wait until the controller has begun anew: from here on it acts on what was written before."""
        describe = "autoscaling:DescribeAutoScalingGroups"
        before = self.wire.calls.count(describe)
        await self.eventually(lambda: self.wire.calls.count(describe) >= before + 2)

    async def is_deleted(self) -> bool:
        """Whether the pool is gone, MachinePool and AWSMachinePool: one of the name can be made again."""
        client = self.world.client
        there = [*await client.list(AWSMachinePool, NS), *await client.list(MachinePool, NS)]
        return all(obj.metadata.name != POOL for obj in there)

    async def described(self, about: str = "") -> str:
        """How everything is, for a test that fails."""
        group = await asyncio.to_thread(self.cloud.group, POOL)
        return f"{about}\n{await self.world.described(POOL)}\ngroup {group}"

    def ids(self) -> set[str]:
        """The instances of the group."""
        return {i["InstanceId"] for i in self.cloud.instances(POOL)}

    def states(self) -> dict[str, str]:
        """In which state of their life the instances of the group are."""
        return {i["InstanceId"]: i["LifecycleState"] for i in self.cloud.instances(POOL)}

    def protected(self) -> set[str]:
        """The instances of the group that are protected from scale-in."""
        return {i["InstanceId"] for i in self.cloud.instances(POOL) if i["ProtectedFromScaleIn"]}

    def hooks(self) -> dict[str, int]:
        """The lifecycle hooks of the group, with their timeouts."""
        found = self.cloud.groups.describe_lifecycle_hooks(AutoScalingGroupName=POOL)["LifecycleHooks"]
        return {h["LifecycleHookName"]: h["HeartbeatTimeout"] for h in found}

    def templates(self) -> list[str]:
        """The names of all launch templates."""
        found = self.cloud.ec2.describe_launch_templates()["LaunchTemplates"]
        return sorted(t["LaunchTemplateName"] for t in found)

    def version_by_image(self, versions: dict[str, str]) -> Callable[[str], str]:
        """The version of the kubelet on an instance, by what it was launched from; else v1.31.0."""

        def version(provider_id: str) -> str:
            image = self.cloud.image_of(provider_id.rpartition("/")[2])
            return versions.get(image, "v1.31.0")

        return version


@asynccontextmanager
async def region(
    running: Cloud, *, intervals: Intervals = FAST, make_calls: Callable[[Wire], Calls] | None = None
) -> AsyncIterator[Region]:
    """Moto with a network for the cluster `demo`, and an installation that runs on it.

    All calls are the process's own, whoever makes them, unless `make_calls` makes others.
    """
    facts = running.furnish("demo")
    made: Region | None = None
    wires: list[Wire] = []

    def add(manager: Manager, connections: Connections) -> None:
        wires.append(Wire(running.endpoint))
        calls = make_calls(wires[-1]) if make_calls is not None else _calls(wires[-1])
        setup.setup(manager, connections, rng=random.Random(4), calls=calls, intervals=intervals)
        if made is not None:
            made.wire = wires[-1]

    async with clouds.world(add, control_plane="demo-control-plane", crds=kinds.crds(), rules=kinds.rules()) as world:
        made = Region(running, world, world.joiner(running.running), facts)
        made.wire = wires[-1]
        yield made
        for wire in wires:
            wire.bury()


def _calls(wire: Wire) -> Calls:
    return Calls(rng=random.Random(4), make_client=wire.make_client, rate=1000)
