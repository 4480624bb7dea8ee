"""The life of a node group, from upstream's manifest to its end, over moto."""

from __future__ import annotations

import datetime as dt

import pytest

from capipool.api.core import MachinePool
from capipool.providers.aws.eks.nodegroups import updates
from tests.server.aws.eks.nodegroups.world import CLUSTER, GROUP, POOL, READS, NodeGroups, manifest
from tests.server.aws.eks.world import condition
from tests.server.clouds.world import NS

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_upstreams_manifest_reaches_running_and_rests(made: NodeGroups) -> None:
    await made.begin()
    await made.world.running_pool(POOL, 3)
    group = made.group
    assert group.scaling_config == {"minSize": 3, "maxSize": 3, "desiredSize": 3}
    assert group.ami_type == "AL2023_x86_64_STANDARD"
    assert group.subnets == [made.eks.facts["subnet"]]
    assert group.tags["capipool.io/pool"] == f"{NS}/{POOL}"
    assert group.tags["kubernetes.io/cluster/default_demo-control-plane"] == "owned"
    assert group.node_role.endswith("role/default_demo-pool-0-nodes")
    pool = await made.until_says("Ready", "")
    assert pool.status.ready
    assert pool.status.replicas == 3
    assert pool.spec.eks_nodegroup_name == GROUP
    for type_ in ("EKSNodegroupReady", "IAMNodegroupRolesReady"):
        assert condition(pool, type_)[0] == "True"
    before = (await made.pool()).metadata.resource_version
    assert not [call for call in await made.quiet(looks=10) if not call.startswith(READS)]
    assert (await made.pool()).metadata.resource_version == before
    assert list(made.groups) == [GROUP]


