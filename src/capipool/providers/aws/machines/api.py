"""AWSMachine and AWSMachineTemplate. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits, Rule
from capipool.providers.aws.api.machinepool import AMIReference, Ignition
from capipool.providers.aws.api.network import ElasticIPPool
from capipool.providers.aws.api.shared import (
    GROUP,
    CPUOptions,
    DynamicHostAllocation,
    InstanceMetadataOptions,
    PrivateDNSName,
    ResourceReference,
    SpotMarketOptions,
    Volume,
)

QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|"
    r"([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


class CloudInit(Model):
    """Where cloud-init's data is kept until the instance has fetched it; skipped, it stands in the user data."""

    insecure_skip_secrets_manager: bool | None = None
    secret_count: Int32 | None = None
    secret_prefix: str = ""
    secure_secrets_backend: Annotated[str, Limits(enum=("secrets-manager", "ssm-parameter-store"))] = ""


class AWSMachineSpec(Model):
    """What is wanted; the controller fills in the provider ID and the instance's."""

    LIMITS: ClassVar = Limits(
        rules=(
            Rule(
                rule="!has(self.capacityReservationId) || !has(self.marketType) || self.marketType != 'Spot'",
                message="capacityReservationId may not be set when marketType is Spot",
            ),
            Rule(
                rule="!has(self.capacityReservationId) || !has(self.spotMarketOptions)",
                message="capacityReservationId cannot be set when spotMarketOptions is specified",
            ),
        )
    )

    instance_type: Annotated[str, Limits(min_length=2, required=True)] = ""
    additional_security_groups: tuple[ResourceReference, ...] = ()
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    ami: AMIReference = AMIReference()
    assign_primary_ipv6: Annotated[str, Limits(enum=("enabled", "disabled"))] = msgspec.field(
        default="", name="assignPrimaryIPv6"
    )
    capacity_reservation_id: str = msgspec.field(default="", name="capacityReservationId")
    capacity_reservation_preference: Annotated[str, Limits(enum=("", "None", "CapacityReservationsOnly", "Open"))] = ""
    cloud_init: CloudInit = CloudInit()
    cpu_options: CPUOptions | None = None
    dynamic_host_allocation: DynamicHostAllocation | None = None
    elastic_ip_pool: ElasticIPPool | None = msgspec.field(default=None, name="elasticIpPool")
    host_affinity: Annotated[str, Limits(enum=("default", "host"), default="default")] = ""
    host_id: Annotated[str, Limits(max_length=19, pattern="^h-[0-9a-f]{17}$")] = ""
    iam_instance_profile: str = ""
    ignition: Ignition | None = None
    image_lookup_base_os: str = msgspec.field(default="", name="imageLookupBaseOS")
    image_lookup_format: str = ""
    image_lookup_org: str = ""
    instance_id: str = ""
    instance_metadata_options: InstanceMetadataOptions | None = None
    market_type: Annotated[str, Limits(enum=("OnDemand", "Spot", "CapacityBlock"))] = ""
    network_interface_type: Annotated[str, Limits(enum=("interface", "efa"))] = ""
    network_interfaces: Annotated[tuple[str, ...], Limits(max_items=2)] = ()
    non_root_volumes: tuple[Volume, ...] = ()
    placement_group_name: str = ""
    placement_group_partition: Annotated[Int64, Limits(minimum=1, maximum=7)] | None = None
    private_dns_name: PrivateDNSName | None = msgspec.field(default=None, name="privateDnsName")
    provider_id: str = ""
    public_ip: bool | None = None
    root_volume: Volume | None = None
    security_group_overrides: dict[str, str] = msgspec.field(default_factory=dict)
    spot_market_options: SpotMarketOptions | None = None
    ssh_key_name: str | None = None
    subnet: ResourceReference | None = None
    tenancy: Annotated[str, Limits(enum=("default", "dedicated", "host"))] = ""
    uncompressed_user_data: bool | None = None


class MachineAddress(Model):
    """An address of a machine."""

    type: Annotated[str, Limits(enum=("Hostname", "ExternalIP", "InternalIP", "ExternalDNS", "InternalDNS"))]
    address: Annotated[str, Limits(min_length=1, max_length=256)]


class DedicatedHost(Model):
    """The host that was made for the machine."""

    id: str = ""


class AWSMachineStatus(Model):
    """What is observed, by the contract of v1beta1."""

    addresses: tuple[MachineAddress, ...] = ()
    conditions: tuple[V1Beta1Condition, ...] = ()
    dedicated_host: DedicatedHost | None = None
    failure_message: str = ""
    failure_reason: str = ""
    instance_state: str = ""
    interruptible: bool | None = None
    ready: bool | None = None


class AWSMachine(Object, kw_only=True):
    """One EC2 instance."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSMachine", "awsmachines")

    spec: AWSMachineSpec = AWSMachineSpec()
    status: AWSMachineStatus = AWSMachineStatus()


class TemplateMetadata(Model):
    """Labels and annotations that machines made from a template get."""

    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class AWSMachineTemplateResource(Model):
    """What machines are made from."""

    spec: Annotated[AWSMachineSpec, Limits(required=True)] = AWSMachineSpec()
    metadata: TemplateMetadata = TemplateMetadata()


class AWSMachineTemplateSpec(Model):
    """What is wanted. It never changes: a new template takes its place."""

    template: Annotated[AWSMachineTemplateResource, Limits(required=True)] = AWSMachineTemplateResource()


class NodeInfo(Model):
    """What nodes of the template will be."""

    architecture: Annotated[str, Limits(enum=("amd64", "arm64"))] = ""
    operating_system: Annotated[str, Limits(enum=("linux", "windows"))] = ""


class AWSMachineTemplateStatus(Model):
    """What the autoscaler may count on while there is no node yet."""

    capacity: dict[str, Annotated[int | str, Limits(pattern=QUANTITY)]] = msgspec.field(default_factory=dict)
    conditions: tuple[V1Beta1Condition, ...] = ()
    node_info: NodeInfo | None = None


class AWSMachineTemplate(Object, kw_only=True):
    """What MachineSets and MachineDeployments make machines from."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSMachineTemplate", "awsmachinetemplates")

    spec: AWSMachineTemplateSpec = AWSMachineTemplateSpec()
    status: AWSMachineTemplateStatus = AWSMachineTemplateStatus()
