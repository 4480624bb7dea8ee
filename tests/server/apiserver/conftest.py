"""The server that most tests of this folder call."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import World


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with worlds.running() as running:
        yield running


@pytest.fixture
async def pools(world: World) -> World:
    """A server that serves `pools.example.org`."""
    await world.create(worlds.CRDS, worlds.crd())
    return world
