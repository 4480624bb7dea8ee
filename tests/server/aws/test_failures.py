"""A failure at every call to AWS in turn: no second group, no lost rollout, no orphaned instance, and an end to it."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
from collections.abc import Callable

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import MachinePool
from capipool.machinery import errors, objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.sdk import Intervals
from tests.server.aws import cloud
from tests.server.aws.wire import Fault, is_write, soon
from tests.server.aws.world import Region, region, said
from tests.server.clouds.world import NS

AT_ONCE = Intervals(converging=dt.timedelta(milliseconds=20), rest=dt.timedelta(hours=1))
NATIVE: Raw = {"refreshPreferences": {}}
CLUSTER = """
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: demo}
spec:
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSCluster, name: demo}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSCluster
metadata: {name: demo}
spec: {region: us-east-1}
"""


class Life:
    """One pool from its making over a rollout to its end, whatever happens to the calls meanwhile."""

    def __init__(self, aws: Region, name: str, spec: Raw) -> None:
        self.aws = aws
        self.name = name
        self.spec = spec
        self.died = asyncio.Event()

    async def run(self, fault: Callable[[int, str], Fault | None]) -> list[tuple[int, str]]:
        """Live it. Returns the calls that something happened to."""
        wire = self.aws.wire
        wire.reset()
        wire.on_death = soon(self.died.set)
        wire.fault = fault
        await self._make()
        await self._until(self._is_new)
        first = self._instances()
        await self.aws.world.patch(AWSMachinePool, self.name, {"spec": {"awsLaunchTemplate": {"sshKeyName": "new"}}})
        await self._until(self._is_new)
        assert not self._instances() & first, "the rollout was lost"
        self._nothing_twice()
        await self.aws.world.client.delete(MachinePool, self.name, NS)
        await self._until(self._is_gone)
        assert self._templates() == []
        await self._until(self._nothing_runs)
        wire.fault = lambda number, action: None
        return wire.struck

    async def _make(self) -> None:
        reference = {"apiGroup": AWSMachinePool.RESOURCE.group, "kind": "AWSMachinePool", "name": self.name}
        template = {"clusterName": "demo", "bootstrap": {"dataSecretName": "boot"}, "infrastructureRef": reference}
        pool: Raw = {"clusterName": "demo", "replicas": 1, "template": {"spec": template}}
        launch = {"instanceType": "t3.large", "ami": {"id": self.aws.facts["image"]}, "sshKeyName": "old"}
        aws_pool = {"minSize": 0, "maxSize": 3, "availabilityZones": ["us-east-1a"], "awsLaunchTemplate": launch}
        await self._apply("cluster.x-k8s.io/v1beta2", "MachinePool", pool)
        await self._apply(AWSMachinePool.RESOURCE.api_version, "AWSMachinePool", {**aws_pool, **self.spec})

    async def _apply(self, api_version: str, kind: str, spec: Raw) -> None:
        meta = {"name": self.name, "namespace": NS}
        await self.aws.world.client.apply({"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec})

    async def _until(self, so: Callable[[], Callable[[], bool] | object]) -> None:
        """Wait, let a process that died be started again, and let nobody wait out a delay."""
        nudged = 0

        async def is_so() -> bool:
            nonlocal nudged
            if self.died.is_set():
                self.died.clear()
                self.aws.wire.bury()
                await self.aws.world.restart()
            if len(self.aws.wire.struck) > nudged:
                nudged = len(self.aws.wire.struck)
                await self._nudge(nudged)
            return bool(await so())  # type: ignore[misc]

        await self.aws.world.until(is_so, seconds=20, why=self._described)

    async def _nudge(self, number: int) -> None:
        mark = {"metadata": {"annotations": {"test/nudge": str(number)}}}
        try:
            await self.aws.world.patch(AWSMachinePool, self.name, mark)
        except errors.NotFound:
            return

    async def _is_new(self) -> bool:
        """Whether the pool runs, and all of it as its spec wants it."""
        pool = await self.aws.world.client.get(AWSMachinePool, self.name, NS)
        said_so = [said(pool.status.conditions, type_)[0] for type_ in ("Ready", "UpToDate")]
        version = self.aws.cloud.newest(self.name)
        there = self.aws.cloud.members(self.name)
        key = pool.spec.aws_launch_template.ssh_key_name
        return said_so == ["True", "True"] and version == key and [k for _, k in there] == [key]

    async def _is_gone(self) -> bool:
        try:
            await self.aws.world.client.get(AWSMachinePool, self.name, NS)
        except errors.NotFound:
            return self.aws.cloud.members(self.name) == []
        return False

    async def _nothing_runs(self) -> bool:
        return self.aws.cloud.running() == []

    def _instances(self) -> set[str]:
        return {id for id, _ in self.aws.cloud.members(self.name)}

    def _nothing_twice(self) -> None:
        """Everything that runs is in the one group, and there is the one template."""
        assert {id for id, _ in self.aws.cloud.running()} == self._instances()
        assert self._templates() == [self.name]
        assert list(self.aws.cloud.scaling.autoscaling_groups) == [self.name]

    def _templates(self) -> list[str]:
        return self.aws.cloud.template_names()

    async def _described(self) -> str:
        pool = await self.aws.world.client.get(AWSMachinePool, self.name, NS)
        return f"{objects.to_raw(pool)['status']}\nstruck {self.aws.wire.struck}\ncalls {self.aws.wire.calls}"


async def prepare(aws: Region) -> None:
    """A cluster and boot data, for many lives."""
    meta = ObjectMeta(name="boot", namespace=NS)
    await aws.world.client.create(objects.new(Secret, metadata=meta, data={"value": b"#cloud-config\n"}))
    await aws.world.load(CLUSTER)

    async def ready() -> bool:
        return bool((await aws.world.client.get(AWSCluster, "demo", NS)).status.ready)

    await aws.world.until(ready)


def at_write(wanted: int, fault: Fault) -> Callable[[int, str], Fault | None]:
    """The fault at the nth call that changes something."""
    writes = itertools.count(1)
    return lambda number, action: fault if is_write(action) and next(writes) == wanted else None


@pytest.mark.parametrize(
    ("fault", "spec"), [(Fault.LOST, {}), (Fault.DEATH, NATIVE)], ids=["lost-engine", "death-refresh"]
)
async def test_each_write_in_turn_may_be_the_last_that_was_heard_of(fault: Fault, spec: Raw) -> None:
    with cloud.running() as running:
        async with region(running, intervals=AT_ONCE) as aws:
            await prepare(aws)
            number = 1
            while await Life(aws, f"pool-{number}", spec).run(at_write(number, fault)):
                number += 1
            assert number > 6


@pytest.mark.parametrize("fault", list(Fault)[:4], ids=lambda f: f.name.lower())
@pytest.mark.parametrize("spec", [{}, NATIVE], ids=["engine", "refresh"])
async def test_each_kind_of_call_may_fail_at_first(fault: Fault, spec: Raw) -> None:
    met: set[str] = set()

    def once(number: int, action: str) -> Fault | None:
        if action in met:
            return None
        met.add(action)
        return fault

    with cloud.running() as running:
        async with region(running, intervals=AT_ONCE) as aws:
            await prepare(aws)
            assert len(await Life(aws, "pool", spec).run(once)) > 8
