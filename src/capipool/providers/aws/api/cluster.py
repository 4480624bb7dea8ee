"""AWSCluster: the network and the security groups that nodes live in, as facts. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.aws.api.bastion import Bastion, BastionStatus
from capipool.providers.aws.api.loadbalancer import IngressRule, LoadBalancer, ObservedLoadBalancer
from capipool.providers.aws.api.network import Network
from capipool.providers.aws.api.shared import GROUP


class Endpoint(Model):
    """Where the API server is reached."""

    host: Annotated[str, Limits(max_length=512)] = ""
    port: Int32 | None = None


class IdentityReference(Model):
    """Which identity calls to AWS are made with."""

    kind: Annotated[
        str, Limits(enum=("AWSClusterControllerIdentity", "AWSClusterRoleIdentity", "AWSClusterStaticIdentity"))
    ]
    name: Annotated[str, Limits(min_length=1)]


class S3Bucket(Model):
    """Where boot data of Ignition goes. It must be there."""

    name: Annotated[str, Limits(min_length=3, max_length=63, pattern="^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")]
    best_effort_delete_objects: bool | None = None
    control_plane_iam_instance_profile: str = msgspec.field(default="", name="controlPlaneIAMInstanceProfile")
    nodes_iam_instance_profiles: tuple[str, ...] = msgspec.field(default=(), name="nodesIAMInstanceProfiles")
    presigned_url_duration: str = ""


class AWSClusterSpec(Model):
    """Where the cluster is, and what it is made of."""

    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    bastion: Bastion = Bastion()
    control_plane_endpoint: Endpoint = Endpoint()
    control_plane_load_balancer: LoadBalancer = LoadBalancer()
    identity_ref: IdentityReference | None = None
    image_lookup_base_os: str = msgspec.field(default="", name="imageLookupBaseOS")
    image_lookup_format: str = ""
    image_lookup_org: str = ""
    network: Network = Network()
    partition: str = ""
    region: str = ""
    s3_bucket: S3Bucket | None = None
    secondary_control_plane_load_balancer: LoadBalancer = LoadBalancer()
    ssh_key_name: str = ""


class FailureDomain(Model):
    """A zone."""

    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    control_plane: bool | None = None


class SecurityGroup(Model):
    """A security group by its role."""

    id: str
    name: str
    ingress_rule: tuple[IngressRule, ...] = ()
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class NetworkStatus(Model):
    """What of the network was found."""

    api_server_elb: ObservedLoadBalancer = ObservedLoadBalancer()
    nat_gateways_ips: tuple[str, ...] = msgspec.field(default=(), name="natGatewaysIPs")
    secondary_api_server_elb: ObservedLoadBalancer = msgspec.field(
        default=ObservedLoadBalancer(), name="secondaryAPIServerELB"
    )
    security_groups: dict[str, SecurityGroup] = msgspec.field(default_factory=dict)


class AWSClusterStatus(Model):
    """What is observed, by the contract of v1beta1."""

    ready: Annotated[bool, Limits(default=False, required=True)] = False
    bastion: BastionStatus | None = None
    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_domains: dict[str, FailureDomain] = msgspec.field(default_factory=dict)
    network_status: NetworkStatus = NetworkStatus()


class AWSCluster(Object, kw_only=True):
    """The network and the security groups of a cluster in AWS."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSCluster", "awsclusters")

    spec: AWSClusterSpec = AWSClusterSpec()
    status: AWSClusterStatus = AWSClusterStatus()
