"""The bastion host of an AWSCluster: accepted as upstream has it; capipool makes none."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.api.shared import Str256
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits
from capipool.providers.aws.api.shared import (
    CPUOptions,
    DynamicHostAllocation,
    InstanceMetadataOptions,
    PrivateDNSName,
    SpotMarketOptions,
    Volume,
)


class Bastion(Model):
    """A bastion host; accepted, not made."""

    allowed_cidr_blocks: tuple[str, ...] = ()
    ami: str = ""
    disable_ingress_rules: bool | None = None
    enabled: bool | None = None
    instance_type: str = ""


class Address(Model):
    """An address of an instance."""

    address: Str256
    type: Annotated[str, Limits(enum=("Hostname", "ExternalIP", "InternalIP", "ExternalDNS", "InternalDNS"))]


class BastionStatus(Model):
    """The bastion host that upstream makes; capipool makes none and keeps what others wrote."""

    id: str
    addresses: tuple[Address, ...] = ()
    assign_primary_ipv6: str = msgspec.field(default="", name="assignPrimaryIPv6")
    availability_zone: str = ""
    capacity_reservation_id: str = msgspec.field(default="", name="capacityReservationId")
    capacity_reservation_preference: Annotated[str, Limits(enum=("", "None", "CapacityReservationsOnly", "Open"))] = ""
    cpu_options: CPUOptions = CPUOptions()
    dynamic_host_allocation: DynamicHostAllocation = DynamicHostAllocation()
    ebs_optimized: bool | None = None
    ena_support: bool | None = None
    host_affinity: Annotated[str, Limits(enum=("default", "host"))] = ""
    host_id: str = ""
    iam_profile: str = ""
    image_id: str = msgspec.field(default="", name="imageId")
    instance_metadata_options: InstanceMetadataOptions | None = None
    instance_state: str = ""
    ipv6_address: str = ""
    market_type: Annotated[str, Limits(enum=("OnDemand", "Spot", "CapacityBlock"))] = ""
    network_interface_type: str = ""
    network_interfaces: tuple[str, ...] = ()
    non_root_volumes: tuple[Volume, ...] = ()
    placement_group_name: str = ""
    placement_group_partition: Annotated[Int64, Limits(minimum=1, maximum=7)] | None = None
    private_dns_name: PrivateDNSName | None = msgspec.field(default=None, name="privateDnsName")
    private_ip: str = msgspec.field(default="", name="privateIp")
    public_ip_on_launch: bool | None = None
    public_ip: str = msgspec.field(default="", name="publicIp")
    root_volume: Volume | None = None
    security_group_ids: tuple[str, ...] = ()
    spot_market_options: SpotMarketOptions | None = None
    ssh_key_name: str = ""
    subnet_id: str = msgspec.field(default="", name="subnetId")
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    tenancy: str = ""
    type: str = ""
    user_data: str = ""
    volume_ids: tuple[str, ...] = msgspec.field(default=(), name="volumeIDs")
