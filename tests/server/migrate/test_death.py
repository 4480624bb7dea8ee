"""The process dies at every write in turn, before it and after it; a new one goes on. The end is the same."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from capipool.machinery.calls import Call
from capipool.machinery.errors import ApiError
from capipool.machinery.objects import Raw
from capipool.migrate import apply as applying
from capipool.migrate import commit as committing
from capipool.migrate import undo as undoing
from capipool.migrate.run import Failed, Run
from capipool.testing import virtual
from capipool.testing.faults import Fault, FaultyTransport
from tests.server.migrate import world as worlds
from tests.server.migrate.world import World

DEATHS = (Fault.DEATH_BEFORE, Fault.DEATH_AFTER)
Command = Callable[[Run], Awaitable[Any]]


def _is_write(call: Call) -> bool:
    """Writes of the migration; the lease's renewals come by the clock."""
    return call.verb not in ("get", "list", "watch") and call.resource.kind != "Lease" and not call.query.get("dryRun")


def _run(world: World, transport: FaultyTransport) -> Run:
    return world.run(transport, concurrency=1)


async def _killed(world: World, command: Command, number: int, fault: Fault) -> bool:
    """Run a command in a process that dies at its write of this number. Returns whether it got that far."""
    transport = FaultyTransport(world.embedded.transport(), counts=_is_write)
    transport.fail(number, fault)
    task = asyncio.ensure_future(command(_run(world, transport)))
    transport.on_death = task.cancel
    await asyncio.gather(task, return_exceptions=True)
    return transport.struck


async def _writes(world: World, command: Command) -> int:
    transport = FaultyTransport(world.embedded.transport(), counts=_is_write)
    await command(_run(world, transport))
    return len(transport.calls)


@pytest.mark.parametrize("fault", DEATHS)
def test_apply_goes_on_where_it_died(fault: Fault) -> None:
    async def main() -> None:
        async with worlds.open_world() as world:
            await worlds.small(world)
            beginning = await world.picture()
            count = await _writes(world, applying.apply)
            end = await world.picture(names=True)
            await undoing.undo(world.run())
            assert count > 15
            for number in range(1, count + 1):
                assert await _killed(world, applying.apply, number, fault)
                await applying.apply(world.run())
                assert await world.picture(names=True) == end, number
                await undoing.undo(world.run())
                assert await world.picture() == beginning, number

    virtual.run(main())


@pytest.mark.parametrize("fault", DEATHS)
def test_undo_brings_back_the_beginning_from_every_point_of_apply(fault: Fault) -> None:
    async def main() -> None:
        async with worlds.open_world() as world:
            await worlds.small(world)
            beginning = await world.picture()
            count = await _writes(world, applying.apply)
            await undoing.undo(world.run())
            for number in range(1, count + 1):
                assert await _killed(world, applying.apply, number, fault)
                await undoing.undo(world.run())
                assert await world.picture() == beginning, number

    virtual.run(main())


@pytest.mark.parametrize("fault", DEATHS)
def test_undo_goes_on_where_it_died(fault: Fault) -> None:
    async def main() -> None:
        async with worlds.open_world() as world:
            await worlds.small(world)
            beginning = await world.picture()
            await applying.apply(world.run())
            count = await _writes(world, undoing.undo)
            assert count > 10
            for number in range(1, count + 1):
                await applying.apply(world.run())
                assert await _killed(world, undoing.undo, number, fault)
                await undoing.undo(world.run())
                assert await world.picture() == beginning, number

    virtual.run(main())


async def _committed(number: int, fault: Fault) -> tuple[dict[str, Raw], bool]:
    """The end of a migration whose commit died at a write; 0 is none."""
    async with worlds.open_world() as world:
        await worlds.small(world)
        await world.client.delete(worlds.OLD_POOLS, "a", "default")
        await applying.apply(world.run())
        struck = await _killed(world, committing.commit, number, fault) if number else False
        await committing.commit(world.run())
        return {title: _timeless(raw) for title, raw in (await world.picture(names=True)).items()}, struck


def _timeless(raw: Raw) -> Raw:
    """Without the time of a deletion, which is that of the process that came to it."""
    return {**raw, "metadata": {**raw["metadata"], "deletionTimestamp": "deletionTimestamp" in raw["metadata"]}}


@pytest.mark.parametrize("fault", DEATHS)
def test_commit_goes_on_where_it_died(fault: Fault) -> None:
    end, _ = virtual.run(_committed(0, fault))
    number = 1
    while True:
        found, struck = virtual.run(_committed(number, fault))
        if not struck:
            break
        assert found == end, number
        number += 1
    assert number > 10


@pytest.mark.parametrize("fault", [Fault.ERROR, Fault.CONFLICT, Fault.LOST_CALL, Fault.LOST_REPLY])
def test_a_call_that_fails_is_made_again(fault: Fault) -> None:
    async def main() -> None:
        async with worlds.open_world() as world:
            await worlds.small(world)
            count = await _writes(world, applying.apply)
            end = await world.picture(names=True)
            await undoing.undo(world.run())
            for number in range(1, count + 1):
                transport = FaultyTransport(world.embedded.transport(), counts=_is_write)
                transport.fail(number, fault)
                try:
                    await applying.apply(_run(world, transport))
                except (ApiError, Failed):
                    # The journal's own writes are not repeated: the user gives the command again.
                    await applying.apply(world.run())
                assert transport.struck
                assert await world.picture(names=True) == end, number
                await undoing.undo(world.run())

    virtual.run(main())
