"""An AKS cluster that exists, under a whole installation: the ARM server, the real controllers, and nodes that join."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from capipool.api.builtin import Secret
from capipool.machinery import codec
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Raw
from capipool.providers.azure import ids, kinds
from capipool.providers.azure import setup as provider
from capipool.providers.azure.aks import setup as aks
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.calls import Caller, Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.testing import azure
from capipool.testing.azure import Power, Provisioning
from capipool.testing.azure.model.aks.cluster import AgentPool, ManagedCluster
from capipool.testing.azure.server import SUBSCRIPTION
from capipool.workload.connections import KUBECONFIG_KEY, Connections
from tests.server.azure.pools.lab import calls
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World

CLUSTER, GROUP = "prod", "Prod-Group"
"""Its name and resource group in Azure; the Cluster's is `demo`."""
NODES = "mc_prod-group_prod_eastus"
"""The resource group of its nodes, as nodes have it."""
POOL = "work"
FAST = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=400))
BUSY = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=50))
"""For tests that count looks."""
WRITE = "managedClusters/agentPools/write"
READ = "managedClusters/agentPools/read"

MANIFEST = """
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: AzureClusterIdentity
metadata: {name: demo}
spec:
  type: WorkloadIdentity
  clientID: 00000000-0000-0000-0000-00000000000a
  tenantID: 00000000-0000-0000-0000-00000000000b
  allowedNamespaces: {}
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {name: demo}
spec:
  infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AzureManagedCluster, name: demo}
  controlPlaneRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AzureManagedControlPlane, name: prod}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: AzureManagedCluster
metadata: {name: demo}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: AzureManagedControlPlane
metadata: {name: prod}
spec:
  location: eastus
  resourceGroupName: Prod-Group
  subscriptionID: SUBSCRIPTION
  version: v1.31.2
  identityRef: {kind: AzureClusterIdentity, name: demo}
"""

WORK = """
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachinePool
metadata: {name: NAME}
spec:
  clusterName: demo
  replicas: 2
  template:
    spec:
      clusterName: demo
      version: v1.30.6
      bootstrap: {dataSecretName: ""}
      infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AzureManagedMachinePool, name: NAME}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta1
kind: AzureManagedMachinePool
metadata: {name: NAME}
spec:
  mode: MODE
  sku: Standard_D4s_v3
"""


class AKS:
    """A whole installation over a subscription with one AKS cluster."""

    def __init__(self, arm: azure.Arm, world: World, made: Calls, group: str) -> None:
        self.arm = arm
        self.world = world
        self.calls = made
        self.group = group
        self.joiner: Joiner = world.joiner(self._running)
        self.joiner.version = self._version

    @property
    def cluster(self) -> ManagedCluster:
        """The cluster as Azure has it."""
        return self.arm.cluster(CLUSTER, self.group)

    def pool(self, name: str = POOL) -> AgentPool:
        """An agent pool as Azure has it."""
        return self.cluster.pools[name]

    def _pools(self) -> list[AgentPool]:
        """All agent pools. Only looks: it is called from a thread."""
        return [p for cluster in list(self.arm.state.clusters.values()) for p in list(cluster.pools.values())]

    def _running(self) -> Iterator[tuple[str, str]]:
        """(node name, provider ID) of what runs in pools that capipool has."""
        for pool in self._pools():
            if pool.scale_set is None:
                continue
            for machine in list(pool.scale_set.machines.values()):
                if machine.provisioning is Provisioning.SUCCEEDED and machine.power is Power.RUNNING:
                    yield machine.name.replace("_", "-"), ids.provider_id(pool.scale_set.machine_id(machine))

    def _version(self, provider_id: str) -> str:
        mine = next((p for p in self._pools() if p.scale_set and p.scale_set.name in provider_id), None)
        return f"v{mine.properties['orchestratorVersion']}" if mine is not None else "v1.30.6"

    async def load(self) -> AzureManagedControlPlane:
        """The cluster's objects, and wait until it is known."""
        await self.world.load(MANIFEST.replace("SUBSCRIPTION", self.arm.subscription))
        return await self.until_plane(lambda p: bool(p.status.ready))

    async def begin(self, *, spec: Raw | None = None) -> None:
        """A pool with two nodes, until it runs."""
        await self.load_pool(spec=spec)
        await self.runs(2)

    async def runs(self, count: int) -> None:
        """Wait until the pool is Running with so many ready nodes; the cluster's own pool has one beside them."""

        async def so() -> bool:
            pool = await self.world.pool(POOL)
            there = [n for n in await self.world.ready_nodes() if f"-{POOL}-" in n.metadata.name]
            return pool.status.phase == "Running" and len(pool.status.node_refs) == count == len(there)

        await self.world.until(so, seconds=20, why=lambda: self.world.described(POOL))

    async def load_pool(self, name: str = POOL, *, mode: str = "User", spec: Raw | None = None) -> None:
        """A pool's objects."""
        text = WORK.replace("NAME", name).replace("MODE", mode)
        text = text.replace("v1.30.6", "v1.31.2") if mode == "System" else text
        for key, value in (spec or {}).items():
            text += f"  {key}: {codec.encode_json(value).decode()}\n"
        await self.world.load(text)

    async def managed(self, name: str = POOL) -> AzureManagedMachinePool:
        return await self.world.client.get(AzureManagedMachinePool, name, NS)

    async def patch(self, spec: Raw, name: str = POOL) -> None:
        await self.world.patch(AzureManagedMachinePool, name, {"spec": spec})

    async def annotate(self, annotations: dict[str, str | None], name: str = POOL) -> None:
        await self.world.patch(AzureManagedMachinePool, name, {"metadata": {"annotations": annotations}})

    async def until(
        self, so: Callable[[AzureManagedMachinePool], bool], name: str = POOL, seconds: float = 20
    ) -> AzureManagedMachinePool:
        """Wait until something is so of an AzureManagedMachinePool, and return it."""

        async def is_so() -> bool:
            return so(await self.managed(name))

        await self.world.until(is_so, seconds=seconds, why=lambda: self.world.described(name))
        return await self.managed(name)

    async def until_plane(self, so: Callable[[AzureManagedControlPlane], bool]) -> AzureManagedControlPlane:
        """Wait until something is so of the AzureManagedControlPlane, and return it."""

        async def plane() -> AzureManagedControlPlane:
            return await self.world.client.get(AzureManagedControlPlane, CLUSTER, NS)

        async def is_so() -> bool:
            return so(await plane())

        await self.world.until(is_so, seconds=20, why=plane)
        return await plane()

    async def until_azure(self, so: Callable[[], bool], seconds: float = 20) -> None:
        """Wait until something is so in Azure."""

        async def is_so() -> bool:
            return so()

        await self.world.until(is_so, seconds=seconds, why=lambda: self.world.described(POOL))

    async def secret(self, name: str) -> Secret:
        return await self.world.client.get(Secret, name, NS)

    def writes(self) -> list[str]:
        """Which changes Azure was asked for, in their order."""
        return [str(r) for r in self.arm.log.mutating]


