"""One machine and its instance: what is waited for, what is launched, what is kept right, and how it ends."""

from __future__ import annotations

import base64
import gzip
from typing import Any

import pytest

from capipool.api.core import Cluster
from capipool.machinery.objects import Raw
from capipool.providers.aws import tags
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.machines import marks
from capipool.sdk.errors import CloudUnavailable, InsufficientCapacity, PermissionDenied
from tests.server.aws.machines.bed import NS, Bed, in_a_bed
from tests.server.aws.machines.gaps import forget_terminated


def user_data(bed: Bed, instance: Raw) -> bytes:
    answer = bed.cloud.ec2.describe_instance_attribute(InstanceId=instance["InstanceId"], Attribute="userData")
    return base64.b64decode(answer["UserData"]["Value"])


@in_a_bed
async def test_a_machine_becomes_one_instance(bed: Bed) -> None:
    await bed.machine(additionalTags={"team": "a"})
    obj = await bed.ready()
    (instance,) = bed.instances()
    assert obj.spec.instance_id == instance["InstanceId"]
    assert obj.spec.provider_id == f"aws:///us-east-1a/{instance['InstanceId']}"
    assert instance["SubnetId"] == bed.facts["subnet"]
    assert instance["ImageId"] == bed.facts["image"]
    assert [g["GroupId"] for g in instance["SecurityGroups"]] == [bed.facts["group"]]
    assert gzip.decompress(user_data(bed, instance)) == b"#cloud-config\n"
    assert tags.from_aws(instance["Tags"]) == {
        "Name": "m",
        "team": "a",
        "cost": "1",
        marks.MACHINE: f"default/m/{obj.metadata.uid}",
        "kubernetes.io/cluster/c": "owned",
        "sigs.k8s.io/cluster-api-provider-aws/cluster/c": "owned",
        "sigs.k8s.io/cluster-api-provider-aws/role": "node",
    }
    assert bed.calls.written() == ["run_instances"]


@in_a_bed
async def test_ten_reconciles_at_rest_change_nothing(bed: Bed) -> None:
    volumes = [{"deviceName": "/dev/sdb", "size": 10, "type": "gp3", "throughput": 200, "iops": 3000}]
    await bed.machine(
        additionalTags={"team": "a"},
        rootVolume={"size": 40, "type": "gp3", "encrypted": True},
        nonRootVolumes=volumes,
        additionalSecurityGroups=[{"filters": [{"name": "group-id", "values": [bed.facts["group"]]}]}],
        instanceMetadataOptions={"httpTokens": "required"},
        spotMarketOptions={"maxPrice": "0.1"},
        privateDnsName={"hostnameType": "resource-name"},
        publicIP=False,
    )
    await bed.ready()
    bed.calls.written()
    await bed.again()
    before = (await bed.obj()).metadata.resource_version
    await bed.again(10)
    assert bed.calls.written() == []
    assert (await bed.obj()).metadata.resource_version == before


@in_a_bed
async def test_the_user_data_may_stay_unpacked(bed: Bed) -> None:
    await bed.machine(uncompressedUserData=True)
    await bed.ready()
    assert user_data(bed, bed.instances()[0]) == b"#cloud-config\n"


@in_a_bed
async def test_ignition_is_never_packed(bed: Bed) -> None:
    await bed.boot(b'{"ignition":{}}', format=b"ignition")
    await bed.machine(ignition={"storageType": "UnencryptedUserData"})
    await bed.ready()
    assert user_data(bed, bed.instances()[0]) == b'{"ignition":{}}'


@in_a_bed
async def test_boot_data_that_ec2_would_not_take_is_an_error_and_no_instance(bed: Bed) -> None:
    await bed.boot(bytes(17 * 1024))
    await bed.machine(uncompressedUserData=True)
    await bed.until(lambda: told(bed, "InstanceProvisionFailed"))
    assert "17408 bytes as it is, and EC2 takes 16384" in (await bed.condition())[2]
    assert bed.instances() == []


async def told(bed: Bed, reason: str, type_: str = "InstanceReady") -> bool:
    return (await bed.condition(type_))[1] == reason


