"""A pool whose instances are Machines, too: shown as AWSMachines, removed through their Machines."""

from __future__ import annotations

from capipool.api.core import Machine
from capipool.providers.aws.machines.api import AWSMachine
from tests.server.aws import cloud
from tests.server.aws.world import POOL, Region, region
from tests.server.clouds.world import NS


async def machines(aws: Region) -> dict[str, str]:
    """The Machines of the pool that run, by their provider ID."""
    found = await aws.world.client.list(Machine, NS)
    return {m.spec.provider_id: m.metadata.name for m in found if m.status.phase == "Running"}


async def test_instances_are_machines_where_that_is_asked_for() -> None:
    with cloud.running() as running:
        async with region(running) as aws:
            await aws.begin(replicas=2)
            await aws.annotate("capipool.io/machines", "true")

            async def shown(count: int) -> bool:
                ids = {provider_id.rpartition("/")[2] for provider_id in await machines(aws)}
                return len(ids) == count and ids == {i["InstanceId"] for i in running.instances(POOL)}

            await aws.world.until(lambda: shown(2), why=aws.described)
            pool = await aws.until(lambda p: p.status.infrastructure_machine_kind == "AWSMachine")
            objects = await aws.world.client.list(AWSMachine, NS)
            assert {m.spec.instance_id for m in objects} == aws.ids()
            assert {(m.spec.instance_type, m.status.instance_state) for m in objects} == {("t3.large", "running")}
            assert len(pool.spec.provider_id_list) == 2

            before = await machines(aws)
            gone = sorted(before)[0]
            await aws.world.client.delete(Machine, before[gone], NS)
            await aws.eventually(lambda: gone.rpartition("/")[2] not in aws.ids() and len(aws.ids()) == 2)
            await aws.world.until(lambda: shown(2), why=aws.described)

            await aws.world.scale(POOL, 1)
            await aws.world.until(lambda: shown(1), why=aws.described)
            assert running.group(POOL)["DesiredCapacity"] == 1

            async def alone() -> bool:
                return len(await aws.world.client.list(AWSMachine, NS)) == 1

            await aws.world.until(alone)
            assert before[gone] not in {m.metadata.name for m in await aws.world.client.list(Machine, NS)}
