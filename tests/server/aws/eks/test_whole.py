"""From an EKS cluster that exists to a pool of nodes, as docs/eks.md has it: the example, the controllers, moto."""

from __future__ import annotations

import base64
import gzip
from collections.abc import AsyncIterator
from typing import Any

import pytest

from capipool.api.core import Cluster, Machine, MachinePool
from capipool.machinery import codec, errors
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.eks import tokens
from capipool.providers.aws.eks.api.cluster import AWSManagedCluster
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig
from capipool.providers.aws.machines.api import AWSMachine
from capipool.sdk import CloudUnavailable
from tests.server.aws import cloud
from tests.server.aws.eks.world import BUSY, CLUSTER, EKS, condition, installed
from tests.server.clouds.world import NS
from tests.shared import REPOSITORY
from tests.unit.aws.eks.boots import Parts

EXAMPLE = (REPOSITORY / "examples/aws-eks.yaml").read_text()
POOL = "workers"
READS = ("describe_", "get_", "use ")


@pytest.fixture
async def eks() -> AsyncIterator[EKS]:
    with cloud.running() as running:
        async with installed(running, pools=True) as made:
            yield made


@pytest.fixture
async def busy() -> AsyncIterator[EKS]:
    with cloud.running() as running:
        async with installed(running, pools=True, intervals=BUSY) as made:
            yield made


async def begin(eks: EKS, replicas: int = 3) -> str:
    """Somebody has a cluster and an instance profile, and applies the example. Returns the image that EKS publishes."""
    image = eks.publish("1.31")
    eks.make_cluster()
    await eks.world.load(EXAMPLE, edits=(("replicas: 3", f"replicas: {replicas}"),))
    await eks.world.running_pool(POOL, replicas)
    return image