@in_a_bed
async def test_a_machine_waits_for_its_cluster_and_then_for_its_boot_data(bed: Bed) -> None:
    await bed.status(Cluster, "c", {"initialization": {"infrastructureProvisioned": False}})
    await bed.machine(data=None)
    await bed.until(lambda: told(bed, "WaitingForClusterInfrastructure"))
    await bed.provision()
    await bed.until(lambda: told(bed, "WaitingForBootstrapData"))
    assert (await bed.obj()).metadata.finalizers == ()
    assert bed.instances() == []


@in_a_bed
async def test_a_machine_of_a_pool_is_left_alone(bed: Bed) -> None:
    resource = AWSMachinePool.RESOURCE
    pool = await bed.create(resource.api_version, resource.kind, "pool", {"awsLaunchTemplate": {}})
    owner = {"apiVersion": resource.api_version, "kind": resource.kind, "name": "pool", "uid": pool.metadata.uid}
    await bed.machine(owner=owner)
    await bed.again(2)
    assert bed.calls.made == []
    assert (await bed.obj()).status.conditions == ()
    await bed.client.delete(type(await bed.obj()), "m", NS)
    assert await bed.gone()


@in_a_bed
async def test_nothing_happens_while_the_cluster_is_paused(bed: Bed) -> None:
    await bed.client.patch(Cluster, "c", NS, patch={"spec": {"paused": True}})
    await bed.machine()
    await bed.again(2)
    assert bed.calls.made == []
    await bed.client.patch(Cluster, "c", NS, patch={"spec": {"paused": False}})
    await bed.ready()


@in_a_bed
async def test_tags_are_kept_right_and_others_left_alone(bed: Bed) -> None:
    await bed.machine(additionalTags={"team": "a", "old": "1"})
    id = (await bed.ready()).spec.instance_id
    bed.cloud.tag(id, {"team": "b", "foreign": "1"})
    await bed.patch({"spec": {"additionalTags": {"old": None, "new": "1"}}})
    await bed.again(2)
    found = tags.from_aws(bed.instances()[0]["Tags"])
    assert {k: v for k, v in found.items() if "/" not in k} == {
        "Name": "m",
        "cost": "1",
        "team": "a",
        "new": "1",
        "foreign": "1",
    }


@in_a_bed
async def test_security_groups_are_kept_right_and_others_left_alone(bed: Bed) -> None:
    mine, later, foreign = bed.group("mine"), bed.group("later"), bed.group("foreign")
    await bed.machine(additionalSecurityGroups=[{"id": mine}])
    await bed.ready()
    interface = bed.instances()[0]["NetworkInterfaces"][0]["NetworkInterfaceId"]
    change: Any = bed.cloud.ec2.modify_network_interface_attribute
    change(NetworkInterfaceId=interface, Groups=[mine, foreign])  # the node's own is missing
    await bed.patch({"spec": {"additionalSecurityGroups": [{"id": later}]}})
    await bed.again(2)
    groups = {g["GroupId"] for g in bed.instances()[0]["NetworkInterfaces"][0]["Groups"]}
    assert groups == {bed.facts["group"], later, foreign}
    await bed.patch({"spec": {"additionalSecurityGroups": [{"filters": [{"name": "group-name", "values": ["no"]}]}]}})
    await bed.until(lambda: told(bed, "SecurityGroupsSyncFailed", "SecurityGroupsReady"))
    assert "match no security group" in (await bed.condition("SecurityGroupsReady"))[2]


@in_a_bed
async def test_a_machine_whose_tags_may_not_be_written_is_ready_and_says_so(bed: Bed) -> None:
    await bed.machine()
    id = (await bed.ready()).spec.instance_id

    async def denied(operation: str, done: bool) -> None:
        if operation == "create_tags":
            raise PermissionDenied("ec2:CreateTags")

    bed.calls.fault = denied
    bed.cloud.tag(id, {"cost": "2"})
    await bed.until(lambda: told(bed, "PermissionDenied", "Ready"))
    assert (await bed.obj()).status.ready
    assert (await bed.condition())[0] == "True"


@in_a_bed
async def test_an_instance_whose_launch_was_not_recorded_is_taken_even_if_its_groups_are_gone(bed: Bed) -> None:
    more = bed.group("more")

    async def lost(operation: str, done: bool) -> None:
        if operation == "run_instances" and done:
            filters = [{"name": "group-name", "values": ["no"]}]
            await bed.patch({"spec": {"additionalSecurityGroups": [{"filters": filters}]}})
            raise CloudUnavailable("run_instances", detail="ReadTimeoutError")

    bed.calls.fault = lost
    await bed.machine(additionalSecurityGroups=[{"id": more}])
    assert (await bed.ready()).spec.instance_id == bed.instances()[0]["InstanceId"]
    assert bed.states() == ["running"]


