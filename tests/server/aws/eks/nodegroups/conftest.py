"""One installation for the tests of a file; each begins with a cluster that has no pool, and is held to the policy."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.server.aws.eks.nodegroups.policy import allowed
from tests.server.aws.eks.nodegroups.world import NodeGroups, running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def installation() -> AsyncIterator[NodeGroups]:
    async with running() as world:
        yield world


@pytest_asyncio.fixture(loop_scope="module")
async def made(installation: NodeGroups) -> AsyncIterator[NodeGroups]:
    yield installation
    await installation.clear()
    named = {action.lower() for action in allowed()}
    assert {action for action in installation.calls.actions if action.lower() not in named} == set()
