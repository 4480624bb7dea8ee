"""Failures at every call, and the death of the process: never a second group, never an update lost, always an end."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from capipool.api.core import Cluster, MachinePool
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.sdk import CloudUnavailable, PermissionDenied, ProviderError, Throttled
from tests.server.aws.eks.nodegroups.world import CLUSTER, GROUP, POOL, NodeGroups
from tests.server.clouds.world import NS

ONE = ("replicas: 3", "replicas: 1")
KINDS: tuple[type[Any], ...] = (CloudUnavailable, Throttled, PermissionDenied)
TEMPLATE = ("  amiType", "  awsLaunchTemplate: {}\n  additionalTags: {team: a}\n  amiType")


pytestmark = pytest.mark.asyncio(loop_scope="module")


def failing(made: NodeGroups) -> set[str]:
    """Every call fails a few times, each time for another reason; returns those that did."""
    times: dict[str, int] = {}
    failed: set[str] = set()

    def fail(operation: str) -> Exception | None:
        count = times[operation] = times.get(operation, -1) + 1
        if count >= len(KINDS) or operation.startswith("use "):
            return None
        failed.add(operation)
        error: ProviderError = KINDS[count](operation)
        error.delay = None  # as soon as it may: the test is not to wait for minutes
        return error

    made.calls.fail = fail
    return failed


async def test_every_call_may_fail_for_every_reason(made: NodeGroups) -> None:
    failed = failing(made)
    await made.begin(ONE, TEMPLATE)
    await made.world.running_pool(POOL, 1)
    await made.world.scale(POOL, 2)
    await made.change({"amiVersion": "1.31.0-20260505", "additionalTags": {"team": "b"}})
    await made.world.running_pool(POOL, 2)
    await made.until(lambda: made.group.release_version == "1.31.0-20260505")
    await made.until_says("Ready", "")
    assert list(made.groups) == [GROUP]
    kinds = [update["type"] for update in made.group.updates.values()]
    assert sorted(kinds) == ["ConfigUpdate", "VersionUpdate"]
    await made.end()
    assert {"create_nodegroup", "update_nodegroup_config", "update_nodegroup_version", "delete_nodegroup"} <= failed
    assert {"create_role", "attach_role_policy", "delete_role", "create_launch_template", "tag_resource"} <= failed
    assert not made.groups
    assert not made.roles
    assert not made.instances


async def test_an_answer_that_is_lost_makes_no_second_group_and_repeats_no_update(made: NodeGroups) -> None:
    async def lost(operation: str) -> None:
        raise CloudUnavailable(operation, detail="the answer was lost")

    for operation in ("create_role", "create_nodegroup", "update_nodegroup_version", "delete_nodegroup"):
        made.after(operation, lost)
    await made.begin(ONE)
    await made.world.running_pool(POOL, 1)
    made.group.updates_fail = [{"errorCode": "PodEvictionFailure", "errorMessage": "budget", "resourceIds": []}]
    await made.change({"amiVersion": "1.31.0-20260505"})
    await made.until_says("LastUpdateSucceeded", "EKSNodegroupUpdateFailed", "PodEvictionFailure")
    await made.quiet()
    assert len(made.group.updates) == 1
    assert list(made.groups) == [GROUP]
    await made.end()
    assert not made.groups


async def test_whoever_dies_after_a_call_goes_on_where_it_was(made: NodeGroups) -> None:
    reached: asyncio.Queue[str] = asyncio.Queue()

    async def stop(operation: str) -> None:
        reached.put_nowait(operation)
        await asyncio.Event().wait()

    async def dies(operation: str) -> None:
        """The process ends when the call was done, and nothing of its answer was written down."""
        assert await asyncio.wait_for(reached.get(), 20) == operation
        await made.world.restart()

    for operation in ("create_role", "create_nodegroup", "update_nodegroup_config", "delete_nodegroup"):
        made.after(operation, stop)
    await made.begin(ONE)
    await dies("create_role")
    await dies("create_nodegroup")
    await made.world.running_pool(POOL, 1)
    await made.change({"labels": {"a": "b"}})
    await dies("update_nodegroup_config")
    await made.until_says("Ready", "")
    await made.quiet()
    assert made.group.labels == {"a": "b"}
    assert list(made.groups) == [GROUP]
    assert len(made.group.updates) == 1
    await made.world.client.delete(MachinePool, POOL, NS)
    await dies("delete_nodegroup")
    await made.gone()
    assert not made.groups
    assert not made.roles


async def test_a_deletion_that_failed_is_said_and_tried_again(made: NodeGroups) -> None:
    await made.begin(ONE)
    await made.world.running_pool(POOL, 1)
    made.group.deletion_fails = [{"code": "Ec2SecurityGroupDeletionFailure", "message": "in use", "resourceIds": []}]
    await made.world.client.delete(MachinePool, POOL, NS)
    await made.until_says("EKSNodegroupReady", "DeletingFailed", "in use")
    made.group.deletion_fails = None
    await made.gone()
    assert not made.groups


async def test_an_update_under_way_and_a_cluster_that_goes_hold_up_no_deletion(made: NodeGroups) -> None:
    await made.begin(ONE)
    await made.world.running_pool(POOL, 1)
    group = made.group
    group.status, group.stands = "UPDATING", True
    await made.world.client.delete(MachinePool, POOL, NS)
    await made.until_says("EKSNodegroupReady", "Deleting", "is UPDATING")
    group.stands = False
    await made.gone()
    assert not made.groups


async def test_a_pool_ends_though_the_cluster_is_gone_in_eks(made: NodeGroups) -> None:
    await made.begin(ONE)
    await made.world.running_pool(POOL, 1)
    made.backend.clusters.pop(CLUSTER)
    await made.end()
    assert not made.roles


async def test_a_pool_ends_though_its_control_plane_is_gone(made: NodeGroups) -> None:
    await made.begin(ONE)
    await made.world.running_pool(POOL, 1)
    patch = {"metadata": {"finalizers": None}}
    await made.world.patch(AWSManagedControlPlane, "demo-control-plane", patch)
    await made.world.client.delete(AWSManagedControlPlane, "demo-control-plane", NS)
    await made.world.client.delete(Cluster, "demo", NS)
    await made.gone()
    assert not made.groups
    assert not made.roles
