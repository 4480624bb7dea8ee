"""The network of an AzureCluster: facts here, since capipool makes no network. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits

Role = Annotated[str, Limits(enum=("node", "control-plane", "bastion", "cluster"))]


class IPTag(Model):
    """A tag of a public address, such as where its traffic goes."""

    tag: str
    type: str


class PublicIP(Model):
    """A public address."""

    name: str
    dns_name: str = msgspec.field(default="", name="dnsName")
    ip_tags: tuple[IPTag, ...] = msgspec.field(default=(), name="ipTags")


class NatGateway(Model):
    """Where the traffic of a subnet leaves."""

    name: str
    id: str = ""
    ip: PublicIP | None = None
    zones: tuple[str, ...] = ()


class PrivateLinkServiceConnection(Model):
    """What a private endpoint leads to."""

    group_ids: tuple[str, ...] = msgspec.field(default=(), name="groupIDs")
    name: str = ""
    private_link_service_id: str = ""
    request_message: Annotated[str, Limits(max_length=140)] = ""


class PrivateEndpoint(Model):
    """A door in a subnet to a service elsewhere."""

    name: str
    application_security_groups: tuple[str, ...] = ()
    custom_network_interface_name: str = ""
    location: str = ""
    manual_approval: bool | None = None
    private_ip_addresses: tuple[str, ...] = ()
    private_link_service_connections: tuple[PrivateLinkServiceConnection, ...] = ()


PrivateEndpoints = Annotated[tuple[PrivateEndpoint, ...], Limits(list_map_keys=("name",))]


class ServiceEndpoint(Model):
    """A service of Azure's that a subnet reaches directly."""

    locations: tuple[str, ...]
    service: str


ServiceEndpoints = Annotated[tuple[ServiceEndpoint, ...], Limits(list_map_keys=("service",))]


class RouteTable(Model):
    """The routes of a subnet."""

    name: str
    id: str = ""


class SecurityRule(Model):
    """What a security group lets through, or does not."""

    description: str
    direction: Annotated[str, Limits(enum=("Inbound", "Outbound"))]
    name: str
    protocol: Annotated[str, Limits(enum=("Tcp", "Udp", "Icmp", "*"))]
    action: Annotated[str, Limits(enum=("Allow", "Deny"), default="Allow")] = "Allow"
    destination: str = ""
    destination_ports: str = ""
    priority: Int32 | None = None
    source: str = ""
    source_ports: str = ""
    sources: tuple[str, ...] = ()


class SecurityGroup(Model):
    """What reaches a subnet."""

    name: str
    id: str = ""
    security_rules: Annotated[tuple[SecurityRule, ...], Limits(list_map_keys=("name",))] = ()
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class Subnet(Model):
    """A subnet, and who lives in it."""

    name: str
    role: Role
    cidr_blocks: tuple[str, ...] = msgspec.field(default=(), name="cidrBlocks")
    id: str = ""
    nat_gateway: NatGateway | None = None
    private_endpoints: PrivateEndpoints = ()
    route_table: RouteTable | None = None
    security_group: SecurityGroup | None = None
    service_endpoints: ServiceEndpoints = ()


class PeeringProperties(Model):
    """What passes between two peered networks."""

    allow_forwarded_traffic: bool | None = None
    allow_gateway_transit: bool | None = None
    allow_virtual_network_access: bool | None = None
    use_remote_gateways: bool | None = None


class Peering(Model):
    """Another network that this one is joined with."""

    remote_vnet_name: str
    forward_peering_properties: PeeringProperties | None = None
    resource_group: str = ""
    reverse_peering_properties: PeeringProperties | None = None


class VNet(Model):
    """The virtual network."""

    name: Annotated[str, Limits(required=True)] = ""
    cidr_blocks: tuple[str, ...] = msgspec.field(default=(), name="cidrBlocks")
    id: str = ""
    peerings: tuple[Peering, ...] = ()
    resource_group: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class BackendPool(Model):
    """The machines behind a load balancer."""

    name: str = ""


class FrontendIP(Model):
    """An address of a load balancer."""

    name: Annotated[str, Limits(min_length=1)]
    private_ip: str = ""
    public_ip: PublicIP | None = None


Zone = Annotated[str, Limits(pattern="^[1-3]$")]


class LoadBalancer(Model):
    """A load balancer."""

    availability_zones: Annotated[tuple[Zone, ...], Limits(list_type="set", max_items=3)] = ()
    backend_pool: BackendPool | None = None
    frontend_ips: tuple[FrontendIP, ...] = msgspec.field(default=(), name="frontendIPs")
    frontend_ips_count: Int32 | None = msgspec.field(default=None, name="frontendIPsCount")
    id: str = ""
    idle_timeout_in_minutes: Int32 | None = None
    name: str = ""
    sku: str = ""
    type: str = ""


class LoadBalancerPort(Model):
    """A further port of the API server's load balancer."""

    name: str
    port: Int32


class NetworkSpec(Model):
    """The network of a cluster."""

    additional_api_server_lb_ports: tuple[LoadBalancerPort, ...] = msgspec.field(
        default=(), name="additionalAPIServerLBPorts"
    )
    api_server_lb: LoadBalancer | None = msgspec.field(default=None, name="apiServerLB")
    control_plane_outbound_lb: LoadBalancer | None = msgspec.field(default=None, name="controlPlaneOutboundLB")
    node_outbound_lb: LoadBalancer | None = msgspec.field(default=None, name="nodeOutboundLB")
    private_dns_zone: Annotated[str, Limits(enum=("System", "None"))] = msgspec.field(default="", name="privateDNSZone")
    private_dns_zone_name: str = ""
    private_dns_zone_resource_group: str = ""
    subnets: Annotated[tuple[Subnet, ...], Limits(list_map_keys=("name",))] = ()
    vnet: VNet = VNet()
