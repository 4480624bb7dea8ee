"""The process ends in the middle of things, with real controllers, and another one goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from capipool.api.core import MachinePool
from capipool.providers.azure.pools import marks
from capipool.providers.azure.pools.history import HISTORY, REVISION
from tests.server.azure.pools import world as worlds
from tests.server.azure.pools.world import POOL, Region, condition
from tests.server.clouds.world import NS

WRITE = "virtualMachineScaleSets/write"


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


async def _held(region: Region) -> None:
    """Apply the manifest, and wait until its scale set is being made and noted, and no further."""
    region.arm.faults.hold(WRITE)
    await region.world.load(worlds.upstream())
    await region.until(lambda p: bool(p.status.long_running_operation_states))


async def test_a_pool_that_is_being_made_is_asked_for_by_the_next_process(region: Region) -> None:
    await _held(region)
    await region.world.stop()
    region.arm.release()
    await region.world.start()
    await region.world.running_pool(POOL, 3)
    await region.until(lambda p: not p.status.long_running_operation_states)
    assert [r.method for r in region.arm.log.of(WRITE)] == ["PUT"]


async def test_a_pool_is_deleted_while_it_is_being_made(region: Region) -> None:
    await _held(region)
    await region.world.client.delete(MachinePool, POOL, NS)

    async def gone() -> bool:
        return not await region.world.client.list(MachinePool, NS)

    await region.world.until(gone)
    assert not region.arm.state.scale_sets


async def test_a_rollout_goes_on_after_the_process_ended_in_it(region: Region) -> None:
    await region.begin()
    before = region.names()
    await region.patch({"template": {"osDisk": {"diskSizeGB": 50}}})
    await region.until(lambda _: not before >= region.names())
    await region.world.restart()
    await region.until(lambda _: not before & region.names() and len(region.names()) == 3)
    await region.world.running_pool(POOL, 3)


async def test_no_room_for_more_is_told_with_azures_code_and_what_exists_stays(region: Region) -> None:
    await region.begin()
    before = region.names()
    region.arm.faults.fail(WRITE, "AllocationFailed", leaves_failed=False)
    await region.world.scale(POOL, 4)
    pool = await region.until(lambda p: condition(p, "ScaleSetDesiredReplicas")[0] == "False")
    pool = await region.until(lambda p: "AllocationFailed" in str(p.status.conditions))
    assert pool.status.ready
    assert region.names() == before
    await region.world.scale(POOL, 2)
    await region.world.running_pool(POOL, 2)


async def test_what_upstream_made_for_the_cluster_is_taken_over_and_nobody_is_replaced(region: Region) -> None:
    await region.begin()
    before = region.names()
    await region.world.stop()
    scale_set = region.scale_set()
    for ours in (REVISION, HISTORY, marks.POOL, marks.BOOTSTRAP):
        scale_set.tags.pop(ours, None)
    await region.world.start()
    await region.until(lambda _: marks.POOL in region.scale_set().tags)
    await region.world.running_pool(POOL, 3)
    assert region.names() == before


async def test_a_scale_set_of_somebody_else_is_left_alone(region: Region) -> None:
    await region.begin()
    await region.world.stop()
    region.scale_set().tags = {"Name": "theirs"}
    region.arm.log.clear()
    await region.world.start()
    await region.until(lambda p: condition(p, "Ready")[1] == "InstanceGroupNotOwned")
    assert region.arm.log.mutating == []
    await region.world.client.delete(MachinePool, POOL, NS)

    async def gone() -> bool:
        return not await region.world.client.list(MachinePool, NS)

    await region.world.until(gone)
    assert len(region.names()) == 3
