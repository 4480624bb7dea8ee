"""AWSMachinePool: an Auto Scaling group with its launch template. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits
from capipool.providers.aws.api.shared import (
    GROUP,
    InstanceMetadataOptions,
    PrivateDNSName,
    ResourceReference,
    SpotMarketOptions,
    Volume,
)


class AMIReference(Model):
    """Which image: by its id, or what EKS publishes."""

    eks_lookup_type: Annotated[
        str, Limits(enum=("AmazonLinux", "AmazonLinuxGPU", "AmazonLinux2023", "AmazonLinux2023GPU"))
    ] = ""
    id: str = ""


class EnclaveOptions(Model):
    """Nitro enclaves."""

    enabled: bool | None = None


class LaunchTemplate(Model):
    """What instances are made from."""

    additional_security_groups: tuple[ResourceReference, ...] = ()
    ami: AMIReference = AMIReference()
    capacity_reservation_id: str = msgspec.field(default="", name="capacityReservationId")
    capacity_reservation_preference: Annotated[str, Limits(enum=("", "None", "CapacityReservationsOnly", "Open"))] = ""
    enclave_options: EnclaveOptions = EnclaveOptions()
    iam_instance_profile: str = ""
    image_lookup_base_os: str = msgspec.field(default="", name="imageLookupBaseOS")
    image_lookup_format: str = ""
    image_lookup_org: str = ""
    instance_metadata_options: InstanceMetadataOptions | None = None
    instance_type: str = ""
    market_type: Annotated[str, Limits(enum=("OnDemand", "Spot", "CapacityBlock"))] = ""
    name: str = ""
    non_root_volumes: tuple[Volume, ...] = ()
    private_dns_name: PrivateDNSName | None = msgspec.field(default=None, name="privateDnsName")
    root_volume: Volume | None = None
    spot_market_options: SpotMarketOptions | None = None
    ssh_key_name: str = ""
    version_number: Int64 | None = None


class IgnitionProxy(Model):
    """Proxies that Ignition fetches through."""

    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: Annotated[tuple[Annotated[str, Limits(max_length=2048)], ...], Limits(max_items=64)] = ()


class IgnitionTLS(Model):
    """Authorities that Ignition trusts."""

    certificate_authorities: Annotated[tuple[Annotated[str, Limits(max_length=65536)], ...], Limits(max_items=64)] = ()


class Ignition(Model):
    """How Ignition's data reaches an instance."""

    proxy: IgnitionProxy = IgnitionProxy()
    storage_type: Annotated[
        str, Limits(enum=("ClusterObjectStore", "UnencryptedUserData"), default="ClusterObjectStore")
    ] = ""
    tls: IgnitionTLS = IgnitionTLS()
    version: Annotated[str, Limits(enum=("2.3", "3.0", "3.1", "3.2", "3.3", "3.4"))] = ""


class LifecycleHook(Model):
    """Holds an instance while it starts or ends, until somebody completes it."""

    lifecycle_transition: Annotated[
        str, Limits(enum=("autoscaling:EC2_INSTANCE_LAUNCHING", "autoscaling:EC2_INSTANCE_TERMINATING"))
    ]
    name: str
    default_result: Annotated[str, Limits(enum=("CONTINUE", "ABANDON"))] = ""
    heartbeat_timeout: Annotated[str, Limits(format="duration")] = ""
    notification_metadata: str = ""
    notification_target_arn: str = msgspec.field(default="", name="notificationTargetARN")
    role_arn: str = msgspec.field(default="", name="roleARN")


class InstancesDistribution(Model):
    """How on-demand and spot instances share the group."""

    on_demand_allocation_strategy: Annotated[
        str, Limits(enum=("prioritized", "lowest-price"), default="prioritized")
    ] = ""
    on_demand_base_capacity: Annotated[Int64, Limits(default=0)] | None = None
    on_demand_percentage_above_base_capacity: Annotated[Int64, Limits(default=100)] | None = None
    spot_allocation_strategy: Annotated[
        str,
        Limits(
            enum=("lowest-price", "capacity-optimized", "capacity-optimized-prioritized", "price-capacity-optimized"),
            default="lowest-price",
        ),
    ] = ""


class Override(Model):
    """Another instance type that will do."""

    instance_type: str


class MixedInstancesPolicy(Model):
    """Several instance types and markets in one group."""

    instances_distribution: InstancesDistribution | None = None
    overrides: tuple[Override, ...] = ()


class RefreshPreferences(Model):
    """How the cloud's own rolling replacement goes; `disable` switches replacing off."""

    disable: bool | None = None
    instance_warmup: Int64 | None = None
    max_healthy_percentage: Annotated[Int64, Limits(minimum=100, maximum=200)] | None = None
    min_healthy_percentage: Int64 | None = None
    strategy: str = ""


class Processes(Model):
    """Processes of an Auto Scaling group: true suspends one, false spares it from `all`."""

    add_to_load_balancer: bool | None = None
    alarm_notification: bool | None = None
    az_rebalance: bool | None = None
    health_check: bool | None = None
    instance_refresh: bool | None = None
    launch: bool | None = None
    replace_unhealthy: bool | None = None
    scheduled_actions: bool | None = None
    terminate: bool | None = None


class SuspendProcesses(Model):
    """What the group does not do by itself."""

    all: bool | None = None
    processes: Processes = Processes()


class AWSMachinePoolSpec(Model):
    """What is wanted; the controller fills in the provider IDs."""

    aws_launch_template: Annotated[LaunchTemplate, Limits(required=True)] = LaunchTemplate()
    max_size: Annotated[Int32, Limits(minimum=1, default=1, required=True)] = 1
    min_size: Annotated[Int32, Limits(minimum=0, default=1, required=True)] = 1
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    availability_zone_subnet_type: Annotated[str, Limits(enum=("public", "private", "all"))] = ""
    availability_zones: tuple[str, ...] = ()
    capacity_rebalance: bool | None = None
    default_cool_down: str = ""
    default_instance_warmup: str = ""
    ignition: Ignition | None = None
    lifecycle_hooks: tuple[LifecycleHook, ...] = ()
    mixed_instances_policy: MixedInstancesPolicy | None = None
    provider_id: str = ""
    provider_id_list: tuple[str, ...] = ()
    refresh_preferences: RefreshPreferences | None = None
    subnets: tuple[ResourceReference, ...] = ()
    suspend_processes: SuspendProcesses | None = None


class InstanceStatus(Model):
    """An instance of the group."""

    instance_id: str = ""
    version: str = ""


class AWSMachinePoolStatus(Model):
    """What is observed, by the contract of v1beta1."""

    asg_status: str = ""
    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: str = ""
    failure_reason: str = ""
    infrastructure_machine_kind: str = ""
    instances: tuple[InstanceStatus, ...] = ()
    launch_template_id: str = ""
    launch_template_version: str = ""
    ready: bool | None = None
    replicas: Int32 | None = None


class AWSMachinePool(Object, kw_only=True):
    """An Auto Scaling group."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSMachinePool", "awsmachinepools")

    spec: AWSMachinePoolSpec = AWSMachinePoolSpec()
    status: AWSMachinePoolStatus = AWSMachinePoolStatus()
