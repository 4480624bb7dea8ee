"""AzureMachine: one virtual machine. AzureMachineTemplate: what such machines are made from. As upstream has them."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.images import Image
from capipool.providers.azure.api.shared import (
    GROUP,
    PendingOperation,
    Quantity,
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


class AzureMachineSpec(Model):
    """What is wanted; the controller fills in the provider ID."""

    os_disk: Annotated[OSDisk, Limits(required=True)] = OSDisk()
    vm_size: Annotated[str, Limits(required=True)] = ""
    accelerated_networking: bool | None = None
    """Deprecated: admission moves it into the first network interface."""
    additional_capabilities: AdditionalCapabilities | None = None
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    allocate_public_ip: bool | None = None
    capacity_reservation_group_id: str = ""
    data_disks: tuple[DataDisk, ...] = ()
    diagnostics: Diagnostics | None = None
    disable_extension_operations: bool | None = None
    disable_vm_bootstrap_extension: bool | None = msgspec.field(default=None, name="disableVMBootstrapExtension")
    dns_servers: tuple[str, ...] = msgspec.field(default=(), name="dnsServers")
    enable_ip_forwarding: bool | None = None
    failure_domain: str = ""
    """The zone, where the Machine names none."""
    identity: IdentityType = "None"
    image: Image | None = None
    network_interfaces: tuple[NetworkInterface, ...] = ()
    provider_id: str = ""
    role_assignment_name: str = ""
    """Deprecated: admission moves it into `systemAssignedIdentityRole`."""
    security_profile: SecurityProfile | None = None
    spot_vm_options: SpotVMOptions | None = msgspec.field(default=None, name="spotVMOptions")
    ssh_public_key: str = ""
    """In base64."""
    subnet_name: str = ""
    """Deprecated: admission moves it into the first network interface."""
    system_assigned_identity_role: SystemAssignedIdentityRole | None = None
    user_assigned_identities: tuple[UserAssignedIdentity, ...] = ()
    virtual_machine_scale_set_id: str = ""
    vm_extensions: tuple[VMExtension, ...] = ()


class Address(Model):
    """An address of a machine."""

    address: str
    type: str


class AzureMachineStatus(Model):
    """What is observed, by the contract of v1beta1."""

    addresses: tuple[Address, ...] = ()
    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: str = ""
    failure_reason: str = ""
    long_running_operation_states: tuple[PendingOperation, ...] = ()
    ready: bool | None = None
    vm_state: str = ""


class AzureMachine(Object, kw_only=True):
    """A virtual machine."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureMachine", "azuremachines")

    spec: AzureMachineSpec = AzureMachineSpec()
    status: AzureMachineStatus = AzureMachineStatus()


class TemplateMeta(Model):
    """Labels and annotations of what is made from the template."""

    annotations: dict[str, str] = msgspec.field(default_factory=dict)
    labels: dict[str, str] = msgspec.field(default_factory=dict)


class AzureMachineTemplateResource(Model):
    """What each machine is made as."""

    spec: Annotated[AzureMachineSpec, Limits(required=True)] = AzureMachineSpec()
    metadata: TemplateMeta = TemplateMeta()


class AzureMachineTemplateSpec(Model):
    """What machines are made from."""

    template: Annotated[AzureMachineTemplateResource, Limits(required=True)] = AzureMachineTemplateResource()


class NodeInfo(Model):
    """What a node of this template will be, before there is one."""

    architecture: Annotated[str, Limits(enum=("amd64", "arm64"))] = ""
    operating_system: Annotated[str, Limits(enum=("linux", "windows"))] = ""


class AzureMachineTemplateStatus(Model):
    """What the cluster autoscaler scales up from zero by."""

    capacity: dict[str, Quantity] = msgspec.field(default_factory=dict)
    node_info: NodeInfo | None = None


class AzureMachineTemplate(Object, kw_only=True):
    """What virtual machines are made from."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureMachineTemplate", "azuremachinetemplates")

    spec: AzureMachineTemplateSpec = AzureMachineTemplateSpec()
    status: AzureMachineTemplateStatus = AzureMachineTemplateStatus()
