"""AzureManagedMachinePool: an agent pool of AKS. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.azure.api.nodeconfig import KubeletConfig, LinuxOSConfig
from capipool.providers.azure.api.shared import GROUP, PendingOperation, Quantity


class Scaling(Model):
    """The bounds of AKS's own autoscaler."""

    max_size: int | None = None
    min_size: int | None = None


class Taint(Model):
    """A taint of the pool's nodes."""

    effect: Annotated[str, Limits(enum=("NoSchedule", "NoExecute", "PreferNoSchedule"))]
    key: str
    value: str


class AzureManagedMachinePoolSpec(Model):
    """What is wanted; the controller fills in the provider IDs."""

    mode: Annotated[str, Limits(enum=("System", "User"), required=True)] = ""
    sku: Annotated[str, Limits(required=True)] = ""
    """The size of the machines."""
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    aso_managed_clusters_agent_pool_patches: tuple[str, ...] = ()
    availability_zones: tuple[str, ...] = ()
    enable_encryption_at_host: bool | None = None
    enable_fips: bool | None = msgspec.field(default=None, name="enableFIPS")
    enable_node_public_ip: bool | None = None
    enable_ultra_ssd: bool | None = msgspec.field(default=None, name="enableUltraSSD")
    kubelet_config: KubeletConfig | None = None
    kubelet_disk_type: Annotated[str, Limits(enum=("OS", "Temporary"))] = ""
    linux_os_config: LinuxOSConfig | None = msgspec.field(default=None, name="linuxOSConfig")
    max_pods: int | None = None
    name: str = ""
    node_labels: dict[str, str] = msgspec.field(default_factory=dict)
    node_public_ip_prefix_id: str = ""
    os_disk_size_gb: int | None = msgspec.field(default=None, name="osDiskSizeGB")
    os_disk_type: Annotated[str, Limits(enum=("Ephemeral", "Managed"), default="Managed")] = "Managed"
    os_type: Annotated[str, Limits(enum=("Linux", "Windows"), default="Linux")] = "Linux"
    provider_id_list: tuple[str, ...] = ()
    scale_down_mode: Annotated[str, Limits(enum=("Deallocate", "Delete"), default="Delete")] = "Delete"
    scale_set_priority: Annotated[str, Limits(enum=("Regular", "Spot"))] = ""
    scaling: Scaling | None = None
    spot_max_price: Quantity | None = None
    subnet_name: str = ""
    taints: tuple[Taint, ...] = ()


class AzureManagedMachinePoolStatus(Model):
    """What is observed, by the contract of v1beta1."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    error_message: str = ""
    error_reason: str = ""
    long_running_operation_states: tuple[PendingOperation, ...] = ()
    ready: bool | None = None
    replicas: Int32 | None = None


class AzureManagedMachinePool(Object, kw_only=True):
    """An agent pool of AKS."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureManagedMachinePool", "azuremanagedmachinepools")

    spec: AzureManagedMachinePoolSpec = AzureManagedMachinePoolSpec()
    status: AzureManagedMachinePoolStatus = AzureManagedMachinePoolStatus()
