"""A world in which machines come and go: a foreign provider of single machines is played by the test.

Its machines are provisioned the moment they are made, and their nodes join; `slow` and `broken` make it otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from capipool.api.builtin import Node
from capipool.api.core import Machine, MachineDeployment, MachineHealthCheck, MachineSet
from capipool.machinery import errors, objects
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.testing import virtual
from tests.server import core_world
from tests.server.core_world import DEFINITIONS, MACHINES, definition

TEMPLATES = Resource("acme.example.org", "v3", "AcmeMachineTemplate", "acmemachinetemplates")
FINALIZER = "acme.example.org/machine"
API = "cluster.x-k8s.io/v1beta2"


class World(core_world.World):
    """A world with a provider of machines."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()
        """Versions whose machines never become nodes."""
        self.most_machines = 0
        self.least_ready = 10**9
        self.watching = False
        """Whether the extremes are noted."""

    async def install(self) -> None:
        await super().install()
        raw = objects.from_raw(Unstructured, definition(TEMPLATES))
        await self.client.create(raw, resource=DEFINITIONS)

    # --- the provider

    async def provider(self) -> None:
        """The foreign provider's controller: looks at all its machines, again and again."""
        while True:
            for obj in await self.client.list(MACHINES, "default"):
                with contextlib.suppress(errors.Conflict, errors.NotFound):
                    await self._provide(obj)
            if self.watching:
                await self._note()
            await asyncio.sleep(0.25)

    async def _provide(self, obj: Unstructured) -> None:
        name = obj.metadata.name
        if obj.deleting:
            if obj.metadata.finalizers:
                await self.client.patch(MACHINES, name, "default", patch={"metadata": {"finalizers": None}})
            return
        if FINALIZER not in obj.metadata.finalizers:
            await self.client.patch(MACHINES, name, "default", patch={"metadata": {"finalizers": [FINALIZER]}})
        if obj.spec.get("providerID"):
            return
        await self.client.patch(MACHINES, name, "default", patch={"spec": {"providerID": f"acme://{name}"}})
        status = {"initialization": {"provisioned": True}, "addresses": [{"type": "InternalIP", "address": "10.0.0.1"}]}
        await self.client.patch(MACHINES, name, "default", patch={"status": status}, subresource="status")
        machine = await self.client.get(Machine, name, "default")
        if machine.spec.version not in self.broken:
            with contextlib.suppress(errors.AlreadyExists):
                await self.join(name, version=machine.spec.version)

    async def _note(self) -> None:
        machines = await self.machines()
        self.most_machines = max(self.most_machines, len(machines))
        ready = sum(
            any(c.type == "Ready" and c.status == "True" for c in m.status.conditions) and not m.deleting
            for m in machines
        )
        self.least_ready = min(self.least_ready, ready)

    # --- what users do

    async def create_template(self, name: str = "small") -> None:
        await self.create(TEMPLATES.api_version, TEMPLATES.kind, name, {"template": {"spec": {"size": name}}})

    def machine_spec(self, template: str = "small", **changes: Any) -> Raw:
        return {
            "clusterName": "c",
            "version": "v1.34.0",
            "bootstrap": {"dataSecretName": "boot"},
            "infrastructureRef": {"apiGroup": TEMPLATES.group, "kind": TEMPLATES.kind, "name": template},
            **changes,
        }

    async def create_deployment(self, name: str = "md", *, replicas: int = 3, **spec: Any) -> None:
        template = {"metadata": spec.pop("metadata", {}), "spec": self.machine_spec(**spec.pop("machine", {}))}
        whole = {"clusterName": "c", "replicas": replicas, "template": template, "selector": {}, **spec}
        await self.create(API, "MachineDeployment", name, whole)

    async def patch_deployment(self, spec: Raw, name: str = "md") -> None:
        await self.client.patch(MachineDeployment, name, "default", patch={"spec": spec})

    # --- what there is

    async def deployment(self, name: str = "md") -> MachineDeployment:
        return await self.client.get(MachineDeployment, name, "default")

    async def machines(self) -> list[Machine]:
        return sorted(await self.client.list(Machine, "default"), key=lambda m: m.key)

    async def sets(self) -> list[MachineSet]:
        return sorted(await self.client.list(MachineSet, "default"), key=lambda s: s.key)

    async def check(self, name: str = "mhc") -> MachineHealthCheck:
        return await self.client.get(MachineHealthCheck, name, "default")

    async def nodes(self) -> list[Node]:
        return sorted(await self.workload.list(Node), key=lambda n: n.key)


@asynccontextmanager
async def running() -> AsyncIterator[World]:
    """A world whose controllers and provider run, with a connected cluster and a template."""
    world = World()
    await world.server.start()
    try:
        await world.install()
        await world.start()
        provider = asyncio.create_task(world.provider())
        try:
            await world.create_cluster()
            await world.create_template()
            await world.settle()
            yield world
        finally:
            provider.cancel()
            await asyncio.gather(provider, return_exceptions=True)
            await world.stop()
    finally:
        await world.server.stop()


Test = Callable[[World], Coroutine[Any, Any, None]]


def in_a_world(test: Test) -> Callable[[], None]:
    """Run a test on virtual time, in a world of its own."""

    def run() -> None:
        async def main() -> None:
            async with running() as world:
                await test(world)

        virtual.run(main(), limit=dt.timedelta(days=2))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
