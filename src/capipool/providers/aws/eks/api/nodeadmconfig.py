"""NodeadmConfig: what nodes of Amazon Linux 2023 boot with. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

import msgspec

from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.aws.eks.api.boot import GROUP, Booting, BootStatus, Initialization


class Containerd(Model):
    """Settings of containerd, merged into those of the image."""

    base_runtime_spec: dict[str, Any] = msgspec.field(default_factory=dict)
    config: str = ""


class Kubelet(Model):
    """Settings and flags of the kubelet, merged into those of the image."""

    config: dict[str, Any] = msgspec.field(default_factory=dict)
    flags: tuple[str, ...] = ()


class NodeadmConfigSpec(Booting):
    """What a node does at its first boot."""

    containerd: Containerd | None = None
    feature_gates: dict[str, bool] = msgspec.field(default_factory=dict)
    kubelet: Kubelet | None = None
    pre_nodeadm_commands: tuple[str, ...] = ()


class NodeadmConfigStatus(BootStatus):
    """What is observed, by the contracts of v1beta1 and v1beta2."""

    initialization: Initialization = Initialization()


class NodeadmConfig(Object, kw_only=True):
    """The boot data of nodes of Amazon Linux 2023."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "NodeadmConfig", "nodeadmconfigs")

    spec: NodeadmConfigSpec = NodeadmConfigSpec()
    status: NodeadmConfigStatus = NodeadmConfigStatus()


class NodeadmConfigTemplateResource(Model):
    """What is made from the template."""

    spec: Annotated[NodeadmConfigSpec, Limits(nullable=True)] | None = None


class NodeadmConfigTemplateSpec(Model):
    """The template itself."""

    template: NodeadmConfigTemplateResource


class NodeadmConfigTemplate(Object, kw_only=True):
    """What the NodeadmConfigs of a MachineDeployment are made from."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "NodeadmConfigTemplate", "nodeadmconfigtemplates")

    spec: NodeadmConfigTemplateSpec | None = None
