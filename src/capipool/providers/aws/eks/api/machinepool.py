"""AWSManagedMachinePool: a node group of an EKS cluster. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.aws.api.machinepool import LaunchTemplate, LifecycleHook
from capipool.providers.aws.api.shared import GROUP

AMI_TYPES = (
    *("AL2_x86_64", "AL2_x86_64_GPU", "AL2_ARM_64", "CUSTOM"),
    *("BOTTLEROCKET_ARM_64", "BOTTLEROCKET_x86_64", "BOTTLEROCKET_ARM_64_FIPS", "BOTTLEROCKET_x86_64_FIPS"),
    *("BOTTLEROCKET_ARM_64_NVIDIA", "BOTTLEROCKET_x86_64_NVIDIA"),
    *("WINDOWS_CORE_2019_x86_64", "WINDOWS_FULL_2019_x86_64", "WINDOWS_CORE_2022_x86_64", "WINDOWS_FULL_2022_x86_64"),
    *("AL2023_x86_64_STANDARD", "AL2023_ARM_64_STANDARD", "AL2023_x86_64_NEURON"),
    *("AL2023_x86_64_NVIDIA", "AL2023_ARM_64_NVIDIA"),
)
_Share = Annotated[int, Limits(minimum=1, maximum=100)]


class NodeRepairConfig(Model):
    """Whether EKS replaces nodes that are not well."""

    enabled: Annotated[bool, Limits(default=False)] | None = None


class RemoteAccess(Model):
    """Who may log in to nodes."""

    public: bool | None = None
    source_security_groups: tuple[str, ...] = ()
    ssh_key_name: str = ""


class Scaling(Model):
    """Within which numbers of nodes the group is scaled."""

    max_size: Int32 | None = None
    min_size: Int32 | None = None


class Taint(Model):
    """A taint of the group's nodes."""

    effect: Annotated[str, Limits(enum=("no-schedule", "no-execute", "prefer-no-schedule"))]
    key: str
    value: str


class UpdateConfig(Model):
    """How many nodes may be away while EKS replaces them."""

    max_unavailable: _Share | None = None
    max_unavailable_percentage: _Share | None = None


class AWSManagedMachinePoolSpec(Model):
    """What is wanted; the controller fills in the provider IDs."""

    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    ami_type: Annotated[str, Limits(enum=AMI_TYPES, default="AL2_x86_64")] = ""
    ami_version: Annotated[str, Limits(min_length=2)] = ""
    availability_zone_subnet_type: Annotated[str, Limits(enum=("public", "private", "all"))] = ""
    availability_zones: tuple[str, ...] = ()
    aws_launch_template: LaunchTemplate | None = None
    capacity_type: Annotated[str, Limits(enum=("onDemand", "spot"), default="onDemand")] = ""
    disk_size: Int32 | None = None
    eks_nodegroup_name: str = ""
    instance_type: str = ""
    labels: dict[str, str] = msgspec.field(default_factory=dict)
    lifecycle_hooks: tuple[LifecycleHook, ...] = ()
    node_repair_config: NodeRepairConfig | None = None
    provider_id_list: tuple[str, ...] = ()
    remote_access: RemoteAccess | None = None
    role_additional_policies: tuple[str, ...] = ()
    role_name: str = ""
    role_path: str = ""
    role_permissions_boundary: str = ""
    scaling: Scaling | None = None
    subnet_ids: tuple[str, ...] = msgspec.field(default=(), name="subnetIDs")
    taints: tuple[Taint, ...] = ()
    update_config: UpdateConfig | None = None


class AWSManagedMachinePoolStatus(Model):
    """What is observed, by the contract of v1beta1."""

    ready: Annotated[bool, Limits(default=False, required=True)] = False
    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: str = ""
    failure_reason: str = ""
    launch_template_id: str = ""
    launch_template_version: str = ""
    replicas: Int32 | None = None


class AWSManagedMachinePool(Object, kw_only=True):
    """A node group of an EKS cluster."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSManagedMachinePool", "awsmanagedmachinepools")

    spec: AWSManagedMachinePoolSpec = AWSManagedMachinePoolSpec()
    status: AWSManagedMachinePoolStatus = AWSManagedMachinePoolStatus()
