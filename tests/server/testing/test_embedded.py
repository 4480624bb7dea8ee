"""The installation that users test with runs in memory and on virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from capipool.api.core import MachinePool
from capipool.app.embedded import Embedded
from capipool.machinery import codec
from capipool.machinery.resource import ObjectKey
from capipool.testing import virtual
from capipool.testing.embedded import embedded

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart.yaml"


async def apply_quickstart(running: Embedded) -> None:
    for raw in codec.decode_yaml(QUICKSTART.read_text()):
        await running.client.apply(raw)


async def seconds_to_running(running: Embedded) -> float:
    pools = running.caches.of(MachinePool)
    reached = asyncio.Event()

    def look(old: MachinePool | None, new: MachinePool | None) -> None:
        if new is not None and new.status.phase == "Running" and new.status.ready_replicas == 3:
            reached.set()

    began = asyncio.get_running_loop().time()
    pools.subscribe(look)
    await apply_quickstart(running)
    await reached.wait()
    return asyncio.get_running_loop().time() - began


def test_the_quickstart_reaches_running_on_virtual_time() -> None:
    async def reach() -> float:
        async with embedded(clock=virtual.clock(), seed=7) as running:
            return await seconds_to_running(running)

    # Machines boot in half a second to a second, and join: virtual seconds, of which none is really waited for.
    assert 0.25 < virtual.run(reach(), limit=120) < 30


async def test_without_controllers_it_is_an_api_server_that_leaves_objects_alone() -> None:
    async with embedded(controllers=False) as running:
        await apply_quickstart(running)
        pool = await running.client.get(MachinePool, "workers", "default")
        assert pool.key == ObjectKey("default", "workers")
        assert pool.status == type(pool.status)()


def test_a_pool_with_a_very_long_name_gets_its_instances_and_goes_away() -> None:
    name = "p" * 200
    key = ObjectKey("default", name)

    async def live() -> None:
        async with embedded(clock=virtual.clock(), seed=1) as running:
            for raw in codec.decode_yaml(QUICKSTART.read_text().replace("name: workers", f"name: {name}")):
                await running.client.apply(raw)
            pools = running.caches.of(MachinePool)
            await _until(lambda: (pool := pools.get(key)) is not None and pool.status.ready_replicas == 3)
            await running.client.delete(MachinePool, name, "default")
            await _until(lambda: pools.get(key) is None)

    virtual.run(live(), limit=600)


async def _until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110  (on virtual time a look every second costs nothing)
        await asyncio.sleep(1)
