"""The provider of the development cloud keeps the contract."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import objects
from capipool.machinery.calls import ADMIN
from capipool.machinery.clock import SystemClock
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.dev import kinds
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.providers.dev.cloud import Cloud
from capipool.providers.dev.provider import DevPoolProvider
from capipool.runtime import Manager
from capipool.testing.conformance import Lab, MachinesConformance, ProviderConformance

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)


class DevLab(Lab):
    def __init__(self, manager: Manager, made: dict[str, DevMachinePool]) -> None:
        self.provider = DevPoolProvider(manager)
        self._made = made

    def make_object(self, name: str) -> Any:
        return self._made[name]


@contextlib.asynccontextmanager
async def _lab(**backend: Any) -> AsyncIterator[DevLab]:
    server = Server(journal=MemoryJournal(), clock=SystemClock(), rng=random.Random(1))
    await server.start()
    client = Client(InProcessTransport(server, "", ADMIN))
    for raw in kinds.crds():
        await client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
    manager = Manager(client, clock=SystemClock(), rng=random.Random(2))
    cloud = Cloud(manager)
    cloud.add_to(manager.controller("cloud", cloud))
    lab = DevLab(manager, {name: await _make(client, name, backend) for name in ("conformance", "first", "second")})
    running = asyncio.create_task(manager.run())
    await manager.started.wait()
    yield lab
    await manager.stop()
    await running
    await server.stop()


class TestDev(ProviderConformance):
    @pytest.fixture
    async def lab(self) -> AsyncIterator[DevLab]:
        async with _lab() as lab:
            yield lab


class TestDevMachines(MachinesConformance):
    @pytest.fixture
    async def lab(self) -> AsyncIterator[DevLab]:
        boot = {"vm": {"provisioning": {"startupDuration": "20ms", "startupJitter": "0.5"}}}
        async with _lab(machines=True, **boot) as lab:
            yield lab


async def _make(client: Client, name: str, backend: Raw) -> DevMachinePool:
    raw = {
        "apiVersion": DevMachinePool.RESOURCE.api_version,
        "kind": "DevMachinePool",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"backend": {"inMemory": {"zones": [{"name": "a"}, {"name": "b"}], **backend}}},
    }
    return await client.create(objects.from_raw(DevMachinePool, raw))
