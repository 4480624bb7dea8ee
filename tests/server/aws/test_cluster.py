"""An AWSCluster is facts: found by tags or given, never made; and left alone where somebody else manages it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.cluster import FINALIZER
from tests.server.aws import cloud
from tests.server.aws.world import IDENTITY, Region, region, said
from tests.server.clouds.world import NS

PAIR = """
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {{name: {name}}}
spec:
  infrastructureRef: {{apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSCluster, name: {name}}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSCluster
metadata: {{name: {name}, annotations: {annotations}}}
spec: {spec}
"""


async def make(aws: Region, name: str, spec: str = "{region: us-east-1}", annotations: str = "{}") -> None:
    await aws.world.load(PAIR.format(name=name, spec=spec, annotations=annotations))


async def until(aws: Region, name: str, so: Callable[[AWSCluster], bool]) -> AWSCluster:
    async def is_so() -> bool:
        return so(await aws.world.client.get(AWSCluster, name, NS))

    async def why() -> object:
        return (await aws.world.client.get(AWSCluster, name, NS)).status

    await aws.world.until(is_so, why=why)
    return await aws.world.client.get(AWSCluster, name, NS)


async def test_a_cluster_is_what_is_found_or_given_and_says_what_is_missing() -> None:
    with cloud.running() as running:
        async with region(running) as aws:
            await make(aws, "demo")
            found = await until(aws, "demo", lambda c: bool(c.status.ready))
            assert [s.id for s in found.spec.network.subnets] == [aws.facts["subnet"]]
            assert not found.spec.network.subnets[0].is_public
            assert found.spec.control_plane_endpoint.port == 443
            assert list(found.status.failure_domains) == ["us-east-1a"]
            vpc = running.ec2.describe_subnets(SubnetIds=[aws.facts["subnet"]])["Subnets"][0]["VpcId"]
            assert found.spec.network.vpc.id == vpc, "filters of pools are to match within it"

            made = running.ec2.create_subnet(VpcId=vpc, CidrBlock="10.0.1.0/24", AvailabilityZone="us-east-1b")
            another = made["Subnet"]["SubnetId"]
            running.tag(another, {"kubernetes.io/cluster/demo": "shared", "kubernetes.io/role/elb": "1"})
            await aws.world.patch(AWSCluster, "demo", {"metadata": {"annotations": {"test/again": "1"}}})
            found = await until(aws, "demo", lambda c: len(c.spec.network.subnets) == 2)
            assert {s.id: s.is_public for s in found.spec.network.subnets}[another]

            endpoint = "controlPlaneEndpoint: {host: api.example, port: 6443}"
            network = f"network: {{subnets: [{{id: {another}}}], securityGroupOverrides: {{node: sg-9}}}}"
            await make(aws, "given", f"{{region: us-east-1, {endpoint}, {network}}}")
            given = await until(aws, "given", lambda c: bool(c.status.ready))
            assert given.status.network_status.security_groups["node"].id == "sg-9"
            assert list(given.status.failure_domains) == ["us-east-1b"]
            assert given.spec.control_plane_endpoint.host == "api.example"

            await make(aws, "lost")
            lost = await until(aws, "lost", lambda c: said(c.status.conditions, "Ready")[0] == "False")
            assert said(lost.status.conditions, "Ready")[1] == "ClusterFactsMissing"
            assert "makes no VPC, subnet, security group or load balancer" in said(lost.status.conditions, "Ready")[2]
            assert "in the Secret lost-kubeconfig, key value" in said(lost.status.conditions, "Ready")[2]
            assert not lost.status.ready
            there = await aws.world.client.get(Secret, "demo-kubeconfig", NS)
            copy = ObjectMeta(name="lost-kubeconfig", namespace=NS)
            await aws.world.client.create(objects.new(Secret, metadata=copy, type=there.type, data=there.data))
            await until(aws, "lost", lambda c: bool(c.status.ready))

            await make(aws, "theirs", annotations="{cluster.x-k8s.io/managed-by: terraform}")
            await aws.world.patch(AWSCluster, "demo", {"metadata": {"annotations": {"test/again": "2"}}})
            await until(aws, "theirs", lambda c: bool(c.metadata.owner_references))
            theirs = await aws.world.client.get(AWSCluster, "theirs", NS)
            assert theirs.status.conditions == ()
            assert theirs.spec.control_plane_endpoint.host == ""


async def test_an_identity_that_comes_later_is_used_at_once() -> None:
    with cloud.running() as running:
        async with region(running) as aws:
            reference = "identityRef: {kind: AWSClusterStaticIdentity, name: team}"
            await make(aws, "demo", f"{{region: us-east-1, {reference}}}")
            await until(aws, "demo", lambda c: "there is no AWSCl" in said(c.status.conditions, "Ready")[2])
            for raw in IDENTITY:
                await aws.world.client.apply(raw)
            await until(aws, "demo", lambda c: bool(c.status.ready))


async def test_subnets_that_somebody_names_meanwhile_are_not_replaced_by_those_that_were_found() -> None:
    with cloud.running() as running:
        async with region(running) as aws:
            loop, named = (
                asyncio.get_running_loop(),
                {"subnets": [{"id": "subnet-9", "availabilityZone": "us-east-1c"}]},
            )
            written: list[str] = []

            def meanwhile(number: int, action: str) -> None:
                if action == "ec2:DescribeSubnets" and not written:
                    written.append(action)
                    patch = aws.world.patch(AWSCluster, "demo", {"spec": {"network": named}})
                    asyncio.run_coroutine_threadsafe(patch, loop).result(timeout=10)

            aws.wire.fault = meanwhile
            await make(aws, "demo")
            found = await until(aws, "demo", lambda c: bool(c.status.ready))
            assert [s.id for s in found.spec.network.subnets] == ["subnet-9"]
            assert "capipool.io/found-subnets" not in found.metadata.annotations


async def test_a_cluster_without_pools_goes_at_once_also_where_only_it_is_deleted() -> None:
    with cloud.running() as running:
        async with region(running) as aws:
            for name in ("demo", "ended"):
                await make(aws, name, "{region: us-east-1, controlPlaneEndpoint: {host: there, port: 443}}")
                await until(aws, name, lambda c: FINALIZER in c.metadata.finalizers and bool(c.status.ready))
            await aws.world.client.delete(AWSCluster, "demo", NS)
            await aws.world.client.delete(Cluster, "ended", NS)

            async def gone() -> bool:
                return not await aws.world.client.list(AWSCluster, NS)

            await aws.world.until(gone, seconds=5)
            assert aws.wire.writes() == []