@asynccontextmanager
async def installed(
    *,
    intervals: Intervals = FAST,
    properties: Raw | None = None,
    made: Callable[[azure.Arm], Calls] = calls,
    clock: Clock | None = None,
    subscription: str = SUBSCRIPTION,
    group: str = GROUP,
    cluster: str = "demo",
    token_file: Path | None = None,
) -> AsyncIterator[AKS]:
    """The server with a cluster that has one pool of mode System, and an installation that runs on it.

    With a `token_file` the whole provider runs, as it is composed for users: its identities get tokens by themselves.
    """
    async with azure.serve(subscription=subscription, groups=(group,)) as arm:
        arm.timing.retry_after = 0
        through = made(arm)
        await bring_cluster(arm, through, properties or {}, group=group)

        def add(manager: Manager, connections: Connections) -> None:
            if token_file is not None:
                compose(arm, manager, connections, token_file, intervals)
                return
            identities = Identities(manager.client, manager.caches)
            aks.setup(manager, through, identities, intervals=intervals, cluster_intervals=intervals)

        try:
            async with clouds.world(add, cluster=cluster, crds=kinds.crds(), rules=kinds.rules(), clock=clock) as world:
                yield AKS(arm, world, through, group)
        finally:
            await through.close()


def compose(arm: azure.Arm, manager: Manager, connections: Connections, token_file: Path, intervals: Intervals) -> None:
    """The whole provider."""
    provider.setup(
        manager,
        connections,
        rng=random.Random(1),
        token_file=str(token_file),
        endpoint=arm.url,
        authority=arm.url,
        ca_file=str(arm.ca_file),
        intervals=intervals,
        machine_intervals=intervals,
    )


async def bring_cluster(arm: azure.Arm, through: Calls, properties: Raw, *, group: str) -> None:
    """An AKS cluster, as somebody made it."""
    system = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v3"}
    body = {
        "location": "eastus",
        "properties": {"kubernetesVersion": "1.31.2", "agentPoolProfiles": [system], **properties},
    }
    path = f"/subscriptions/{arm.subscription}/resourceGroups/{group}/providers/Microsoft.ContainerService"
    caller = Caller(arm.subscription)
    at = f"{path}/managedClusters/{CLUSTER}?api-version=2025-05-01"
    await through.request(caller, "PUT", at, body=body)
    while arm.cluster(CLUSTER, group).state != "Succeeded":
        await through.request(caller, "GET", at)
    arm.log.clear()


async def give_out_what_reaches(aks: AKS) -> None:
    """Have AKS give out the kubeconfig that the installation came with, which is taken away."""
    name = f"{aks.world.cluster}-kubeconfig"
    present = await aks.secret(name)
    aks.cluster.kubeconfig = present.data[KUBECONFIG_KEY]
    await aks.world.client.delete(Secret, name, NS)


def condition(obj: Any, type_: str) -> tuple[str, str]:
    """Status and reason of a condition."""
    return next(((c.status, c.reason) for c in obj.status.conditions if c.type == type_), ("", ""))
