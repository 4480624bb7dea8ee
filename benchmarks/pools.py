"""A thousand pools on the development cloud: how long until all are Running, and what they cost at rest."""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks._process import cpu_seconds, resident_mib
from capipool.cli import follow
from capipool.cli.follow import Followed
from capipool.client import credentials
from capipool.client.client import Client
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import ObjectMeta, Raw, Unstructured
from capipool.machinery.resource import Resource
from tests.e2e import process
from tests.e2e.process import Up

POOLS, REPLICAS, CLIENTS = 1_000, 3, 32
IDLE_SECONDS = 60.0

CLUSTER = Resource("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters")
POOL = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")
CONFIG = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs")
DEV_CLUSTER = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "DevCluster", "devclusters")
DEV_POOL = Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "DevMachinePool", "devmachinepools")


def run() -> dict[str, Any]:
    """Create them over HTTPS, wait, then watch an idle minute."""
    with tempfile.TemporaryDirectory(prefix="capipool-bench-") as directory:
        up = process.start(Path(directory) / "data")
        try:
            return asyncio.run(_measure(up))
        finally:
            up.terminate()


async def _measure(up: Up) -> dict[str, Any]:
    client = credentials.connect(credentials.load(up.kubeconfig), clock=SystemClock())
    pid = up.process.pid
    figures: dict[str, Any] = {"pools": POOLS, "replicas": REPLICAS}
    async with Followed(client, POOL) as pools:
        await _create(client, CLUSTER, "bench", {"infrastructureRef": _ref(DEV_CLUSTER, "bench")})
        await _create(client, DEV_CLUSTER, "bench", {"backend": {"inMemory": {}}})
        began, cpu = time.monotonic(), cpu_seconds(pid)
        room = asyncio.Semaphore(CLIENTS)
        await asyncio.gather(*(_pool(client, f"pool-{n}", room) for n in range(POOLS)))
        figures["created_s"] = round(time.monotonic() - began, 1)
        await asyncio.wait_for(follow.until(lambda: _running(pools) == POOLS, pools), 600)
        figures["running_s"] = round(time.monotonic() - began, 1)
        figures["running_cpu_s"] = round(cpu_seconds(pid) - cpu, 1)
    await client.close()
    await asyncio.sleep(10)  # let what follows the last change settle before idleness is measured
    cpu = cpu_seconds(pid)
    await asyncio.sleep(IDLE_SECONDS)
    figures["idle_cpu_percent"] = round((cpu_seconds(pid) - cpu) / IDLE_SECONDS * 100, 2)
    figures["resident_mib"] = resident_mib(pid)
    return figures


async def _pool(client: Client, name: str, room: asyncio.Semaphore) -> None:
    async with room:
        await _create(client, CONFIG, name, {"format": "cloud-config"})
        await _create(client, DEV_POOL, name, {"backend": {"inMemory": {}}})
        template = {
            "clusterName": "bench",
            "version": "v1.34.0",
            "bootstrap": {"configRef": _ref(CONFIG, name)},
            "infrastructureRef": _ref(DEV_POOL, name),
        }
        await _create(
            client, POOL, name, {"clusterName": "bench", "replicas": REPLICAS, "template": {"spec": template}}
        )


def _ref(resource: Resource, name: str) -> Raw:
    return {"apiGroup": resource.group, "kind": resource.kind, "name": name}


async def _create(client: Client, resource: Resource, name: str, spec: Raw) -> None:
    obj = Unstructured(
        api_version=resource.api_version,
        kind=resource.kind,
        metadata=ObjectMeta(name=name, namespace="default"),
        spec=spec,
    )
    await client.create(obj, resource=resource)


def _running(pools: Followed) -> int:
    return sum(p.get("status", {}).get("phase") == "Running" for p in pools.objects.values())
