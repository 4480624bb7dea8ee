"""Single machines in AWS as a user has them: made, rolled, healed and deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from capipool.api.core import Cluster, MachineDeployment
from capipool.machinery import errors
from capipool.providers.aws import tags
from capipool.providers.aws.machines import marks
from capipool.providers.aws.machines.api import AWSMachineTemplate, NodeInfo
from tests.server.aws import cloud
from tests.server.aws.machines import gaps
from tests.server.aws.machines.world import Region, region
from tests.server.clouds.world import NS


@pytest.fixture
async def aws() -> AsyncIterator[Region]:
    with cloud.running() as running, gaps.closed():
        async with region(running) as made:
            yield made


async def test_the_example_reaches_running_with_a_role_and_rests(aws: Region) -> None:
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
    roles = [parameters["RoleArn"] for operation, parameters in aws.calls.made if operation == "assume_role"]
    assert roles == ["arn:aws:iam::123456789012:role/capipool-workers"]
    assert sorted(aws.calls.written()) == ["run_instances"] * 3
    template = await aws.world.client.get(AWSMachineTemplate, "workers", NS)
    assert template.status.capacity == {"cpu": "2", "memory": "8192Mi"}  # of a t3.large
    assert template.status.node_info == NodeInfo(architecture="amd64", operating_system="linux")
    machines = await aws.machines()
    assert {m.spec.provider_id for m in machines} == {id for _, id in aws.cloud.running()}
    assert all(m.status.addresses for m in machines)


async def test_a_new_version_replaces_the_machines_one_by_one(aws: Region) -> None:
    await aws.begin()
    image = aws.cloud.image("v1.32.0")
    before = {i["InstanceId"] for i in aws.instances()}
    versions = {f"{i}": "v1.31.0" for i in before}
    aws.joiner.version = lambda id: versions.get(id.rpartition("/")[2], "v1.32.0")
    patch = {"spec": {"template": {"spec": {"version": "v1.32.0"}}}}
    await aws.world.patch(MachineDeployment, "workers", patch)
    await aws.running(3, version="v1.32.0", seconds=60)
    now = aws.instances()
    assert {i["ImageId"] for i in now} == {image}
    assert before.isdisjoint(i["InstanceId"] for i in now)
    assert {i["InstanceId"] for i in aws.instances("terminated")} == before
    assert sorted(aws.calls.written()) == ["run_instances"] * 6 + ["terminate_instances"] * 3


async def test_an_instance_that_somebody_ends_is_replaced(aws: Region) -> None:
    await aws.begin()
    lost = (await aws.aws_machines())[0]
    aws.cloud.ec2.terminate_instances(InstanceIds=[lost.spec.instance_id])

    async def replaced() -> bool:
        names = [obj.metadata.name for obj in await aws.aws_machines()]
        return lost.metadata.name not in names and len(names) == 3

    await aws.world.until(replaced, seconds=60, why=aws.described)
    await aws.running(3)
    assert len(aws.instances("terminated")) == 1


async def test_deleting_the_cluster_ends_every_instance_also_with_pieces_missing(aws: Region) -> None:
    await aws.begin()
    gone, *_ = aws.instances()
    aws.cloud.ec2.terminate_instances(InstanceIds=[gone["InstanceId"]])
    gaps.forget_terminated()
    await aws.world.client.delete(Cluster, "aws-machines", NS)

    async def ended() -> bool:
        try:
            await aws.world.client.get(Cluster, "aws-machines", NS)
        except errors.NotFound:
            return not await aws.aws_machines()
        return False

    await aws.world.until(ended, seconds=60, why=aws.described)
    assert aws.instances() == []


async def test_the_controllers_may_die_in_a_rollout(aws: Region) -> None:
    await aws.begin(replicas=3)
    aws.cloud.image("v1.32.0")
    patch = {"spec": {"template": {"spec": {"version": "v1.32.0"}}}}
    await aws.world.patch(MachineDeployment, "workers", patch)

    async def began() -> bool:
        return len(await aws.aws_machines()) > 3

    await aws.world.until(began, why=aws.described)
    for _ in range(3):
        await aws.world.restart()
    await aws.running(3, version="v1.32.0", seconds=60)
    made = [tags.from_aws(i["Tags"])[marks.MACHINE] for i in aws.instances("running", "terminated")]
    assert len(made) == len(set(made)) == 6