async def test_it_scales_and_takes_labels_taints_and_limits_without_a_new_node(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 2"))
    await made.world.running_pool(POOL, 2)
    before = set(made.instances)
    await made.change({"labels": {"tier": "a"}, "scaling": {"minSize": 1, "maxSize": 5}})
    await made.until(lambda: made.group.labels == {"tier": "a"} and made.group.scaling_config["maxSize"] == 5)
    await made.change(
        {
            "labels": {"tier": None, "zone": "b"},
            "taints": [{"key": "dedicated", "value": "x", "effect": "no-schedule"}],
            "updateConfig": {"maxUnavailable": None, "maxUnavailablePercentage": 50},
            "nodeRepairConfig": {"enabled": True},
        }
    )
    await made.until(lambda: made.group.labels == {"zone": "b"})
    assert made.group.taints == [{"key": "dedicated", "value": "x", "effect": "NO_SCHEDULE"}]
    assert made.group.update_config == {"maxUnavailablePercentage": 50}
    assert made.group.node_repair_config == {"enabled": True}
    await made.world.scale(POOL, 4)
    await made.world.running_pool(POOL, 4)
    assert before <= set(made.instances)
    await made.quiet()


async def test_it_is_upgraded_one_minor_version_at_a_time(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 1"), ("      bootstrap:", "      version: v1.29.4\n      bootstrap:"))
    await made.world.running_pool(POOL, 1)
    assert made.group.version == "1.29"
    before = set(made.instances)
    await made.world.upgrade(POOL, "v1.32.0")
    await made.until(lambda: made.group.version == "1.31")
    pool = await made.until_says("Ready", "WaitingForControlPlaneVersion", "the EKS cluster runs 1.31")
    assert pool.status.ready
    assert not before & set(made.instances)
    assert [u["wanted"] for u in made.group.updates.values()] == [{"version": "1.30"}, {"version": "1.31"}]
    await made.world.upgrade(POOL, "v1.31.0")
    await made.until_says("Ready", "")


async def test_an_update_that_fails_is_shown_and_another_wish_goes_at_once(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 1"))
    await made.world.running_pool(POOL, 1)
    made.group.updates_fail = [{"errorCode": "PodEvictionFailure", "errorMessage": "budget", "resourceIds": ["ip-1"]}]
    await made.change({"amiVersion": "1.31.0-20260303"})
    pool = await made.until_says("LastUpdateSucceeded", "EKSNodegroupUpdateFailed", "PodEvictionFailure: budget (ip-1)")
    assert pool.status.ready
    await made.quiet()
    assert len(made.group.updates) == 1
    made.group.updates_fail = []
    await made.change({"amiVersion": "1.31.0-20260404"})
    await made.until(lambda: made.group.release_version == "1.31.0-20260404")
    await made.until_says("LastUpdateSucceeded", "")
    await made.until_says("Ready", "")


async def test_a_failed_update_is_tried_again_after_a_while(made: NodeGroups, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(updates, "RETRY", dt.timedelta(seconds=1))
    await made.begin(("replicas: 3", "replicas: 1"))
    await made.world.running_pool(POOL, 1)
    made.group.updates_fail = [{"errorCode": "NodeCreationFailure", "errorMessage": "no join", "resourceIds": []}]
    await made.change({"labels": {"a": "b"}})
    await made.until(lambda: len(made.group.updates) > 1)
    made.group.updates_fail = []
    await made.until(lambda: made.group.labels == {"a": "b"})
    await made.until_says("Ready", "")


async def test_a_degraded_group_is_a_condition_and_serves_and_takes_orders(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 1"))
    await made.world.running_pool(POOL, 1)
    issue = {"code": "AsgInstanceLaunchFailures", "message": "no room", "resourceIds": ["eks-asg"]}
    made.group.status, made.group.health = "DEGRADED", {"issues": [issue]}
    pool = await made.until_says("EKSNodegroupReady", "EKSNodegroupDegraded", "no room (eks-asg)")
    assert pool.status.ready
    assert not pool.status.failure_message
    await made.world.scale(POOL, 2)
    made.group.health = {"issues": []}
    await made.world.running_pool(POOL, 2)
    await made.until_says("Ready", "")


async def test_a_group_that_could_not_be_made_says_so_and_is_made_anew_for_another_wish(made: NodeGroups) -> None:
    made.backend.creation_fails = [{"code": "NodeCreationFailure", "message": "did not join", "resourceIds": ["i-1"]}]
    await made.begin(("replicas: 3", "replicas: 1"))
    pool = await made.until_says("EKSNodegroupReady", "EKSNodegroupCreateFailed", "did not join")
    assert pool.status.failure_message.startswith("EKS nodegroup in failed CREATE_FAILED status")
    assert pool.status.failure_reason == "CreateError"
    assert not pool.status.ready
    await made.quiet()
    made.backend.creation_fails = []
    await made.change({"labels": {"a": "b"}})
    await made.world.running_pool(POOL, 1)
    pool = await made.until_says("Ready", "")
    assert not pool.status.failure_message
    assert not pool.status.failure_reason


async def test_somebody_elses_autoscaler_owns_the_number_within_bounds(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 2"), ("  amiType", "  scaling: {minSize: 1, maxSize: 4}\n  amiType"))
    await made.world.running_pool(POOL, 2)
    patch = {"metadata": {"annotations": {"cluster.x-k8s.io/replicas-managed-by": "autoscaler"}}}
    await made.world.patch(MachinePool, POOL, patch)
    await made.quiet()
    made.group.scaling_config["desiredSize"] = 3
    name = made.group.resources["autoScalingGroups"][0]["name"]
    made.eks.cloud.scaling.autoscaling_groups[name].set_desired_capacity(3)
    await made.world.running_pool(POOL, 3)
    assert (await made.world.pool(POOL)).spec.replicas == 3
    await made.change({"scaling": {"minSize": 4, "maxSize": 6}})
    await made.world.running_pool(POOL, 4)
    assert (await made.world.pool(POOL)).spec.replicas == 4
    await made.quiet()


async def test_tags_come_and_go_on_the_group_and_what_launches_its_nodes(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 1"), ("  amiType", "  additionalTags: {team: a}\n  amiType"))
    await made.world.running_pool(POOL, 1)
    name = made.group.resources["autoScalingGroups"][0]["name"]

    def scaling() -> dict[str, str]:
        return {tag["Key"]: tag["Value"] for tag in made.eks.cloud.group(name)["Tags"]}

    await made.until(lambda: scaling().get("team") == "a")
    assert made.group.tags["team"] == "a"
    await made.change({"additionalTags": {"team": None, "cost": "c"}})
    await made.until(lambda: scaling() == {"cost": "c", "eks:nodegroup-name": GROUP})
    assert made.group.tags["cost"] == "c"
    assert "team" not in made.group.tags
    await made.quiet()


async def test_another_ones_group_is_never_adopted_in_silence(made: NodeGroups) -> None:
    made.make_cluster()
    made.eks.cloud.client("eks").create_nodegroup(
        clusterName=CLUSTER,
        nodegroupName=GROUP,
        subnets=[made.eks.facts["subnet"]],
        nodeRole="arn:aws:iam::123456789012:role/theirs",
        scalingConfig={"minSize": 1, "maxSize": 1, "desiredSize": 1},
    )
    await made.world.load(manifest())
    await made.until_says("EKSNodegroupReady", "EKSNodegroupReconciliationFailed", "exists already")
    assert not made.group.updates
    assert not made.group.tags
    await made.end()
    assert made.group.status == "ACTIVE"


async def test_its_end_takes_the_role_along_that_was_made_for_it(made: NodeGroups) -> None:
    await made.begin(("replicas: 3", "replicas: 1"))
    await made.world.running_pool(POOL, 1)
    assert "default_demo-pool-0-nodes" in made.roles
    await made.end()
    assert not made.groups
    assert not made.roles
    assert not made.instances


async def test_a_role_that_is_there_is_used_as_it_is_and_stays(made: NodeGroups) -> None:
    iam = made.eks.cloud.client("iam")
    iam.create_role(RoleName="theirs", AssumeRolePolicyDocument="{}")
    await made.begin(("replicas: 3", "replicas: 1"), ("  amiType", "  roleName: theirs\n  amiType"))
    await made.world.running_pool(POOL, 1)
    assert made.group.node_role.endswith("role/theirs")
    assert iam.list_attached_role_policies(RoleName="theirs")["AttachedPolicies"] == []
    await made.end()
    assert list(made.roles) == ["theirs"]
    iam.delete_role(RoleName="theirs")


async def test_a_role_that_is_made_follows_the_spec(made: NodeGroups) -> None:
    more = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
    spec = f"  roleName: ours\n  rolePath: /nodes/\n  roleAdditionalPolicies: [{more}]\n  amiType"
    await made.begin(("replicas: 3", "replicas: 1"), ("  amiType", spec))
    await made.world.running_pool(POOL, 1)
    assert made.group.node_role.endswith("role/nodes/ours")

    def attached() -> set[str]:
        found = made.eks.cloud.client("iam").list_attached_role_policies(RoleName="ours")["AttachedPolicies"]
        return {policy["PolicyArn"] for policy in found}

    assert more in attached()
    assert len(attached()) == 4
    await made.change({"roleAdditionalPolicies": None})
    await made.until(lambda: len(attached()) == 3)
    assert more not in attached()
