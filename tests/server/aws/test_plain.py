"""A subset on moto as it comes, no gap closed: so that not everything rests on what these tests say that AWS does.

Instances boot from the first version of the template: moto cannot launch from a later one with user data.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from capipool.api.core import MachinePool
from tests.server.aws import cloud
from tests.server.aws.world import POOL, Region, region, said
from tests.server.clouds.world import NS


@pytest.fixture
async def plain() -> AsyncIterator[Region]:
    with cloud.running(close_gaps=False) as running:
        async with region(running) as made:
            yield made


async def test_a_pool_is_made_scaled_and_deleted(plain: Region) -> None:
    await plain.begin(replicas=1)
    await plain.world.scale(POOL, 3)
    await plain.world.running_pool(POOL, 3)
    before = plain.ids()
    await plain.world.scale(POOL, 1)
    await plain.world.running_pool(POOL, 1)
    assert plain.ids() < before
    await plain.patch({"additionalTags": {"team": "a"}, "maxSize": 5})
    await plain.eventually(lambda: plain.cloud.group(POOL)["MaxSize"] == 5)
    await plain.eventually(lambda: "team" in {t["Key"] for t in plain.cloud.group(POOL)["Tags"]})
    await plain.patch({"additionalTags": None})
    await plain.eventually(lambda: "team" not in {t["Key"] for t in plain.cloud.group(POOL)["Tags"]})
    await plain.world.client.delete(MachinePool, POOL, NS)
    await plain.world.until(plain.is_deleted)
    assert plain.templates() == []
    assert plain.cloud.group(POOL) is None


async def test_an_instance_killed_outside_is_replaced(plain: Region) -> None:
    await plain.begin(replicas=2)
    gone = sorted(plain.ids())[0]
    plain.cloud.ec2.terminate_instances(InstanceIds=[gone])
    await plain.eventually(lambda: gone not in plain.ids() and len(plain.ids()) == 2)
    await plain.world.running_pool(POOL, 2)


async def test_the_world_without_an_image_is_told_which_one_is_missing(plain: Region) -> None:
    await plain.apply(edits=(("version: v1.31.0", "version: v1.99.0"),))
    pool = await plain.until(lambda p: said(p.status.conditions, "LaunchTemplateReady")[0] == "False")
    assert "capa-ami-ubuntu-24.04-?1.99.0-*" in said(pool.status.conditions, "Ready")[2]
    assert said(pool.status.conditions, "LaunchTemplateReady")[1] == "LaunchTemplateReconcileFailed"