def user_data(eks: EKS) -> Parts:
    """What the newest version of the launch template boots its instances with."""
    data = base64.b64decode(eks.cloud.versions(POOL)[-1]["LaunchTemplateData"]["UserData"])
    return Parts(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


async def test_the_example_reaches_running(eks: EKS) -> None:
    image = await begin(eks)
    group = eks.cloud.group(POOL)
    assert len(group["Instances"]) == 3
    assert group["VPCZoneIdentifier"] == eks.facts["subnet"]
    data = eks.cloud.versions(POOL)[-1]["LaunchTemplateData"]
    assert data["ImageId"] == image
    assert set(data["SecurityGroupIds"]) == {eks.facts["cluster_group"], eks.facts["group"]}
    parts = user_data(eks)
    assert parts.node_config["cluster"]["name"] == CLUSTER
    assert parts.node_config["cluster"]["apiServerEndpoint"] == eks.cluster.endpoint
    assert parts.node_config["kubelet"]["config"] == {"maxPods": 58}
    found = await eks.world.client.get(Cluster, "demo", NS)
    assert found.status.phase == "Provisioned"


async def test_the_pool_scales_rolls_with_its_boot_data_and_goes_within_the_policy_of_the_docs(eks: EKS) -> None:
    await begin(eks, 2)
    token = (await eks.secret("demo-kubeconfig")).data["token-file"]
    await eks.world.restart()  # a new process goes on where the old one stopped
    await eks.world.scale(POOL, 3)
    await eks.world.running_pool(POOL, 3)
    assert (await eks.secret("demo-kubeconfig")).data["token-file"] == token
    before = {i["InstanceId"] for i in eks.cloud.instances(POOL)}
    await eks.world.patch(NodeadmConfig, POOL, {"spec": {"kubelet": {"config": {"maxPods": 110}}}})

    async def rolled() -> bool:
        return not before & {i["InstanceId"] for i in eks.cloud.instances(POOL)}

    await eks.world.until(rolled, seconds=40, why=lambda: eks.world.described(POOL))
    await eks.world.running_pool(POOL, 3)
    assert user_data(eks).node_config["kubelet"]["config"] == {"maxPods": 110}
    await eks.world.client.delete(MachinePool, POOL, NS)

    async def gone() -> bool:
        return eks.cloud.group(POOL) is None and not await eks.world.client.list(AWSMachinePool, NS)

    await eks.world.until(gone, seconds=40)
    assert {a.lower() for a in eks.calls.actions} - {a.lower() for a in allowed()} == set()  # what docs/eks.md allows


async def test_a_replaced_token_disturbs_no_pool_and_rolls_nothing(eks: EKS, monkeypatch: pytest.MonkeyPatch) -> None:
    await begin(eks, 2)
    versions, seen = len(eks.cloud.versions(POOL)), len(eks.seen)
    instances = {i["InstanceId"] for i in eks.cloud.instances(POOL)}
    monkeypatch.setattr(tokens, "REFRESH", tokens.REFRESH / 480)  # a second

    async def replaced() -> bool:
        return len(eks.seen) >= seen + 3

    await eks.world.until(replaced)
    await eks.world.running_pool(POOL, 2)
    assert len(eks.cloud.versions(POOL)) == versions
    assert {i["InstanceId"] for i in eks.cloud.instances(POOL)} == instances


async def test_at_rest_aws_is_not_changed_and_nothing_is_written(busy: EKS) -> None:
    await begin(busy, 2)

    async def available() -> bool:
        return condition(await busy.world.client.get(Cluster, "demo", NS), "Available")[0] == "True"

    await busy.world.until(available)
    last: list[Any] = []

    async def settled() -> bool:
        now = await versions(busy)
        looks = busy.calls.made.count("describe_cluster")
        if not last or last[0] != now:
            last[:] = [now, looks]
        return looks >= last[1] + 10

    await busy.world.until(settled)
    made = len(busy.calls.made)
    looks = busy.calls.made.count("describe_cluster")

    async def ten_more() -> bool:
        return busy.calls.made.count("describe_cluster") >= looks + 10

    await busy.world.until(ten_more)
    assert [call for call in busy.calls.made[made:] if not call.startswith(READS)] == []
    assert await versions(busy) == last[0]


async def versions(eks: EKS) -> list[str]:
    """The versions of all objects of the installation that reconcilers write."""
    client = eks.world.client
    there: list[Any] = [await eks.control_plane(), await eks.managed_cluster(), await client.get(Cluster, "demo", NS)]
    for kind in (MachinePool, AWSMachinePool, NodeadmConfig):
        there.append(await client.get(kind, POOL, NS))
    there += [await eks.secret(name) for name in ("demo-kubeconfig", "demo-user-kubeconfig", POOL)]
    return [obj.metadata.resource_version for obj in there]


async def test_every_call_may_fail_once_on_the_way(eks: EKS) -> None:
    failed: set[str] = set()

    def once(operation: str) -> Exception | None:
        """The first call of each kind is not answered."""
        if operation in failed:
            return None
        failed.add(operation)
        return CloudUnavailable(operation, detail="for this test")

    eks.calls.fail = once
    await begin(eks, 2)
    assert {"describe_cluster", "describe_subnets", "describe_security_groups", "use sts"} <= failed
    assert len(eks.cloud.groups.describe_auto_scaling_groups()["AutoScalingGroups"]) == 1
    assert len(eks.cloud.running()) == 2


async def test_deleting_the_cluster_ends_the_pool_and_leaves_eks(eks: EKS) -> None:
    await begin(eks, 2)
    await eks.world.client.delete(Cluster, "demo", NS)

    async def gone() -> bool:
        try:
            await eks.world.client.get(Cluster, "demo", NS)
        except errors.NotFound:
            return True
        return False

    await eks.world.until(gone, seconds=40)
    assert eks.cloud.running() == []
    assert eks.cluster.status == "ACTIVE"


def allowed() -> set[str]:
    """The actions of the policy in docs/eks.md."""
    text = (REPOSITORY / "docs/eks.md").read_text()
    policy = codec.decode_json_object(text.split("```json\n", 1)[1].split("```", 1)[0])
    found = [statement["Action"] for statement in policy["Statement"]]
    return {action for each in found for action in ([each] if isinstance(each, str) else each)}


def test_the_policy_of_the_docs_names_actions_that_exist() -> None:
    import boto3

    there: set[str] = set()
    for service in {action.split(":")[0] for action in allowed()}:
        library = boto3.client(service, region_name=cloud.REGION)
        there |= {f"{service}:{api}" for api in library.meta.service_model.operation_names}
    assert allowed() - there == {"iam:PassRole"}


DEPLOYMENT = """
---
apiVersion: cluster.x-k8s.io/v1beta2
kind: MachineDeployment
metadata: {name: singles}
spec:
  clusterName: demo
  replicas: 1
  selector: {matchLabels: {of: singles}}
  template:
    metadata: {labels: {of: singles}}
    spec:
      clusterName: demo
      version: v1.31.0
      bootstrap:
        configRef: {apiGroup: bootstrap.cluster.x-k8s.io, kind: NodeadmConfigTemplate, name: singles}
      infrastructureRef: {apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSMachineTemplate, name: singles}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSMachineTemplate
metadata: {name: singles}
spec:
  template: {spec: {instanceType: t3.large, ami: {eksLookupType: AmazonLinux2023}}}
---
apiVersion: bootstrap.cluster.x-k8s.io/v1beta2
kind: NodeadmConfigTemplate
metadata: {name: singles}
spec:
  template: {spec: {preNodeadmCommands: ["echo single"]}}
"""


async def test_single_machines_boot_with_it_too_and_keep_what_they_were_given(eks: EKS) -> None:
    eks.publish("1.31")
    eks.make_cluster()
    await eks.world.load(EXAMPLE.split("# How many nodes", 1)[0].rstrip().removesuffix("---") + DEPLOYMENT)

    async def joined() -> bool:
        return len(await eks.world.ready_nodes()) == 1

    async def why() -> object:
        there = [*await eks.world.client.list(Machine, NS), *await eks.world.client.list(AWSMachine, NS)]
        return [(o.metadata.name, [(c.type, c.reason, c.message) for c in o.status.conditions]) for o in there]

    await eks.world.until(joined, seconds=40, why=why)
    (made,) = await eks.world.client.list(NodeadmConfig, NS)
    before = await eks.secret(made.status.data_secret_name)
    assert "echo single" in Parts(before.data["value"]).of("text/x-shellscript")
    patch = {"spec": {"preNodeadmCommands": ["echo other"]}}
    await eks.world.patch(NodeadmConfig, made.metadata.name, patch)

    async def seen() -> bool:
        found = await eks.world.client.get(NodeadmConfig, made.metadata.name, NS)
        return (found.status.observed_generation or 0) > made.metadata.generation

    await eks.world.until(seen)
    assert (await eks.secret(made.status.data_secret_name)).data == before.data


def test_the_example_names_one_object_of_each_kind() -> None:
    kinds = [raw["kind"] for raw in codec.decode_yaml(EXAMPLE)]
    assert kinds == [
        *("Cluster", "AWSManagedCluster", "AWSManagedControlPlane"),
        *("MachinePool", "AWSMachinePool", "NodeadmConfig"),
    ]


async def test_a_control_plane_that_is_deleted_with_all_the_rest_goes_after_its_pools(
    eks: EKS, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Until then it says what it waits for, and keeps the way into the cluster open."""
    await begin(eks, 1)
    eks.cloud.scaling.slow_deletion = True
    client = eks.world.client
    kinds: tuple[Any, ...] = (AWSManagedControlPlane, AWSManagedCluster, Cluster)
    for kind in kinds:
        await client.delete(kind, "demo", NS)
    waits = ("False", "Deleting", f"waits for AWSMachinePool {POOL} to be deleted")
    await eks.until(lambda p: condition(p, "Ready") == waits)
    token = (await eks.secret("demo-kubeconfig")).data["token-file"]
    monkeypatch.setattr(tokens, "REFRESH", tokens.REFRESH / 480)  # a second

    async def replaced() -> bool:
        return (await eks.secret("demo-kubeconfig")).data["token-file"] != token

    await eks.world.until(replaced)
    assert condition(await eks.control_plane(), "Ready") == waits
    eks.cloud.finish_deletion(POOL)

    async def gone() -> bool:
        return not any([await client.list(kind, NS) for kind in (*kinds, AWSMachinePool, MachinePool)])

    await eks.world.until(gone, seconds=20)
    assert eks.cluster.status == "ACTIVE"
