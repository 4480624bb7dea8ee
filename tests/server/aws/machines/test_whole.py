"""Single machines in AWS as a user has them: made, replaced, healed and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.server.aws import cloud
from tests.server.aws.machines.world import Region, region


@pytest.fixture
async def aws() -> AsyncIterator[Region]:
    with cloud.running() as running:
        async with region(running) as made:
            yield made


async def test_the_example_reaches_running(aws: Region) -> None:
    await aws.begin()
    for obj in await aws.aws_machines():
        assert obj.status.ready
        assert obj.status.instance_state == "running"
        assert [a.type for a in obj.status.addresses] == ["InternalIP"]
        assert {c.type: c.status for c in obj.status.conditions} == {
            "Ready": "True",
            "InstanceReady": "True",
            "SecurityGroupsReady": "True",
        }
