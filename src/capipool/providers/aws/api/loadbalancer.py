"""Load balancers of an AWSCluster, wanted and found. capipool makes none; the fields are upstream's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits


class ListenerHealthCheck(Model):
    """How a listener's targets are checked."""

    interval_seconds: Annotated[Int64, Limits(minimum=5, maximum=300)] | None = None
    path: str = ""
    port: str = ""
    protocol: Annotated[str, Limits(enum=("TCP", "HTTP", "HTTPS"))] = ""
    threshold_count: Annotated[Int64, Limits(minimum=2, maximum=10)] | None = None
    timeout_seconds: Annotated[Int64, Limits(minimum=2, maximum=120)] | None = None
    unhealthy_threshold_count: Annotated[Int64, Limits(minimum=2, maximum=10)] | None = None


class Listener(Model):
    """A further port of the load balancer."""

    port: Annotated[Int64, Limits(minimum=1, maximum=65535)]
    health_check: ListenerHealthCheck = ListenerHealthCheck()
    protocol: Annotated[str, Limits(enum=("TCP",), default="TCP")] = ""
    target_group_ip_type: Annotated[str, Limits(enum=("ipv4", "ipv6"))] = ""


class HealthCheck(Model):
    """How API servers are checked."""

    interval_seconds: Annotated[Int64, Limits(minimum=5, maximum=300)] | None = None
    threshold_count: Annotated[Int64, Limits(minimum=2, maximum=10)] | None = None
    timeout_seconds: Annotated[Int64, Limits(minimum=2, maximum=120)] | None = None
    unhealthy_threshold_count: Annotated[Int64, Limits(minimum=2, maximum=10)] | None = None


class IngressRule(Model):
    """What may come in."""

    description: str
    from_port: Int64
    protocol: Annotated[str, Limits(enum=("-1", "4", "tcp", "udp", "icmp", "58", "50"))]
    to_port: Int64
    cidr_blocks: tuple[str, ...] = ()
    ipv6_cidr_blocks: tuple[str, ...] = msgspec.field(default=(), name="ipv6CidrBlocks")
    nat_gateways_ips_source: bool | None = msgspec.field(default=None, name="natGatewaysIPsSource")
    source_security_group_ids: tuple[str, ...] = ()
    source_security_group_roles: tuple[
        Annotated[str, Limits(enum=("bastion", "node", "controlplane", "apiserver-lb", "lb", "node-eks-additional"))],
        ...,
    ] = ()


class LoadBalancer(Model):
    """The load balancer before the API servers; accepted, not made."""

    additional_listeners: Annotated[tuple[Listener, ...], Limits(list_map_keys=("port",))] = ()
    additional_security_groups: tuple[str, ...] = ()
    cross_zone_load_balancing: bool | None = None
    disable_hosts_rewrite: bool | None = None
    dns_resolution_check: Annotated[str, Limits(enum=("None", "Enabled"))] = ""
    health_check: HealthCheck = HealthCheck()
    health_check_protocol: Annotated[str, Limits(enum=("TCP", "SSL", "HTTP", "HTTPS", "TLS", "UDP"))] = ""
    ingress_rules: tuple[IngressRule, ...] = ()
    load_balancer_type: Annotated[str, Limits(enum=("classic", "elb", "alb", "nlb", "disabled"), default="classic")] = (
        ""
    )
    name: Annotated[
        str, Limits(max_length=32, pattern="^[A-Za-z0-9]([A-Za-z0-9]{0,31}|[-A-Za-z0-9]{0,30}[A-Za-z0-9])$")
    ] = ""
    preserve_client_ip: bool | None = None
    scheme: Annotated[str, Limits(enum=("internet-facing", "internal"), default="internet-facing")] = ""
    subnets: tuple[str, ...] = ()
    target_group_ip_type: Annotated[str, Limits(enum=("ipv4", "ipv6"))] = ""


class ClassicAttributes(Model):
    """Attributes of a classic load balancer that was found."""

    cross_zone_load_balancing: bool | None = None
    idle_timeout: Int64 | None = None


class TargetHealthCheck(Model):
    """How a target group checks."""

    interval_seconds: Int64 | None = None
    path: str = ""
    port: str = ""
    protocol: str = ""
    threshold_count: Int64 | None = None
    timeout_seconds: Int64 | None = None
    unhealthy_threshold_count: Int64 | None = None


class TargetGroup(Model):
    """Where a listener forwards to."""

    name: Annotated[str, Limits(max_length=32)]
    port: Int64
    protocol: Annotated[str, Limits(enum=("tcp", "tls", "udp", "TCP", "TLS", "UDP"))]
    vpc_id: str = msgspec.field(name="vpcId")
    ip_type: str = ""
    target_group_health_check: TargetHealthCheck = TargetHealthCheck()


class ObservedListener(Model):
    """A listener that was found."""

    port: Int64
    protocol: str
    target_group: TargetGroup


class ClassicHealthCheck(Model):
    """How a classic load balancer checks."""

    healthy_threshold: Int64
    interval: Int64
    target: str
    timeout: Int64
    unhealthy_threshold: Int64


class ClassicListener(Model):
    """A listener of a classic load balancer."""

    instance_port: Int64
    instance_protocol: str
    port: Int64
    protocol: str


class ObservedLoadBalancer(Model):
    """A load balancer that was found."""

    arn: str = ""
    attributes: ClassicAttributes = ClassicAttributes()
    availability_zones: tuple[str, ...] = ()
    dns_name: str = ""
    elb_attributes: dict[str, str] = msgspec.field(default_factory=dict)
    elb_listeners: tuple[ObservedListener, ...] = ()
    health_checks: ClassicHealthCheck | None = None
    listeners: tuple[ClassicListener, ...] = ()
    load_balancer_ip_address_type: Annotated[
        str, Limits(enum=("ipv4", "dualstack", "dualstack-without-public-ipv4"))
    ] = ""
    load_balancer_type: Annotated[str, Limits(enum=("classic", "elb", "alb", "nlb"))] = ""
    name: str = ""
    scheme: str = ""
    security_group_ids: tuple[str, ...] = ()
    subnet_ids: tuple[str, ...] = ()
    tags: dict[str, str] = msgspec.field(default_factory=dict)
