"""A laboratory for the provider of AWS: moto over HTTP, and the objects that a pool of it needs."""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.aws import kinds
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.provider import AWSPoolProvider
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.testing.conformance import Lab
from tests.server.aws import cloud

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)


class Impatient(AWSPoolProvider):
    """Looks more often than one would at AWS."""

    intervals = Intervals(converging=dt.timedelta(seconds=0.1), rest=dt.timedelta(seconds=1))


class AWSLab(Lab):
    """What the suites act on."""

    def __init__(
        self, provider: AWSPoolProvider, calls: Calls, running: cloud.Cloud, made: dict[str, AWSMachinePool]
    ) -> None:
        self.provider = provider
        self.cloud = running
        self.calls = calls
        self._made = made

    def make_object(self, name: str) -> Any:
        return self._made[name]

    def protected(self) -> set[str]:
        """The instances of the group that are protected from scale-in."""
        return {i["InstanceId"] for i in self.cloud.instances("conformance") if i["ProtectedFromScaleIn"]}


@asynccontextmanager
async def laboratory() -> AsyncIterator[AWSLab]:
    """A laboratory with three objects of pools that nothing was made of yet."""
    with cloud.running() as running:
        facts = running.furnish("conformance")
        server = Server(journal=MemoryJournal(), clock=SystemClock(), rng=random.Random(1))
        await server.start()
        client = Client(InProcessTransport(server, "", ADMIN))
        for raw in kinds.crds():
            await client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
        manager = Manager(client, clock=SystemClock(), rng=random.Random(2))
        calls = Calls(rng=random.Random(3), endpoint=running.endpoint, rate=1000)
        provider = Impatient(manager, calls)
        await _make_cluster(client, facts)
        made = {name: await _make(client, name, facts) for name in ("conformance", "first", "second")}
        task = asyncio.create_task(manager.run())
        await manager.started.wait()
        await manager.caches.of(AWSCluster).synced()
        yield AWSLab(provider, calls, running, made)
        await manager.stop()
        await task
        await calls.close()
        await server.stop()


async def _make_cluster(client: Client, facts: dict[str, str]) -> None:
    network = {"subnets": [{"id": facts["subnet"], "availabilityZone": "us-east-1a"}]}
    raw = {
        "apiVersion": AWSCluster.RESOURCE.api_version,
        "kind": "AWSCluster",
        "metadata": {"name": "conformance", "namespace": "default"},
        "spec": {"region": cloud.REGION, "network": network},
    }
    await client.create(objects.from_raw(AWSCluster, raw))


async def _make(client: Client, name: str, facts: dict[str, str]) -> AWSMachinePool:
    template = {"instanceType": "t3.large", "ami": {"id": facts["image"]}}
    raw = {
        "apiVersion": AWSMachinePool.RESOURCE.api_version,
        "kind": "AWSMachinePool",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"cluster.x-k8s.io/cluster-name": "conformance"},
            "annotations": {"capipool.io/aws-region": cloud.REGION},
        },
        "spec": {"minSize": 0, "maxSize": 10, "awsLaunchTemplate": template},
    }
    return await client.create(objects.from_raw(AWSMachinePool, raw))
