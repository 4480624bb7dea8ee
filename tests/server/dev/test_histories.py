"""Whatever happens to a pool of the development cloud, in the end everything fits together."""

from __future__ import annotations

import asyncio
import contextlib
import random

import pytest

from capipool.api.core import Machine
from capipool.machinery import errors
from capipool.providers.dev.api.cloud import Fault
from capipool.providers.dev.api.machine import DevMachine
from capipool.testing import virtual
from tests.server.dev.machines_world import MachinesWorld, machines_world
from tests.server.dev.world import FAST, NS, World, world

BACKENDS = [
    {**FAST, "rollout": {"maxSurge": 1, "maxUnavailable": 0}},
    {**FAST, "rollout": {"maxSurge": 0, "maxUnavailable": 1}, "deletePolicy": "Oldest"},
    {**FAST, "rollout": {"maxSurge": "50%", "maxUnavailable": "25%"}, "deletePolicy": "Newest"},
]


async def happen(world: World, rng: random.Random, version: int) -> int:
    """One thing happens. Returns the number of the version wanted."""
    names = sorted(await world.names())
    victim = rng.choice(names) if names else ""
    match rng.choice(["scale", "upgrade", "interrupt", "boot", "silent", "token", "process dies", "time"]):
        case "scale":
            await world.set(replicas=rng.randrange(6))
        case "upgrade":
            version += 1
            await world.upgrade(f"v1.{version}.0")
        case "token":
            await world.boot_data(token=f"abcdef.{rng.randrange(10**15, 10**16)}")
        case "process dies":
            await world.stop()
            await world.start()
        case "time":
            await asyncio.sleep(rng.random() * 60)
        case fault if victim:
            about = {
                "interrupt": (Fault.INTERRUPT, "x"),
                "boot": (Fault.BOOT, "fail"),
                "silent": (Fault.NODE, "silent"),
            }
            with contextlib.suppress(errors.NotFound):
                await world.annotate(victim, *about[fault])
    return version


@pytest.mark.parametrize("seed", range(9))
def test_nodes_instances_and_provider_ids_agree_after_any_history(seed: int) -> None:
    async def story() -> None:
        rng = random.Random(seed)
        async with world() as made:
            await made.pool(replicas=3, backend=BACKENDS[seed % len(BACKENDS)])
            version = 34
            for _ in range(25):
                version = await happen(made, rng, version)
                await asyncio.sleep(rng.random() * 8)
            for name in await made.names():
                with contextlib.suppress(errors.NotFound):
                    await made.annotate(name, Fault.NODE, None)
            await made.set(replicas=4)
            await made.settled(4, version=f"v1.{version}.0", minutes=60)
            await asyncio.sleep(60)
            assert {n.metadata.name for n in await made.ready()} == await made.names()
            assert len(await made.nodes()) == (await made.group()).spec.replicas == 4
            assert not any(n.spec.unschedulable for n in await made.nodes())

    virtual.run(story())


async def happen_to_machines(world: MachinesWorld, rng: random.Random, version: int) -> int:
    """One thing happens to a pool that shows Machines, or to a Machine or an object of it."""
    there = [m.metadata.name for m in await world.machines()]
    name = rng.choice(there) if there else ""
    match rng.choice(["pool", "pool", "machine", "object", "mark", "show", "check"]):
        case "machine":
            await world.delete_machine(name)
        case "object" if name:
            with contextlib.suppress(errors.NotFound):
                await world.client.delete(DevMachine, name, NS)
        case "mark" if name:
            mark = {"metadata": {"annotations": {"cluster.x-k8s.io/delete-machine": ""}}}
            with contextlib.suppress(errors.NotFound):
                await world.client.patch(Machine, name, NS, patch=mark)
        case "show":
            await world.backend(machines=rng.random() < 0.7)
        case "check":
            with contextlib.suppress(errors.AlreadyExists):
                await world.health_check()
        case _:
            return await happen(world, rng, version)
    return version


@pytest.mark.parametrize("seed", range(6))
def test_machines_and_objects_agree_with_the_instances_after_any_history(seed: int) -> None:
    async def story() -> None:
        rng = random.Random(seed)
        async with machines_world() as made:
            await made.pool(replicas=3, backend={**BACKENDS[seed % len(BACKENDS)], "machines": True})
            version = 34
            for _ in range(20):
                version = await happen_to_machines(made, rng, version)
                await asyncio.sleep(rng.random() * 8)
            for name in await made.names():
                with contextlib.suppress(errors.NotFound):
                    await made.annotate(name, Fault.NODE, None)
            await made.backend(machines=True)
            await made.set(replicas=4)
            await made.all_shown(4, version=f"v1.{version}.0", minutes=60)
            assert len(await made.nodes()) == (await made.group()).spec.replicas == 4
            assert not any(n.spec.unschedulable for n in await made.nodes())

    virtual.run(story())
