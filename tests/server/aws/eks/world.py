"""An EKS cluster that exists, in moto, under a whole installation. The test plays its API server, and its doorkeeper.

Moto's clusters have an invented endpoint and authority. Here they say those of the embedded server, so that what
capipool reads from DescribeCluster is what it then talks to. Who comes with a token is let in as EKS does it: its age
is looked at, and its signature, over the name of this cluster, is verified.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import hmac
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

from moto.backends import get_backend
from moto.ssm.models import Parameter

from capipool.api.builtin import Secret
from capipool.app.spaces import user_of
from capipool.machinery.calls import User
from capipool.machinery.objects import Raw
from capipool.providers.aws import kinds
from capipool.providers.aws import setup as aws
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks import setup as eks
from capipool.providers.aws.eks import tokens
from capipool.providers.aws.eks.api.cluster import AWSManagedCluster
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.runtime import Manager
from capipool.sdk import Intervals
from capipool.workload.connections import Connections
from tests.server.aws.cloud import ACCOUNT, REGION, Cloud
from tests.server.clouds import world as clouds
from tests.server.clouds.joining import Joiner
from tests.server.clouds.world import NS, World

CLUSTER = "prod"
"""Its name in EKS; the Cluster's is `demo`."""
FAST = Intervals(converging=dt.timedelta(milliseconds=100), rest=dt.timedelta(milliseconds=500))
BUSY = Intervals(converging=dt.timedelta(milliseconds=50), rest=dt.timedelta(milliseconds=50))
"""For tests that count looks."""

MANIFEST = f"""
apiVersion: cluster.x-k8s.io/v1beta2
kind: Cluster
metadata: {{name: demo}}
spec:
  infrastructureRef: {{apiGroup: infrastructure.cluster.x-k8s.io, kind: AWSManagedCluster, name: demo}}
  controlPlaneRef: {{apiGroup: controlplane.cluster.x-k8s.io, kind: AWSManagedControlPlane, name: demo}}
---
apiVersion: infrastructure.cluster.x-k8s.io/v1beta2
kind: AWSManagedCluster
metadata: {{name: demo}}
spec: {{}}
---
apiVersion: controlplane.cluster.x-k8s.io/v1beta2
kind: AWSManagedControlPlane
metadata: {{name: demo}}
spec:
  region: {REGION}
  eksClusterName: {CLUSTER}
  version: v1.31.4
"""


class Counting(Calls):
    """Notes every call, and fails those that a test names."""

    def __init__(self, **named: Any) -> None:
        super().__init__(**named)
        self.made: list[str] = []
        self.actions: set[str] = set()
        """What IAM calls the calls that were made: `eks:DescribeCluster`."""
        self.fail: Callable[[str], Exception | None] = lambda operation: None

    async def call(self, region: str, service: str, operation: str, **parameters: Any) -> Raw:
        self.made.append(operation)
        self.actions.add(f"{service}:{operation.title().replace('_', '')}")
        if (error := self.fail(operation)) is not None:
            raise error
        return await super().call(region, service, operation, **parameters)

    async def use(self, region: str, service: str, function: Any) -> Any:
        self.made.append(f"use {service}")
        if (error := self.fail(f"use {service}")) is not None:
            raise error
        return await super().use(region, service, function)


class EKS:
    """A whole installation over a region of AWS with an EKS cluster in it."""

    def __init__(self, cloud: Cloud, calls: Counting, facts: dict[str, str]) -> None:
        self.cloud = cloud
        self.calls = calls
        self.facts = facts
        """Of the network that was made: `vpc`, `subnet`, `public`, `group`, `cluster_group`."""
        self.name = CLUSTER
        self.seen: list[str] = []
        """The tokens that were let in, each once, in their order."""
        self.world: World
        self.joiner: Joiner

    def make_cluster(self, name: str = CLUSTER) -> None:
        """Somebody creates the EKS cluster."""
        self.name = name
        subnets = [self.facts["subnet"], self.facts["public"]]
        self.cloud.client("eks").create_cluster(
            name=name,
            version="1.31",
            roleArn=f"arn:aws:iam::{ACCOUNT}:role/eks",
            resourcesVpcConfig={"subnetIds": subnets, "securityGroupIds": [self.facts["group"]]},
            kubernetesNetworkConfig={"serviceIpv4Cidr": "10.100.0.0/16"},
        )
        home = self.world.running.home
        assert home is not None
        made = self.cluster
        made.endpoint = f"{home.url}/workload/{NS}/demo"
        made.certificate_authority = {"data": base64.b64encode(home.ca).decode()}
        made.resources_vpc_config |= {
            "vpcId": self.facts["vpc"],
            "clusterSecurityGroupId": self.facts["cluster_group"],
        }

    def publish(self, version: str) -> str:
        """EKS publishes its image of Amazon Linux 2023 for a minor version: moto has none, and lets nobody put one."""
        image = self.cloud.image(f"v{version}.0", "al2023")
        name = f"/aws/service/eks/optimized-ami/{version}/amazon-linux-2023/x86_64/standard/recommended/image_id"
        moment = self.world.running.clock.now()
        made = Parameter(ACCOUNT, name, image, "String", None, None, None, moment, 1, "text")
        get_backend("ssm")[ACCOUNT][REGION]._parameters[name].append(made)
        return image

    @property
    def cluster(self) -> Any:
        """The cluster as moto keeps it; what a test sets is what DescribeCluster says."""
        return get_backend("eks")[ACCOUNT][REGION].clusters[self.name]

    async def control_plane(self) -> AWSManagedControlPlane:
        return await self.world.client.get(AWSManagedControlPlane, "demo", NS)

    async def managed_cluster(self) -> AWSManagedCluster:
        return await self.world.client.get(AWSManagedCluster, "demo", NS)

    async def secret(self, name: str) -> Secret:
        return await self.world.client.get(Secret, name, NS)

    async def until(self, so: Callable[[AWSManagedControlPlane], bool], seconds: float = 20) -> AWSManagedControlPlane:
        """Wait until something is so of the control plane, and return it."""

        async def is_so() -> bool:
            return so(await self.control_plane())

        async def why() -> object:
            found = await self.control_plane()
            return found.spec.control_plane_endpoint, found.status

        await self.world.until(is_so, seconds=seconds, why=why)
        return await self.control_plane()

    def let_in(self, token: str) -> User | None:
        """EKS's doorkeeper: looks at a token's age, and at who signed it for which cluster."""
        signed = tokens.signed_at(token)
        now = self.world.running.clock.now()
        if signed is None or not dt.timedelta(0) <= now - signed + dt.timedelta(seconds=1) < tokens.VALID:
            return None
        text = token.removeprefix(tokens.PREFIX)
        url = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
        if not is_signed(url, {"x-k8s-aws-id": self.name}, secret="test"):
            return None
        if token not in self.seen:
            self.seen.append(token)
        return user_of(f"{NS}/demo")


