"""Pools in AWS as a user has them: the manifests, the real controllers, a region and nodes that join."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from capipool.api.builtin import Node
from capipool.api.core import MachinePool
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from tests.server.aws import cloud
from tests.server.aws.world import POOL, Region, region, said
from tests.server.clouds.world import NS

NATIVE: Raw = {"refreshPreferences": {"minHealthyPercentage": 90}}


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
    cluster = await aws.world.client.get(AWSCluster, "demo", NS)
    assert cluster.status.ready
    assert cluster.spec.control_plane_endpoint.host == "capipool.invalid"
    assert said(cluster.status.conditions, "NetworkCreated")[:2] == ("False", "OutOfScope")
    assert cluster.status.network_status.security_groups["node"].id == aws.facts["group"]


async def test_a_pool_scales_out_and_in_and_the_one_that_goes_is_drained_first(aws: Region) -> None:
    await aws.begin(replicas=2)
    await aws.world.scale(POOL, 3)
    await aws.world.running_pool(POOL, 3)
    pods = await aws.world.run_pods("web")
    before = aws.ids()
    await aws.world.protect("web", minAvailable=3)
    await aws.world.scale(POOL, 2)
    await aws.until(lambda p: "drain" in said(p.status.conditions, "Ready")[2].lower())
    assert aws.ids() == before
    await aws.world.unprotect("web")
    await aws.world.running_pool(POOL, 2)
    assert aws.ids() < before
    left = {pod.spec.node_name for pod in await aws.world.pods()}
    assert left == {n.metadata.name for n in await aws.world.workload.list(Node)}
    assert len(pods) == 3
    assert aws.cloud.group(POOL)["DesiredCapacity"] == 2


async def test_a_new_version_is_rolled_out_by_the_engine_with_a_surge(aws: Region) -> None:
    await aws.begin(replicas=2)
    before = aws.ids()
    new = aws.cloud.image("v1.32.0")
    aws.joiner.version = aws.version_by_image({new: "v1.32.0"})
    await aws.world.upgrade(POOL, "v1.32.0")
    await aws.world.running_pool(POOL, 2, version="v1.32.0")
    assert not aws.ids() & before
    assert [v["LaunchTemplateData"]["ImageId"] for v in aws.cloud.versions(POOL)] == [aws.facts["image"], new]
    await aws.until(lambda p: said(p.status.conditions, "UpToDate")[0] == "True")
    assert aws.cloud.group(POOL)["MaxSize"] == 10


async def test_a_new_version_is_rolled_out_by_an_instance_refresh(aws: Region) -> None:
    await aws.begin(replicas=2)
    await aws.patch(NATIVE)
    before = aws.ids()
    aws.joiner.version = aws.version_by_image({aws.cloud.image("v1.32.0"): "v1.32.0"})
    await aws.world.upgrade(POOL, "v1.32.0")
    await aws.world.running_pool(POOL, 2, version="v1.32.0")
    assert not aws.ids() & before
    refresh = aws.cloud.groups.describe_instance_refreshes(AutoScalingGroupName=POOL)["InstanceRefreshes"]
    assert [r["Status"] for r in refresh] == ["Successful"]
    assert refresh[0]["Preferences"]["MinHealthyPercentage"] == 90


async def test_several_types_and_spot_are_a_policy_of_the_group(aws: Region) -> None:
    await aws.begin(replicas=1)
    distribution = {"onDemandBaseCapacity": 1, "spotAllocationStrategy": "price-capacity-optimized"}
    types = [{"instanceType": "t3.large"}, {"instanceType": "m5.large"}]
    await aws.patch({"mixedInstancesPolicy": {"instancesDistribution": distribution, "overrides": types}})
    await aws.eventually(lambda: "MixedInstancesPolicy" in aws.cloud.group(POOL))
    policy = aws.cloud.group(POOL)["MixedInstancesPolicy"]
    assert [o["InstanceType"] for o in policy["LaunchTemplate"]["Overrides"]] == ["t3.large", "m5.large"]
    assert policy["InstancesDistribution"]["SpotAllocationStrategy"] == "price-capacity-optimized"
    await aws.patch({"mixedInstancesPolicy": None})
    await aws.eventually(lambda: "MixedInstancesPolicy" not in aws.cloud.group(POOL))
    await aws.world.running_pool(POOL, 1)


async def test_hooks_of_others_are_left_alone_and_one_that_leaves_the_spec_is_removed(aws: Region) -> None:
    await aws.begin(replicas=1)
    launching = "autoscaling:EC2_INSTANCE_LAUNCHING"
    aws.cloud.groups.put_lifecycle_hook(
        AutoScalingGroupName=POOL, LifecycleHookName="foreign", LifecycleTransition=launching
    )
    mine = {"name": "mine", "lifecycleTransition": launching, "heartbeatTimeout": "5m"}
    await aws.patch({"lifecycleHooks": [mine]})
    await aws.eventually(lambda: aws.hooks() == {"foreign": 3600, "mine": 300})
    await aws.until(lambda p: said(p.status.conditions, "LifecycleHookReady")[0] == "True")
    await aws.patch({"lifecycleHooks": [mine | {"heartbeatTimeout": "10m"}]})
    await aws.eventually(lambda: aws.hooks() == {"foreign": 3600, "mine": 600})
    await aws.patch({"lifecycleHooks": None})
    await aws.eventually(lambda: aws.hooks() == {"foreign": 3600})


async def test_a_termination_that_aws_begins_waits_for_the_drain(aws: Region) -> None:
    await aws.begin(replicas=2)
    await aws.annotate("capipool.io/drain-terminations", "true")
    await aws.eventually(lambda: aws.hooks() == {"capipool-drain": 3600})
    await aws.world.run_pods("web")
    await aws.world.protect("web", minAvailable=2)
    gone = sorted(aws.ids())[0]
    aws.cloud.interrupt(gone)
    await aws.until(lambda p: "drain" in said(p.status.conditions, "Ready")[2].lower())
    assert aws.states()[gone] == "Terminating:Wait"
    await aws.world.unprotect("web")
    await aws.eventually(lambda: gone not in aws.ids())
    await aws.world.running_pool(POOL, 2)


async def test_where_somebody_else_scales_his_number_is_followed_and_never_sent(aws: Region) -> None:
    await aws.begin(replicas=2)
    await aws.world.patch(
        MachinePool, POOL, {"metadata": {"annotations": {"cluster.x-k8s.io/replicas-managed-by": "autoscaler"}}}
    )
    await aws.looked()
    aws.cloud.groups.set_desired_capacity(AutoScalingGroupName=POOL, DesiredCapacity=4)
    await aws.world.running_pool(POOL, 4)
    assert (await aws.world.pool(POOL)).spec.replicas == 4
    await aws.patch({"minSize": 5})
    await aws.world.running_pool(POOL, 5)
    await aws.patch({"minSize": 1, "maxSize": 3})
    await aws.world.running_pool(POOL, 3)
    assert (await aws.world.pool(POOL)).spec.replicas == 3


async def test_an_instance_killed_outside_is_replaced_and_its_node_forgotten(aws: Region) -> None:
    await aws.begin(replicas=2)
    gone = sorted(aws.ids())[0]
    aws.cloud.ec2.terminate_instances(InstanceIds=[gone])
    await aws.eventually(lambda: gone not in aws.ids() and len(aws.ids()) == 2)

    async def forgotten() -> bool:
        return gone not in {n.metadata.name for n in await aws.world.workload.list(Node)}

    await aws.world.until(forgotten, why=aws.described)
    await aws.world.running_pool(POOL, 2)


async def test_protection_by_hand_is_kept_to_and_one_that_a_dead_process_left_is_taken_back(aws: Region) -> None:
    await aws.begin(replicas=2)
    spared, other = sorted(aws.ids())
    protect = aws.cloud.groups.set_instance_protection
    protect(AutoScalingGroupName=POOL, InstanceIds=[spared, other], ProtectedFromScaleIn=True)
    await aws.annotate("capipool.io/protecting", other)
    await aws.eventually(lambda: aws.protected() == {spared})
    await aws.world.scale(POOL, 1)
    await aws.world.running_pool(POOL, 1)
    assert aws.ids() == {spared}
    assert "capipool.io/protecting" not in (await aws.aws_pool()).metadata.annotations


async def test_a_launch_template_deleted_outside_is_made_anew(aws: Region) -> None:
    await aws.begin(replicas=1)
    aws.cloud.ec2.delete_launch_template(LaunchTemplateName=POOL)
    await aws.world.scale(POOL, 2)
    await aws.world.running_pool(POOL, 2)
    assert len(aws.cloud.versions(POOL)) == 1


async def test_what_came_from_a_template_that_is_gone_is_replaced_all_the_same(aws: Region) -> None:
    """Its versions had the numbers that those of the new one have, and no process remembers what they said."""
    await aws.begin(replicas=1)
    await aws.patch({"awsLaunchTemplate": {"sshKeyName": "second"}})
    await aws.eventually(lambda: [key for _, key in aws.cloud.members(POOL)] == ["second"])
    await aws.world.running_pool(POOL, 1)
    await aws.world.stop()
    aws.cloud.ec2.delete_launch_template(LaunchTemplateName=POOL)
    await aws.world.start()
    await aws.world.scale(POOL, 2)
    await aws.world.running_pool(POOL, 2)
    first = aws.ids()
    assert [v["VersionNumber"] for v in aws.cloud.versions(POOL)] == [1]
    await aws.until(lambda p: said(p.status.conditions, "UpToDate")[0] == "True")
    await aws.patch({"awsLaunchTemplate": {"sshKeyName": "third"}})
    await aws.eventually(lambda: not aws.ids() & first)
    await aws.world.running_pool(POOL, 2)


async def test_deletion_ends_whatever_is_missing(aws: Region) -> None:
    for missing in ("nothing", "group", "template", "status", "cluster"):
        await aws.begin(replicas=1)
        await aws.lose(missing)
        kind = AWSMachinePool if missing == "cluster" else MachinePool
        await aws.world.client.delete(kind, POOL, NS)
        await aws.world.until(aws.is_deleted, why=lambda at=missing: aws.described(at))
        assert aws.cloud.group(POOL) is None
        assert aws.templates() == []
        await aws.eventually(lambda: aws.cloud.running() == [])


async def test_a_deletion_that_takes_long_holds_no_worker_and_ends(aws: Region) -> None:
    await aws.begin(replicas=1)
    aws.cloud.scaling.slow_deletion = True
    await aws.world.client.delete(MachinePool, POOL, NS)
    await aws.eventually(lambda: aws.cloud.group(POOL).get("Status") == "Delete in progress")
    await aws.until(lambda p: "deleting" in said(p.status.conditions, "Ready")[2])
    assert "awsmachinepool" in " ".join((await aws.aws_pool()).metadata.finalizers)
    assert aws.templates() == [POOL]
    aws.cloud.finish_deletion(POOL)
    await aws.world.until(aws.is_deleted)
    assert aws.templates() == []


async def test_a_group_of_another_pool_is_left_alone(aws: Region) -> None:
    settings = {"LaunchTemplateName": "theirs", "LaunchTemplateData": {"ImageId": aws.facts["image"]}}
    aws.cloud.ec2.create_launch_template(**settings)
    aws.cloud.groups.create_auto_scaling_group(
        AutoScalingGroupName=POOL,
        MinSize=0,
        MaxSize=1,
        VPCZoneIdentifier=aws.facts["subnet"],
        LaunchTemplate={"LaunchTemplateName": "theirs"},
        Tags=[{"Key": "capipool.io/pool", "Value": "elsewhere/p"}],
    )
    await aws.apply()
    pool = await aws.until(lambda p: said(p.status.conditions, "Ready")[1] == "InstanceGroupNotOwned")
    assert "elsewhere/p" in said(pool.status.conditions, "Ready")[2]
    await aws.world.client.delete(MachinePool, POOL, NS)
    await aws.world.until(aws.is_deleted)
    assert aws.cloud.group(POOL) is not None


async def test_a_group_that_upstream_made_for_the_cluster_is_taken_over_and_renewed(aws: Region) -> None:
    marks = {"sigs.k8s.io/cluster-api-provider-aws/cluster/demo": "owned"}
    listed = [{"Key": key, "Value": value} for key, value in marks.items()]
    aws.cloud.ec2.create_launch_template(
        LaunchTemplateName=POOL,
        LaunchTemplateData={"ImageId": aws.facts["image"], "InstanceType": "t3.large"},
        TagSpecifications=[{"ResourceType": "launch-template", "Tags": listed}],
    )
    aws.cloud.groups.create_auto_scaling_group(
        AutoScalingGroupName=POOL,
        MinSize=1,
        MaxSize=3,
        DesiredCapacity=1,
        VPCZoneIdentifier=aws.facts["subnet"],
        LaunchTemplate={"LaunchTemplateName": POOL, "Version": "$Latest"},
        Tags=listed,
    )
    before = aws.ids()
    await aws.begin(replicas=1)
    await aws.until(lambda p: said(p.status.conditions, "UpToDate")[0] == "True")
    await aws.eventually(lambda: len(aws.ids()) == 1 and not aws.ids() & before)
    assert aws.cloud.group(POOL)["LaunchTemplate"]["Version"] == "2"
    assert "capipool.io/pool" in {t["Key"] for t in aws.cloud.group(POOL)["Tags"]}


async def test_no_room_is_told_in_aws_words_and_overcome(aws: Region) -> None:
    await aws.begin(replicas=1)
    aws.cloud.scaling.no_room = "We currently do not have sufficient t3.large capacity (InsufficientInstanceCapacity)"
    await aws.world.scale(POOL, 2)
    pool = await aws.until(lambda p: said(p.status.conditions, "LastScalingActivitySucceeded")[0] == "False")
    assert "do not have sufficient t3.large capacity" in said(pool.status.conditions, "Ready")[2]
    assert said(pool.status.conditions, "LastScalingActivitySucceeded")[1] == "InsufficientCapacity"
    aws.cloud.scaling.no_room = ""
    await aws.world.running_pool(POOL, 2)


async def test_what_only_aws_would_refuse_is_refused_before(aws: Region) -> None:
    await aws.begin(replicas=1)
    with pytest.raises(errors.Invalid, match="minSize"):
        await aws.patch({"minSize": 11})
    with pytest.raises(errors.Invalid, match="iops"):
        await aws.patch({"awsLaunchTemplate": {"rootVolume": {"size": 20, "type": "io1"}}})
