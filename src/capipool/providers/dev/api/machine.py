"""DevMachine and DevMachineTemplate: single machines of the development cloud."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import Conditions, Str256, Str512
from capipool.api.v1beta2.shared import TemplateMetadata
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.dev.api.shared import (
    GROUP,
    DeprecatedStatus,
    Initialization,
    MachineAddress,
    Mount,
    Startup,
)

QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|"
    r"([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


class DockerMachine(Model):
    """Upstream's Docker backend; accepted, not acted on."""

    bootstrap_timeout: str = ""
    custom_image: str = ""
    extra_mounts: tuple[Mount, ...] = ()
    pre_load_images: tuple[str, ...] = ()


class InMemoryMachine(Model):
    """A simulated machine: how long its parts take to start."""

    api_server: Startup | None = None
    etcd: Startup | None = None
    node: Startup | None = None
    vm: Startup | None = None


class MachineBackend(Model):
    """How the machine is made: exactly one."""

    docker: DockerMachine | None = None
    in_memory: InMemoryMachine | None = None


class DevMachineSpec(Model):
    """What is wanted; the controller fills in the provider ID."""

    backend: MachineBackend
    provider_id: Str512 = ""


class DevMachineStatus(Model):
    """What is observed."""

    addresses: tuple[MachineAddress, ...] = ()
    conditions: Conditions = ()
    deprecated: DeprecatedStatus = DeprecatedStatus()
    failure_domain: Str256 = ""
    initialization: Annotated[Initialization, Limits(min_properties=1)] = Initialization()


class DevMachine(Object, kw_only=True):
    """One machine."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "DevMachine", "devmachines")

    spec: DevMachineSpec
    status: DevMachineStatus = DevMachineStatus()


class DevMachineTemplateResource(Model):
    """What machines are made from."""

    spec: DevMachineSpec
    metadata: TemplateMetadata = TemplateMetadata()


class DevMachineTemplateSpec(Model):
    """What is wanted."""

    template: DevMachineTemplateResource


class DevMachineTemplateStatus(Model):
    """What the autoscaler may count on."""

    capacity: dict[str, Annotated[int | str, Limits(pattern=QUANTITY)]] = msgspec.field(default_factory=dict)


class DevMachineTemplate(Object, kw_only=True):
    """What MachineSets and MachineDeployments make machines from."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "DevMachineTemplate", "devmachinetemplates")

    spec: DevMachineTemplateSpec
    status: DevMachineTemplateStatus = DevMachineTemplateStatus()