def is_signed(url: str, headers: dict[str, str], *, secret: str) -> bool:
    """Whether an address holds AWS's signature, version 4, over itself and these headers."""
    parts = urlsplit(url)
    fields = dict(parse_qsl(parts.query))
    signature, names = fields.pop("X-Amz-Signature"), fields["X-Amz-SignedHeaders"]
    known = {"host": parts.netloc, **headers}
    if names.split(";") != sorted(known):
        return False
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(fields.items()))
    lines = "".join(f"{name}:{known[name]}\n" for name in sorted(known))
    empty = hashlib.sha256(b"").hexdigest()
    request = f"GET\n{parts.path or '/'}\n{query}\n{lines}\n{names}\n{empty}"
    scope = fields["X-Amz-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for step in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{fields['X-Amz-Date']}\n{scope}\n{digest}"):
        key = hmac.new(key, step.encode(), hashlib.sha256).digest()
    return hmac.compare_digest(key.hex(), signature)


def condition(obj: Any, type_: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition."""
    found = next((c for c in obj.status.conditions if c.type == type_), None)
    return (found.status, found.reason, found.message) if found is not None else ("", "", "")


def furnish(cloud: Cloud) -> dict[str, str]:
    """A network such as eksctl makes: a private and a public subnet, told apart by their routes alone."""
    ec2 = cloud.ec2
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    private, public = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=f"10.0.{n}.0/24", AvailabilityZone=zone)["Subnet"]["SubnetId"]
        for n, zone in enumerate(("us-east-1a", "us-east-1b"))
    )
    gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
    ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
    table = ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"]
    ec2.create_route(RouteTableId=table, DestinationCidrBlock="0.0.0.0/0", GatewayId=gateway)
    ec2.associate_route_table(RouteTableId=table, SubnetId=public)
    own, more = (
        ec2.create_security_group(GroupName=name, Description="n", VpcId=vpc)["GroupId"]
        for name in (f"eks-cluster-sg-{CLUSTER}", "additional")
    )
    cloud.tag(more, {"sigs.k8s.io/cluster-api-provider-aws/role": "node-eks-additional"})
    return {"vpc": vpc, "subnet": private, "public": public, "cluster_group": own, "group": more}


@asynccontextmanager
async def installed(
    cloud: Cloud, *, intervals: Intervals = FAST, node_groups: Intervals | None = None, pools: bool = False
) -> AsyncIterator[EKS]:
    """An installation over moto, without the EKS cluster, and without any object of it yet. `pools`: of AWS, too.

    `node_groups` is how often those are looked at, if not as often as clusters.
    """
    calls = Counting(rng=random.Random(4), endpoint=cloud.endpoint, rate=1000)
    made = EKS(cloud, calls, furnish(cloud))

    def add(manager: Manager, connections: Connections) -> None:
        if pools:  # and EKS's kinds with them
            aws.setup(manager, connections, rng=random.Random(4), calls=calls, intervals=intervals)
        else:
            eks.setup(manager, connections, calls=calls, intervals=intervals, node_group_intervals=node_groups)

    async with clouds.world(add, crds=kinds.crds(), rules=kinds.rules()) as world:
        for name in ("demo-kubeconfig", "demo-ca"):  # of a cluster that is not EKS's
            await world.client.delete(Secret, name, NS)
        made.world = world
        world.running.authenticator.by_token = made.let_in  # type: ignore[method-assign]
        made.joiner = world.joiner(cloud.running)
        try:
            yield made
        finally:
            await world.stop()
            await calls.close()