@in_a_bed
async def test_a_zone_without_capacity_is_left_for_the_next(bed: Bed) -> None:
    vpc = bed.cloud.ec2.describe_subnets(SubnetIds=[bed.facts["subnet"]])["Subnets"][0]["VpcId"]
    other = bed.cloud.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")
    named = [(bed.facts["subnet"], "us-east-1a"), (other["Subnet"]["SubnetId"], "us-east-1b")]
    subnets = [{"id": id, "availabilityZone": zone} for id, zone in named]
    await bed.client.patch(AWSCluster, "c", NS, patch={"spec": {"network": {"subnets": subnets}}})
    tried: list[str] = []

    async def full(operation: str, done: bool) -> None:
        if operation == "run_instances" and not done:
            tried.append(bed.calls.made[-1][1]["SubnetId"])
            if len(tried) < 2:
                raise InsufficientCapacity(wanted=1)

    bed.calls.fault = full
    await bed.machine()
    await bed.ready()
    assert sorted(tried) == sorted(id for id, _ in named)
    assert len(bed.instances()) == 1


@in_a_bed
async def test_a_failure_domain_without_a_subnet_is_named(bed: Bed) -> None:
    await bed.machine(zone="us-east-1c")
    await bed.until(lambda: told(bed, "InstanceProvisionFailed"))
    assert "us-east-1c" in (await bed.condition())[2]


@pytest.mark.parametrize("gone", [False, True])
def test_an_instance_that_ended_is_told_and_not_made_again(gone: bool) -> None:
    async def test(bed: Bed) -> None:
        await bed.machine()
        id = (await bed.ready()).spec.instance_id
        bed.cloud.ec2.terminate_instances(InstanceIds=[id])
        if gone:
            forget_terminated()
        await bed.until(lambda: told(bed, "InstanceTerminated"))
        obj = await bed.obj()
        assert (obj.status.ready, obj.status.instance_state) == (False, "terminated")
        assert obj.status.failure_reason == "UpdateError"
        assert id in obj.status.failure_message
        await bed.again(3)
        assert bed.calls.written() == ["run_instances"]
        await bed.delete()

    in_a_bed(test)()


@in_a_bed
async def test_a_stopped_instance_is_told_and_comes_back(bed: Bed) -> None:
    await bed.machine()
    id = (await bed.ready()).spec.instance_id
    bed.cloud.ec2.stop_instances(InstanceIds=[id])
    await bed.until(lambda: told(bed, "InstanceStopped"))
    assert not (await bed.obj()).status.ready
    bed.cloud.ec2.start_instances(InstanceIds=[id])
    await bed.ready()


@in_a_bed
async def test_deleting_a_machine_ends_its_instance(bed: Bed) -> None:
    await bed.machine()
    await bed.ready()
    await bed.delete()
    assert bed.states() == ["terminated"]
    assert bed.calls.written() == ["run_instances", "terminate_instances"]


@in_a_bed
async def test_a_machine_whose_cluster_is_gone_can_be_deleted(bed: Bed) -> None:
    await bed.machine()
    await bed.ready()
    await bed.client.delete(AWSCluster, "c", NS)
    await bed.client.delete(Cluster, "c", NS)
    await bed.restart()
    await bed.delete()
    assert bed.states() == ["terminated"]


@in_a_bed
async def test_what_upstream_made_is_taken_over_by_its_id(bed: Bed) -> None:
    image, subnet = bed.facts["image"], bed.facts["subnet"]
    made = bed.cloud.ec2.run_instances(ImageId=image, SubnetId=subnet, MinCount=1, MaxCount=1)
    id = made["Instances"][0]["InstanceId"]
    finalizer = {"finalizers": [marks.FINALIZER]}
    await bed.machine(instanceID=id, providerID=f"aws:///us-east-1a/{id}")
    await bed.patch({"metadata": finalizer})
    await bed.ready()
    assert tags.from_aws(bed.instances()[0]["Tags"])["kubernetes.io/cluster/c"] == "owned"
    await bed.delete()
    assert bed.states() == ["terminated"]
