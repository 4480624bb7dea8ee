"""The kinds KubeadmConfig and KubeadmConfigTemplate."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import Conditions, Str253, Str256, Str512, Str10240, V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits
from capipool.providers.kubeadm.api.v1beta1.boot import (
    NTP,
    DiskSetup,
    File,
    Ignition,
    User,
)
from capipool.providers.kubeadm.api.v1beta1.cluster import (
    ClusterConfiguration,
)
from capipool.providers.kubeadm.api.v1beta1.node import (
    InitConfiguration,
    JoinConfiguration,
)


class KubeadmConfigV1Beta2Status(Model):
    """What the next version's status has."""

    conditions: Conditions = ()


class KubeadmConfigSpec(Model):
    """What a machine boots with: kubeadm's configuration, and what else its first boot does."""

    boot_commands: Annotated[tuple[Str10240, ...], Limits(max_items=1000)] = ()
    cluster_configuration: ClusterConfiguration = ClusterConfiguration()
    disk_setup: DiskSetup = DiskSetup()
    files: Annotated[tuple[File, ...], Limits(max_items=200)] = ()
    format: Annotated[str, Limits(enum=("cloud-config", "ignition"))] = ""
    ignition: Ignition = Ignition()
    init_configuration: InitConfiguration = InitConfiguration()
    join_configuration: JoinConfiguration = JoinConfiguration()
    mounts: Annotated[tuple[tuple[Str512, ...], ...], Limits(max_items=100)] = ()
    ntp: NTP = NTP()
    post_kubeadm_commands: Annotated[tuple[Str10240, ...], Limits(max_items=1000)] = ()
    pre_kubeadm_commands: Annotated[tuple[Str10240, ...], Limits(max_items=1000)] = ()
    use_experimental_retry_join: bool | None = None
    users: Annotated[tuple[User, ...], Limits(max_items=100)] = ()
    verbosity: Int32 | None = None


class KubeadmConfigStatus(Model):
    """What the provider made of the spec."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    data_secret_name: Str253 = ""
    failure_message: Str10240 = ""
    failure_reason: Str256 = ""
    observed_generation: Int64 | None = None
    ready: bool | None = None
    v1beta2: KubeadmConfigV1Beta2Status = KubeadmConfigV1Beta2Status()


class KubeadmConfig(Object, kw_only=True):
    """How a machine, or every machine of a pool, boots and joins its cluster."""

    RESOURCE: ClassVar = Resource("bootstrap.cluster.x-k8s.io", "v1beta1", "KubeadmConfig", "kubeadmconfigs")

    spec: KubeadmConfigSpec = KubeadmConfigSpec()
    status: KubeadmConfigStatus = KubeadmConfigStatus()


class TemplateMetadata(Model):
    """Labels and annotations that objects made from a template get."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class KubeadmConfigTemplateResource(Model):
    """One KubeadmConfig to be."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: KubeadmConfigSpec = KubeadmConfigSpec()


class KubeadmConfigTemplateSpec(Model):
    """What KubeadmConfigs are made from."""

    template: KubeadmConfigTemplateResource


class KubeadmConfigTemplate(Object, kw_only=True):
    """What each machine of a MachineDeployment, or of a control plane, gets its KubeadmConfig from."""

    RESOURCE: ClassVar = Resource(
        "bootstrap.cluster.x-k8s.io", "v1beta1", "KubeadmConfigTemplate", "kubeadmconfigtemplates"
    )

    spec: KubeadmConfigTemplateSpec | None = None
