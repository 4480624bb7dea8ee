"""A provider that is no part of capipool: its kind and its controller come from outside, over HTTPS alone.

The whole installation runs, as `capipool up` runs it. What is done to it here needs nothing but a kubeconfig.
"""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.client import credentials, kubeconfig
from capipool.client.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from tests.server.core_world import DEFINITIONS, definition

GROUPS = Resource("clouds.example.net", "v1alpha1", "GreenGroup", "greengroups")
CORE = {
    "pools": Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools"),
    "nodes": Resource("", "v1", "Node", "nodes", namespaced=False),
}
PATIENCE_SECONDS = 20.0


class GreenCloud:
    """The foreign provider's controller: follows its pools by polling, makes Nodes, and obeys deletion."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def run(self) -> None:
        """Reconcile until cancelled."""
        while True:
            for group in await self.client.list(GROUPS, "default"):
                try:
                    await (self.remove(group) if group.deleting else self.reconcile(group))
                except (errors.Conflict, errors.NotFound):
                    continue
            await asyncio.sleep(0.02)

    async def reconcile(self, group: Unstructured) -> None:
        """Have as many instances as the MachinePool that owns the group wants."""
        owner = next((o for o in group.metadata.owner_references if o.kind == "MachinePool"), None)
        if owner is None:
            return
        pool = await self.client.get(CORE["pools"], owner.name, "default")
        names = [f"{group.metadata.name}-{i}" for i in range(pool.spec["replicas"])]
        ids = [f"green://{name}" for name in names]
        if group.spec.get("providerIDList") == ids and group.status.get("replicas") == len(ids):
            return
        for name in names:
            await self.boot(name)
        name = group.metadata.name
        patch = {"spec": {"providerIDList": ids}, "metadata": {"finalizers": ["clouds.example.net/group"]}}
        await self.client.patch(GROUPS, name, "default", patch=patch)
        status = {"ready": True, "initialization": {"provisioned": True}, "replicas": len(ids)}
        await self.client.patch(GROUPS, name, "default", patch={"status": status}, subresource="status")

    async def boot(self, name: str) -> None:
        """An instance boots and joins."""
        raw = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"providerID": f"green://{name}"},
        }
        try:
            await self.client.create(objects.from_raw(Unstructured, raw), resource=CORE["nodes"])
        except errors.AlreadyExists:
            return
        told = [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}]
        status = {"conditions": told, "nodeInfo": {"kubeletVersion": "v1.34.0"}}
        await self.client.patch(CORE["nodes"], name, patch={"status": status}, subresource="status")

    async def remove(self, group: Unstructured) -> None:
        """All instances are gone at once; their Nodes are somebody else's concern."""
        await self.client.patch(GROUPS, group.metadata.name, "default", patch={"metadata": {"finalizers": None}})


@pytest.fixture
async def outside(tmp_path: Path) -> AsyncIterator[Client]:
    """A client that has nothing but the kubeconfig of a running installation."""
    async with Embedded(Settings(data_dir=tmp_path)) as installation:
        config = kubeconfig.parse(installation.data_dir.kubeconfig.read_bytes())
        client = Client(credentials.connect(config, clock=SystemClock()).transport)
        try:
            await _bring_a_cluster(client, installation.data_dir.kubeconfig.read_bytes())
            yield client
        finally:
            await client.close()


async def _bring_a_cluster(client: Client, config: bytes) -> None:
    """A Cluster whose workload API server is this very server: bring your own cluster."""
    value = base64.b64encode(config).decode()
    meta = {"name": "green-kubeconfig", "namespace": "default", "labels": {"cluster.x-k8s.io/cluster-name": "green"}}
    await _create(client, "v1", "Secret", meta, data={"value": value})
    spec = {"controlPlaneEndpoint": {"host": "127.0.0.1", "port": 6443}}
    await _create(client, "cluster.x-k8s.io/v1beta2", "Cluster", {"name": "green", "namespace": "default"}, spec=spec)


async def _create(client: Client, api_version: str, kind: str, metadata: dict[str, Any], **rest: Any) -> None:
    raw = {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}
    await client.create(objects.from_raw(Unstructured, raw))


async def _create_pool(client: Client, replicas: int) -> None:
    reference = {"apiGroup": GROUPS.group, "kind": GROUPS.kind, "name": "g"}
    template = {
        "clusterName": "green",
        "version": "v1.34.0",
        "bootstrap": {"dataSecretName": "boot"},
        "infrastructureRef": reference,
    }
    spec = {"clusterName": "green", "replicas": replicas, "template": {"spec": template}}
    meta = {"name": "g", "namespace": "default"}
    await _create(client, "cluster.x-k8s.io/v1beta2", "MachinePool", meta, spec=spec)


async def _until(client: Client, phase: str, nodes: int) -> Unstructured:
    """Wait until the pool has this phase and so many ready nodes."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            pool = await client.get(CORE["pools"], "g", "default")
            if pool.status.get("phase") == phase and len(pool.status.get("nodeRefs", ())) == nodes:
                return pool
            await asyncio.sleep(0.02)


async def _until_gone(client: Client) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            if not await client.list(CORE["pools"], "default"):
                return
            await asyncio.sleep(0.02)


async def test_a_pool_of_a_provider_from_outside_runs_scales_and_goes(outside: Client) -> None:
    raw = definition(GROUPS)
    await outside.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
    cloud = asyncio.create_task(GreenCloud(outside).run())
    try:
        await _create(outside, GROUPS.api_version, GROUPS.kind, {"name": "g", "namespace": "default"}, spec={})
        await _create_pool(outside, 3)
        pool = await _until(outside, "Running", 3)
        assert pool.status["readyReplicas"] == pool.status["availableReplicas"] == 3
        await outside.update_scale(CORE["pools"], "g", "default", replicas=1)
        await _until(outside, "Running", 1)
        assert [n.metadata.name for n in await outside.list(CORE["nodes"])] == ["g-0"]
        await outside.delete(CORE["pools"], "g", "default")
        await _until_gone(outside)
        assert await outside.list(CORE["nodes"]) == []
        assert await outside.list(GROUPS, "default") == []
    finally:
        cloud.cancel()
        await asyncio.gather(cloud, return_exceptions=True)
