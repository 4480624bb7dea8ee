"""The network of an AWSCluster: what is given, or was found."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits, Rule
from capipool.providers.aws.api.loadbalancer import IngressRule


class CNIIngressRule(Model):
    """What the network plugin needs to come in."""

    description: str
    from_port: Int64
    protocol: str
    to_port: Int64


class CNI(Model):
    """The network plugin's needs."""

    cni_ingress_rules: tuple[CNIIngressRule, ...] = ()


class Subnet(Model):
    """A subnet of the cluster: `id` names it, or `resourceID` where `id` is only a name in this object."""

    id: str
    availability_zone: str = ""
    cidr_block: str = ""
    ipv6_cidr_block: str = msgspec.field(default="", name="ipv6CidrBlock")
    is_ipv6: bool | None = None
    is_public: bool | None = None
    nat_gateway_id: str = msgspec.field(default="", name="natGatewayId")
    parent_zone_name: str = ""
    resource_id: str = ""
    route_table_id: str = msgspec.field(default="", name="routeTableId")
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    zone_type: Annotated[str, Limits(enum=("availability-zone", "local-zone", "wavelength-zone"))] = ""


class ElasticIPPool(Model):
    """Where public addresses come from."""

    public_ipv4_pool: Annotated[str, Limits(max_length=30)] = ""
    public_ipv4_pool_fallback_order: Annotated[
        str,
        Limits(
            enum=("amazon-pool", "none"),
            rules=(Rule(rule="self in ['none','amazon-pool']", message="must be none or amazon-pool"),),
        ),
    ] = ""


class IPAMPool(Model):
    """Where address blocks come from."""

    id: str = ""
    name: str = ""
    netmask_length: Int64 | None = None


class IPv6(Model):
    """IPv6 of the network."""

    cidr_block: str = ""
    egress_only_internet_gateway_id: str = msgspec.field(default="", name="egressOnlyInternetGatewayId")
    ipam_pool: IPAMPool = IPAMPool()
    pool_id: str = msgspec.field(default="", name="poolId")


class CIDRBlock(Model):
    """A further address block."""

    ipv4_cidr_block: Annotated[str, Limits(min_length=1)] = msgspec.field(name="ipv4CidrBlock")


class VPC(Model):
    """The network that the cluster is in."""

    availability_zone_selection: Annotated[str, Limits(enum=("Ordered", "Random"), default="Ordered")] = ""
    availability_zone_usage_limit: Annotated[int, Limits(minimum=1, default=3)] | None = None
    carrier_gateway_id: Annotated[
        str, Limits(rules=(Rule(rule="self.startsWith('cagw-')", message="must be the id of a carrier gateway"),))
    ] = msgspec.field(default="", name="carrierGatewayId")
    cidr_block: str = ""
    elastic_ip_pool: ElasticIPPool = msgspec.field(default=ElasticIPPool(), name="elasticIpPool")
    empty_routes_default_vpc_security_group: bool | None = msgspec.field(
        default=None, name="emptyRoutesDefaultVPCSecurityGroup"
    )
    id: str = ""
    internet_gateway_id: str = msgspec.field(default="", name="internetGatewayId")
    ipam_pool: IPAMPool = IPAMPool()
    ipv6: IPv6 | None = None
    private_dns_hostname_type_on_launch: Annotated[str, Limits(enum=("ip-name", "resource-name"))] = msgspec.field(
        default="", name="privateDnsHostnameTypeOnLaunch"
    )
    secondary_cidr_blocks: tuple[CIDRBlock, ...] = msgspec.field(default=(), name="secondaryCidrBlocks")
    subnet_schema: Annotated[str, Limits(enum=("PreferPrivate", "PreferPublic"), default="PreferPrivate")] = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class Network(Model):
    """The network of the cluster: facts, given here or found by tags."""

    additional_control_plane_ingress_rules: tuple[IngressRule, ...] = ()
    additional_node_ingress_rules: tuple[IngressRule, ...] = ()
    cni: CNI = CNI()
    node_port_ingress_rule_cidr_blocks: tuple[str, ...] = msgspec.field(
        default=(), name="nodePortIngressRuleCidrBlocks"
    )
    security_group_overrides: dict[str, str] = msgspec.field(default_factory=dict)
    subnets: Annotated[tuple[Subnet, ...], Limits(list_map_keys=("id",))] = ()
    vpc: VPC = VPC()
