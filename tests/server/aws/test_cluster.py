"""An AWSCluster is facts: found by tags or given, never made; and left alone where somebody else manages it."""

from __future__ import annotations

from collections.abc import Callable

from capipool.providers.aws.api.cluster import AWSCluster
from tests.server.aws import cloud
from tests.server.aws.world import Region, region, said
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
            assert not lost.status.ready

            await make(aws, "theirs", annotations="{cluster.x-k8s.io/managed-by: terraform}")
            await aws.world.patch(AWSCluster, "demo", {"metadata": {"annotations": {"test/again": "2"}}})
            await until(aws, "theirs", lambda c: bool(c.metadata.owner_references))
            theirs = await aws.world.client.get(AWSCluster, "theirs", NS)
            assert theirs.status.conditions == ()
            assert theirs.spec.control_plane_endpoint.host == ""
