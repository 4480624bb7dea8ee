"""A pool that shows Machines mends whatever a process left half-done, or a server refused, at any of its writes."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from capipool.api.core import Machine, MachinePool
from capipool.machinery.calls import Call
from capipool.providers.dev.api.cloud import DevScalingGroup
from capipool.providers.dev.api.machine import DevMachine
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.testing import virtual
from capipool.testing.faults import Fault, FaultyTransport
from tests.server.dev.machines_world import MachinesWorld
from tests.server.dev.world import FAST, NS

MOST_CALLS = 40
_OURS = ("DevMachine", "DevMachinePool", "DevScalingGroup")


class FaultyWorld(MachinesWorld):
    """A world in which a write about the pool can be made to fail, or to be the last one of its process."""

    def __init__(self) -> None:
        super().__init__()
        self.died = asyncio.Event()
        self.faults = FaultyTransport(self.management, counts=_is_counted)
        self.faults.on_death = self.died.set
        self.transport = self.faults

    async def mend(self) -> None:
        """Start the process anew where it died."""
        if self.died.is_set():
            self.died.clear()
            await self.stop()
            self.faults.reset()
            await self.start()


def _is_counted(call: Call) -> bool:
    """Writes of the pool engine and of the cloud; of Machines what the engine writes: marks and deletions."""
    if call.verb in ("get", "list", "watch"):
        return False
    if call.resource.kind == "Machine":
        return call.verb == "delete" or b"capipool.io/removing" in call.body or b'"finalizers":[]' in call.body
    return call.resource.kind in _OURS


async def _all_there(world: MachinesWorld) -> None:
    await world.all_shown(2)


async def _one_left(world: MachinesWorld) -> None:
    await world.all_shown(1)


async def _nothing_left(world: MachinesWorld) -> None:
    kinds = (MachinePool, DevMachinePool, DevScalingGroup, DevMachine, Machine)

    async def gone() -> bool:
        return all([await world.gone(kind) for kind in kinds]) and not await world.nodes()

    await world.until(gone)


async def _not_shown(world: MachinesWorld) -> None:
    async def off() -> bool:
        return await world.gone(Machine) and await world.gone(DevMachine)

    await world.until(off)
    await world.settled(2)
    assert not any(n.spec.unschedulable for n in await world.nodes())


async def _delete_a_machine(world: MachinesWorld) -> None:
    await world.client.delete(Machine, sorted(await world.names())[0], NS)


Step = Callable[[MachinesWorld], Coroutine[Any, Any, None]]
SCENARIOS: dict[str, tuple[bool, Step, Step]] = {
    "show": (False, lambda w: w.backend(machines=True), _all_there),
    "scale in": (True, lambda w: w.set(replicas=1), _one_left),
    "delete a machine": (True, _delete_a_machine, _all_there),
    "delete the pool": (True, lambda w: w.client.delete(MachinePool, "p", NS), _nothing_left),
    "show no more": (True, lambda w: w.backend(machines=False), _not_shown),
}
"""By name: whether Machines are shown before, what is done, and what the end must be."""


async def _play(scenario: str, number: int, fault: Fault) -> bool:
    """Play a scenario with a fault at one write. Returns whether it struck."""
    shown, act, end = SCENARIOS[scenario]
    world = FaultyWorld()
    await world.install()
    await world.start()
    try:
        await world.boot_data()
        await world.cluster()
        await world.pool(replicas=2, backend={**FAST, "machines": shown})
        await (world.all_shown(2) if shown else world.settled(2))
        before = await world.names()
        world.faults.fail(number, fault)
        await act(world)
        for _ in range(40):
            await asyncio.sleep(0.5)
            await world.mend()
        await end(world)
        struck = world.faults.struck
        gone = before - await world.names()
        lost = {"show": 0, "show no more": 0, "scale in": 1, "delete a machine": 1, "delete the pool": 2}[scenario]
        assert len(gone) == lost, f"{sorted(gone)} went"
        return struck
    finally:
        await world.stop()
        await world.server.stop()


EACH = [*((name, Fault.DEATH_AFTER) for name in SCENARIOS), ("scale in", Fault.ERROR)]


@pytest.mark.parametrize(("scenario", "fault"), EACH, ids=[f"{name}, {fault.value}" for name, fault in EACH])
def test_a_fault_at_any_write_is_mended_and_costs_no_other_instance(scenario: str, fault: Fault) -> None:
    for number in range(1, MOST_CALLS):
        try:
            struck = virtual.run(_play(scenario, number, fault))
        except AssertionError as error:
            raise AssertionError(f"{fault.value} at write {number}: {error}") from error
        if not struck:
            assert number > 3, "hardly a write was made"
            return
    raise AssertionError(f"more than {MOST_CALLS} writes")
