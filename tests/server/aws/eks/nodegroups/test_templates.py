"""Node groups with a launch template of the pool's own, over moto."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.providers.aws import templates
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig
from tests.server.aws.eks.nodegroups.world import POOL, NodeGroups

WITH_TEMPLATE = ("  amiType", "  awsLaunchTemplate: {instanceType: m6i.large, rootVolume: {size: 30}}\n  amiType")


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def begin(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 1"), WITH_TEMPLATE)
    await made.world.running_pool(POOL, 1)


def newest(made: NodeGroups) -> Any:
    return made.eks.cloud.versions(POOL)[-1]


async def test_nodes_are_made_from_it_and_eks_brings_the_image(made: NodeGroups) -> None:
    await begin(made)
    data = newest(made)["LaunchTemplateData"]
    assert data["InstanceType"] == "m6i.large"
    assert data["BlockDeviceMappings"][0]["DeviceName"] == "/dev/xvda"
    assert data["UserData"]
    assert not {"ImageId", "IamInstanceProfile"} & data.keys()
    assert set(data["SecurityGroupIds"]) == {made.eks.facts["cluster_group"], made.eks.facts["group"]}
    pool = await made.until_says("LaunchTemplateReady", "")
    assert pool.status.launch_template_version == "1"
    assert made.group.launch_template["id"] == pool.status.launch_template_id
    await made.quiet()
    assert len(made.eks.cloud.versions(POOL)) == 1


async def test_what_makes_other_nodes_replaces_them_and_tags_alone_do_not(made: NodeGroups) -> None:
    await begin(made)
    before = set(made.instances)
    await made.change({"additionalTags": {"team": "a"}})
    await made.until(lambda: len(made.eks.cloud.versions(POOL)) == 2)
    await made.quiet()
    assert set(made.instances) == before
    assert made.group.launch_template["version"] == "1"
    await made.world.patch(NodeadmConfig, POOL, {"spec": {"kubelet": {"config": {"maxPods": 99}}}})
    await made.until(lambda: made.group.launch_template["version"] == "3")
    await made.world.running_pool(POOL, 1)
    assert not before & set(made.instances)
    await made.until_says("Ready", "")
    await made.quiet()


async def test_a_bad_template_can_be_followed_by_another(made: NodeGroups) -> None:
    await begin(made)
    made.group.updates_fail = [{"errorCode": "NodeCreationFailure", "errorMessage": "no join", "resourceIds": []}]
    await made.world.patch(NodeadmConfig, POOL, {"spec": {"preNodeadmCommands": ["exit 1"]}})
    await made.until_says("LastUpdateSucceeded", "EKSNodegroupUpdateFailed", "version 2 of the launch template")
    made.group.updates_fail = []
    await made.world.patch(NodeadmConfig, POOL, {"spec": {"preNodeadmCommands": ["true"]}})
    await made.until(lambda: made.group.launch_template["version"] == "3")
    await made.until_says("LastUpdateSucceeded", "")


async def test_one_that_somebody_deleted_is_made_anew(made: NodeGroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "LOOK_SECONDS", 0.0)
    await begin(made)
    before = made.group.launch_template["id"]
    made.eks.cloud.ec2.delete_launch_template(LaunchTemplateName=POOL)
    await made.until(lambda: made.group.launch_template["id"] != before)
    await made.quiet()
    pool = await made.until_says("Ready", "")
    assert pool.status.launch_template_id == made.group.launch_template["id"]


async def test_one_that_somebody_deleted_does_not_keep_a_pool_from_its_end(made: NodeGroups) -> None:
    await begin(made)
    made.eks.cloud.ec2.delete_launch_template(LaunchTemplateName=POOL)
    await made.end()
    assert not made.groups
    assert POOL not in made.eks.cloud.template_names()


async def test_its_end_takes_the_template_along(made: NodeGroups) -> None:
    await begin(made)
    assert POOL in made.eks.cloud.template_names()
    await made.end()
    assert POOL not in made.eks.cloud.template_names()
    assert not made.roles
