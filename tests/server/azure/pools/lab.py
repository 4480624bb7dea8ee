"""The pool provider of Azure against the Resource Manager on loopback, without a reconciler: a lab for tests."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator
from typing import Any

import msgspec

from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.azure import kinds
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller, Calls, Cloud
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.pools.finding import PLACE
from capipool.providers.azure.pools.place import scale_set_name
from capipool.providers.azure.pools.provider import AzurePoolProvider
from capipool.runtime import Manager
from capipool.sdk import Group, Intervals, Pool
from capipool.testing import azure
from capipool.testing.conformance import Lab

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
NAMES = ("conformance", "first", "second")
_COMPUTE = "/subscriptions/{}/resourceGroups/rg/providers/Microsoft.Compute/virtualMachineScaleSets"
IMAGE = {"marketplace": {"publisher": "p", "offer": "o", "sku": "s", "version": "1.2.3"}}


class Skipping(SystemClock):
    """The time of day, and as much more as a test wants."""

    ahead = dt.timedelta()

    def now(self) -> dt.datetime:
        return super().now() + self.ahead


class Impatient(AzurePoolProvider):
    """Looks more often than one would at Azure."""

    intervals = Intervals(converging=dt.timedelta(seconds=0.05), rest=dt.timedelta(seconds=1))


class AzureLab(Lab):
    """A subscription, and pools in it."""

    def __init__(self, arm: azure.Arm, manager: Manager, client: Client, clock: Skipping) -> None:
        self.arm = arm
        self.clock = clock
        self.manager = manager
        self.client = client
        self.made: dict[str, AzureMachinePool] = {}
        self.calls = calls(arm)
        self.provider = self.fresh()

    def fresh(self) -> AzurePoolProvider:
        """A provider as a new process would have it."""
        identities = Identities(self.client, self.manager.caches, subscription=self.arm.subscription)
        return Impatient(self.manager, self.calls, identities)

    def make_object(self, name: str) -> Any:
        return self.made[name]

    def pool(self, name: str = "conformance", **wanted: Any) -> Pool[Any]:
        """A pool of a cluster in Azure."""
        made = super().pool(name, **wanted)
        reference = msgspec.structs.replace(
            made.cluster.spec.infrastructure_ref,
            api_group=AzureCluster.RESOURCE.group,
            kind=AzureCluster.RESOURCE.kind,
        )
        spec = msgspec.structs.replace(made.cluster.spec, infrastructure_ref=reference)
        return Pool(made.object, made.machine_pool, msgspec.structs.replace(made.cluster, spec=spec))

    async def read(self, name: str) -> AzureMachinePool:
        """The object as it is now, as a process that starts would see it."""
        found = self.made[name] = await self.client.get(AzureMachinePool, name, "default")
        return found

    async def until(self, pool: Any, wanted: Any) -> Group:
        """Also until no operation is under way: the engine asks nothing before."""
        return await super().until(pool, lambda g: not g.operation and wanted(g))


def calls(arm: azure.Arm) -> Calls:
    """Calls to the server on loopback, with its own credential."""

    async def credential(caller: Caller, cloud: Cloud) -> Any:
        return arm.credential()

    return Calls(credentials=credential, endpoint=arm.url, ca_file=str(arm.ca_file), rate=1000)


@contextlib.asynccontextmanager
async def running(*, spec: Raw | None = None, **options: Any) -> AsyncIterator[AzureLab]:
    """A lab for as long as the block runs. `spec`: what its pools have beyond the least."""
    async with azure.serve(**options) as arm:
        server = Server(journal=MemoryJournal(), clock=SystemClock(), rng=random.Random(1))
        await server.start()
        client = Client(InProcessTransport(server, "", ADMIN))
        for raw in kinds.crds():
            await client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
        clock = Skipping()
        manager = Manager(client, clock=clock, rng=random.Random(2))
        lab = AzureLab(arm, manager, client, clock)
        arm.timing.retry_after = 0
        await client.create(objects.from_raw(AzureCluster, cluster(arm)))
        for name in NAMES:
            raw = machine_pool(name, spec)
            called = scale_set_name(objects.from_raw(AzureMachinePool, raw))
            raw["metadata"]["annotations"] = {PLACE: f"{_COMPUTE.format(arm.subscription)}/{called}"}
            lab.made[name] = await client.create(objects.from_raw(AzureMachinePool, raw))
        task = asyncio.create_task(manager.run())
        await manager.started.wait()
        await manager.caches.of(AzureCluster).synced()
        try:
            yield lab
        finally:
            await manager.stop()
            await task
            await lab.calls.close()
            await server.stop()


def cluster(arm: azure.Arm, name: str = "conformance") -> Raw:
    """An AzureCluster with a subnet for nodes."""
    subnets = [{"name": "control", "role": "control-plane"}, {"name": "nodes", "role": "node"}]
    return {
        "apiVersion": AzureCluster.RESOURCE.api_version,
        "kind": "AzureCluster",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "location": "eastus",
            "resourceGroup": "rg",
            "subscriptionID": arm.subscription,
            "networkSpec": {"vnet": {"name": "net"}, "subnets": subnets},
        },
    }


def machine_pool(name: str, spec: Raw | None = None) -> Raw:
    """An AzureMachinePool with what it needs, and what is given."""
    given = spec or {}
    template = {
        "vmSize": "Standard_D2s_v3",
        "osDisk": {"osType": "Linux", "diskSizeGB": 30},
        "image": IMAGE,
        **(given.get("template") or {}),
    }
    rest = {key: value for key, value in given.items() if key != "template"}
    return {
        "apiVersion": AzureMachinePool.RESOURCE.api_version,
        "kind": "AzureMachinePool",
        "metadata": {
            "name": name,
            "namespace": "default",
            "labels": {"cluster.x-k8s.io/cluster-name": "conformance"},
        },
        "spec": {"location": "eastus", "template": template, **rest},
    }
