"""AzureMachinePool: a virtual machine scale set. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.azure.api.images import Image
from capipool.providers.azure.api.shared import (
    GROUP,
    PendingOperation,
    SystemAssignedIdentityRole,
    UserAssignedIdentity,
)
from capipool.providers.azure.api.virtualmachine import (
    AdditionalCapabilities,
    DataDisk,
    Diagnostics,
    IdentityType,
    NetworkInterface,
    OSDisk,
    SecurityProfile,
    SpotVMOptions,
    VMExtension,
)


class MachinePoolTemplate(Model):
    """What instances are made from."""

    os_disk: Annotated[OSDisk, Limits(required=True)] = OSDisk()
    vm_size: Annotated[str, Limits(required=True)] = ""
    accelerated_networking: bool | None = None
    """Deprecated: admission moves it into the first network interface."""
    additional_capabilities: AdditionalCapabilities | None = None
    data_disks: tuple[DataDisk, ...] = ()
    diagnostics: Diagnostics | None = None
    disable_vm_bootstrap_extension: bool | None = msgspec.field(default=None, name="disableVMBootstrapExtension")
    image: Image | None = None
    network_interfaces: tuple[NetworkInterface, ...] = ()
    security_profile: SecurityProfile | None = None
    spot_vm_options: SpotVMOptions | None = msgspec.field(default=None, name="spotVMOptions")
    ssh_public_key: str = ""
    """In base64."""
    subnet_name: str = ""
    """Deprecated: admission moves it into the first network interface."""
    terminate_notification_timeout: int | None = None
    """In minutes."""
    vm_extensions: tuple[VMExtension, ...] = ()


class RollingUpdate(Model):
    """How far a replacement may go; numbers, or percentages of the replicas."""

    delete_policy: Annotated[str, Limits(enum=("Random", "Newest", "Oldest"), default="Oldest")] = "Oldest"
    max_surge: Annotated[int | str, Limits(default=1)] = 1
    max_unavailable: Annotated[int | str, Limits(default=0)] = 0


class Strategy(Model):
    """How instances are replaced."""

    rolling_update: RollingUpdate | None = None
    type: Annotated[str, Limits(enum=("RollingUpdate",), default="RollingUpdate")] = "RollingUpdate"


_STRATEGY = {
    "type": "RollingUpdate",
    "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0, "deletePolicy": "Oldest"},
}


class AzureMachinePoolSpec(Model):
    """What is wanted; the controller fills in the provider IDs."""

    location: Annotated[str, Limits(required=True)] = ""
    template: Annotated[MachinePoolTemplate, Limits(required=True)] = MachinePoolTemplate()
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    identity: IdentityType = "None"
    orchestration_mode: Annotated[str, Limits(enum=("Flexible", "Uniform"), default="Uniform")] = "Uniform"
    platform_fault_domain_count: Int32 | None = None
    provider_id: str = ""
    provider_id_list: tuple[str, ...] = ()
    role_assignment_name: str = ""
    """Deprecated: admission moves it into `systemAssignedIdentityRole`."""
    strategy: Annotated[Strategy, Limits(default=_STRATEGY)] = Strategy(rolling_update=RollingUpdate())
    system_assigned_identity_role: SystemAssignedIdentityRole | None = None
    user_assigned_identities: tuple[UserAssignedIdentity, ...] = ()
    zone_balance: bool | None = None


class InstanceStatus(Model):
    """An instance of the scale set. Nobody writes these any more."""

    latest_model_applied: bool
    instance_id: str = ""
    instance_name: str = ""
    provider_id: str = ""
    provisioning_state: str = ""
    version: str = ""


class AzureMachinePoolStatus(Model):
    """What is observed, by the contract of v1beta1."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: str = ""
    failure_reason: str = ""
    image: Image | None = None
    infrastructure_machine_kind: str = ""
    instances: tuple[InstanceStatus, ...] = ()
    last_reconciled_replicas: Int32 | None = None
    long_running_operation_states: tuple[PendingOperation, ...] = ()
    provisioning_state: str = ""
    ready: bool | None = None
    replicas: Int32 | None = None
    version: str = ""


class AzureMachinePool(Object, kw_only=True):
    """A virtual machine scale set."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureMachinePool", "azuremachinepools")

    spec: AzureMachinePoolSpec = AzureMachinePoolSpec()
    status: AzureMachinePoolStatus = AzureMachinePoolStatus()
