"""The example: its machines come, are replaced, and go, with everything that was made for them."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.azure.machines import world as worlds
from tests.server.azure.machines.world import Region


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


async def test_the_example_runs_as_it_is(region: Region) -> None:
    await region.begin()
    for obj in await region.azure_machines():
        assert obj.status.ready
