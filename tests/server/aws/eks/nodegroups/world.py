"""A whole installation with an EKS cluster, for node groups: upstream's manifest, and hands on what moto has."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from moto.backends import get_backend

from capipool.api.core import MachinePool
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig
from capipool.sdk import Intervals
from tests.server.aws import cloud
from tests.server.aws.cloud import ACCOUNT, REGION
from tests.server.aws.eks.nodegroups import gaps
from tests.server.aws.eks.world import EKS, condition, installed
from tests.server.clouds.world import NS
from tests.shared import shared

CLUSTER = "default_demo-control-plane"
"""Upstream's name for the cluster of its manifest."""
POOL = "demo-pool-0"
GROUP = "default_demo-pool-0"
CLUSTERS = Intervals(converging=dt.timedelta(milliseconds=100), rest=dt.timedelta(seconds=2))
INTERVALS = Intervals(converging=dt.timedelta(milliseconds=100), rest=dt.timedelta(milliseconds=150))
READS = ("describe_", "get_", "list_", "use ")
AfterCall = Callable[[str], Any]


class NodeGroups:
    """The installation, and the node groups of its cluster."""

    def __init__(self, eks: EKS) -> None:
        self.eks = eks
        self.world = eks.world
        self.calls = eks.calls

    async def begin(self, *edits: tuple[str, str]) -> None:
        """Somebody has a cluster, and applies upstream's manifest."""
        self.make_cluster()
        await self.world.load(manifest(), edits=edits)

    async def end(self) -> None:
        """Somebody deletes the MachinePool; wait until all of it is gone."""
        with contextlib.suppress(errors.NotFound):
            await self.world.client.delete(MachinePool, POOL, NS)
        await self.gone()

    async def gone(self) -> None:
        """Wait until no object of the pool is there."""

        async def is_so() -> bool:
            client = self.world.client
            kinds = (AWSManagedMachinePool, MachinePool, NodeadmConfig)
            return not [obj for kind in kinds for obj in await client.list(kind, NS)]

        await self.world.until(is_so, seconds=30)

    async def clear(self) -> None:
        """Make the next test begin as this one did."""
        vars(self.calls).pop("call", None)
        self.calls.fail = lambda operation: None
        self.backend.creation_fails = []
        await self.end()
        for cluster in self.backend.clusters.values():
            cluster.nodegroups.clear()
        scaling = self.eks.cloud.scaling
        for name in list(scaling.autoscaling_groups):
            scaling.delete_auto_scaling_group(name)

    def make_cluster(self) -> None:
        """The EKS cluster is there."""
        if CLUSTER not in self.backend.clusters:
            self.eks.make_cluster(CLUSTER)

    @property
    def backend(self) -> Any:
        """Moto's own state of EKS."""
        return get_backend("eks")[ACCOUNT][REGION]

    @property
    def groups(self) -> dict[str, Any]:
        """The node groups as moto keeps them."""
        found: dict[str, Any] = self.backend.clusters[CLUSTER].nodegroups
        return found

    @property
    def group(self) -> Any:
        return self.groups[GROUP]

    @property
    def roles(self) -> dict[str, Any]:
        """The roles in IAM by name."""
        return {role.name: role for role in get_backend("iam")[ACCOUNT]["aws"].roles.values()}

    @property
    def instances(self) -> list[str]:
        """What runs."""
        return [name for name, _ in self.eks.cloud.running()]

    async def pool(self) -> AWSManagedMachinePool:
        return await self.world.client.get(AWSManagedMachinePool, POOL, NS)

    async def change(self, spec: Raw) -> None:
        """Somebody changes the pool's spec."""
        await self.world.patch(AWSManagedMachinePool, POOL, {"spec": spec})

    async def until(self, so: Callable[[], Any], seconds: float = 20) -> None:
        """Wait until something is so of what moto has."""

        async def is_so() -> bool:
            return bool(so())

        await self.world.until(is_so, seconds=seconds, why=lambda: self.world.described(POOL))

    async def until_says(self, type_: str, reason: str, words: str = "") -> AWSManagedMachinePool:
        """Wait until a condition is False for a reason (empty: until it is True), and return the pool."""

        async def is_so() -> bool:
            status, why, said = condition(await self.pool(), type_)
            return (status == "False" and why == reason and words in said) if reason else status == "True"

        await self.world.until(is_so, seconds=20, why=lambda: self.world.described(POOL))
        return await self.pool()

    async def quiet(self, looks: int = 4) -> list[str]:
        """Wait until nothing was changed for so many looks; return the calls of that time."""
        made = self.calls.made
        start = len(made)

        async def is_so() -> bool:
            nonlocal start
            changing = [i for i, call in enumerate(made) if i >= start and not call.startswith(READS)]
            if changing:
                start = changing[-1] + 1
            return made[start:].count("describe_nodegroup") >= looks

        await self.world.until(is_so, seconds=20, why=lambda: self.world.described(POOL))
        return made[start:]

    def after(self, operation: str, what: AfterCall) -> None:
        """Have something happen once after a call was done and before its answer is seen."""
        call, pending = self.calls.call, [operation]

        async def called(region: str, service: str, name: str, /, **parameters: Any) -> Raw:
            answer = await call(region, service, name, **parameters)
            if name in pending:
                pending.remove(name)
                await what(name)
            return answer

        self.calls.call = called  # type: ignore[method-assign, assignment]


def manifest() -> str:
    """Upstream's."""
    return shared("upstream/manifests/aws-eks-managedmachinepool.yaml").read_text()


@asynccontextmanager
async def running() -> AsyncIterator[NodeGroups]:
    """An installation over moto, without the EKS cluster, and without any object of it yet."""
    with contextlib.ExitStack() as stack:
        gaps.close(stack)
        made = stack.enter_context(cloud.running())
        async with installed(made, intervals=CLUSTERS, node_groups=INTERVALS) as eks:
            yield NodeGroups(eks)
