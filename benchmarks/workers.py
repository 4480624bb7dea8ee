"""The same workers by a MachinePool and by a MachineDeployment: objects, changes stored, CPU seconds and time.

Both run on the development cloud, whose machines boot at once, in one process without disk or HTTP: what is compared is
the controllers' work. `WORKERS` names the numbers of replicas, `100 1000` unless it is set.
"""

from __future__ import annotations

import asyncio
import gc
import os
import time
from collections.abc import Awaitable, Callable
from typing import Any

from capipool.api.builtin import Node
from capipool.api.core import MachineDeployment, MachinePool
from capipool.app.embedded import Embedded
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.testing.embedded import embedded

SIZES = [int(size) for size in os.environ.get("WORKERS", "100 1000").split()]
LIMIT_SECONDS = 900.0
SURGE = "25%"

_KINDS = (
    Resource("cluster.x-k8s.io", "v1beta2", "MachineSet", "machinesets"),
    Resource("cluster.x-k8s.io", "v1beta2", "Machine", "machines"),
    Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs"),
    Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "DevMachine", "devmachines"),
    Resource("infrastructure.cluster.x-k8s.io", "v1beta2", "DevMachinePool", "devmachinepools"),
    Resource("", "v1", "Secret", "secrets"),
)
"""What Cluster API keeps in the management cluster for workers; the cloud's own state is no part of it."""

Kind = type[MachinePool] | type[MachineDeployment]


def run() -> dict[str, Any]:
    """Create, scale by one and roll each size by each."""
    figures: dict[str, Any] = {}
    for size in SIZES:
        for kind in (MachinePool, MachineDeployment):
            gc.collect()
            figures[f"{kind.__name__} {size}"] = asyncio.run(_measure(kind, size))
    return figures


async def _measure(kind: Kind, size: int) -> dict[str, Any]:
    async with embedded(seed=1) as running:
        for raw in _cluster():
            await running.client.apply(raw)
        await asyncio.sleep(1)
        before = await _objects(running)

        async def create() -> None:
            for raw in _pool(size) if kind is MachinePool else _deployment(size):
                await running.client.apply(raw)

        figures: dict[str, Any] = {"created": await _timed(running, kind, create, size, "v1.34.0")}
        figures["objects"] = await _objects(running) - before
        scale = {"spec": {"replicas": size + 1}}
        figures["scaled by one"] = await _timed(running, kind, _patch(running, kind, scale), size + 1, "v1.34.0")
        roll = {"spec": {"template": {"spec": {"version": "v1.35.0"}}}}
        figures["rolled"] = await _timed(running, kind, _patch(running, kind, roll), size + 1, "v1.35.0")
        return figures


def _patch(running: Embedded, kind: Kind, patch: Raw) -> Callable[[], Awaitable[object]]:
    return lambda: running.client.patch(kind, "workers", "default", patch=patch)


async def _timed(
    running: Embedded, kind: Kind, act: Callable[[], Awaitable[object]], replicas: int, version: str
) -> dict[str, Any]:
    """Do something, wait until it is done, and say what it took."""
    changes, cpu, began = await _changes(running), time.process_time(), time.monotonic()
    cache, done = running.caches.of(kind), asyncio.Event()
    await act()
    stop = cache.subscribe(lambda _, obj: done.set() if _is_done(obj, replicas, version) else None)
    async with asyncio.timeout(LIMIT_SECONDS):
        await done.wait()
    stop()
    return {
        "seconds": round(time.monotonic() - began, 1),
        "cpu_seconds": round(time.process_time() - cpu, 1),
        "changes": await _changes(running) - changes,
    }


def _is_done(obj: MachinePool | MachineDeployment | None, replicas: int, version: str) -> bool:
    if obj is None or obj.status.phase != "Running":
        return False
    status = obj.status
    counted = (status.replicas, status.ready_replicas, status.available_replicas, status.up_to_date_replicas)
    told = {v.version for v in status.versions}
    return counted == (replicas,) * 4 and told == {version}


async def _changes(running: Embedded) -> int:
    """How many changes the management cluster has stored so far."""
    async for page in running.client.pages(Node.RESOURCE, size=1):
        return int(page.metadata.resource_version)
    return 0


async def _objects(running: Embedded) -> int:
    return sum([len(await running.client.list(kind)) for kind in _KINDS])


def _cluster() -> list[Raw]:
    dev = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "DevCluster", "name": "bench"}
    return [
        _object("cluster.x-k8s.io/v1beta2", "Cluster", "bench", {"infrastructureRef": dev}),
        _object("infrastructure.cluster.x-k8s.io/v1beta2", "DevCluster", "bench", {"backend": {"inMemory": {}}}),
    ]


def _pool(replicas: int) -> list[Raw]:
    backend = {"inMemory": {"rollout": {"maxSurge": SURGE, "maxUnavailable": 0, "canary": False}}}
    template = _template("KubeadmConfig", "DevMachinePool")
    spec = {"clusterName": "bench", "replicas": replicas, "template": {"spec": template}}
    return [
        _object("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfig", "workers", {"format": "cloud-config"}),
        _object("infrastructure.cluster.x-k8s.io/v1beta2", "DevMachinePool", "workers", {"backend": backend}),
        _object("cluster.x-k8s.io/v1beta2", "MachinePool", "workers", spec),
    ]


def _deployment(replicas: int) -> list[Raw]:
    rolling = {"maxSurge": SURGE, "maxUnavailable": 0}
    spec = {
        "clusterName": "bench",
        "replicas": replicas,
        "selector": {},
        "rollout": {"strategy": {"type": "RollingUpdate", "rollingUpdate": rolling}},
        "template": {"spec": _template("KubeadmConfigTemplate", "DevMachineTemplate")},
    }
    config = {"template": {"spec": {"format": "cloud-config"}}}
    machine = {"template": {"spec": {"backend": {"inMemory": {}}}}}
    return [
        _object("bootstrap.cluster.x-k8s.io/v1beta2", "KubeadmConfigTemplate", "workers", config),
        _object("infrastructure.cluster.x-k8s.io/v1beta2", "DevMachineTemplate", "workers", machine),
        _object("cluster.x-k8s.io/v1beta2", "MachineDeployment", "workers", spec),
    ]


def _template(bootstrap: str, infrastructure: str) -> Raw:
    return {
        "clusterName": "bench",
        "version": "v1.34.0",
        "bootstrap": {"configRef": {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": bootstrap, "name": "workers"}},
        "infrastructureRef": {
            "apiGroup": "infrastructure.cluster.x-k8s.io",
            "kind": infrastructure,
            "name": "workers",
        },
    }


def _object(api_version: str, kind: str, name: str, spec: Raw) -> Raw:
    meta = {"name": name, "namespace": "default"}
    return {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
