"""Pools in AWS as a user has them: the manifests, the real controllers, a region and nodes that join."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.aws import cloud
from tests.server.aws.world import Region, region


@pytest.fixture
async def aws() -> AsyncIterator[Region]:
    with cloud.running() as running:
        async with region(running) as made:
            yield made


async def test_upstreams_manifest_as_it_is_reaches_running(aws: Region) -> None:
    await aws.begin()
    pool = await aws.until(lambda p: {i.version for i in p.status.instances} == {"v1.31.0"})
    assert pool.status.ready
    assert len(pool.spec.provider_id_list) == 3
