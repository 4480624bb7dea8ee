"""The kinds KubeadmConfig and KubeadmConfigTemplate."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import (
    Conditions,
    ObservedGeneration,
    Str253,
    Str256,
    Str512,
    Str10240,
    V1Beta1Condition,
)
from capipool.api.v1beta2.shared import TemplateMetadata
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.kubeadm.api.v1beta2.boot import (
    NTP,
    DiskSetup,
    File,
    Ignition,
    User,
)
from capipool.providers.kubeadm.api.v1beta2.cluster import (
    ClusterConfiguration,
)
from capipool.providers.kubeadm.api.v1beta2.node import (
    InitConfiguration,
    JoinConfiguration,
)


class KubeadmConfigInitialization(Model):
    """How far the bootstrap data is; only ever moves forward."""

    LIMITS: ClassVar = Limits(min_properties=1)

    data_secret_created: bool | None = None


class KubeadmConfigV1Beta1Status(Model):
    """The status as v1beta1 has it."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: Str10240 = ""
    failure_reason: Str256 = ""


class KubeadmConfigDeprecatedStatus(Model):
    """What older versions' clients still read."""

    v1beta1: KubeadmConfigV1Beta1Status = KubeadmConfigV1Beta1Status()


class KubeadmConfigSpec(Model):
    """What a machine boots with: kubeadm's configuration, and what else its first boot does."""

    LIMITS: ClassVar = Limits(min_properties=1)

    boot_commands: Annotated[tuple[Str10240, ...], Limits(min_items=1, max_items=1000, list_type="atomic")] = ()
    cluster_configuration: ClusterConfiguration = ClusterConfiguration()
    disk_setup: DiskSetup = DiskSetup()
    files: Annotated[tuple[File, ...], Limits(min_items=1, max_items=200, list_type="atomic")] = ()
    format: Annotated[str, Limits(enum=("cloud-config", "ignition"))] = ""
    ignition: Ignition = Ignition()
    init_configuration: InitConfiguration = InitConfiguration()
    join_configuration: JoinConfiguration = JoinConfiguration()
    mounts: Annotated[
        tuple[Annotated[tuple[Str512, ...], Limits(min_items=1, max_items=100)], ...],
        Limits(min_items=1, max_items=100, list_type="atomic"),
    ] = ()
    ntp: NTP = NTP()
    post_kubeadm_commands: Annotated[tuple[Str10240, ...], Limits(min_items=1, max_items=1000, list_type="atomic")] = ()
    pre_kubeadm_commands: Annotated[tuple[Str10240, ...], Limits(min_items=1, max_items=1000, list_type="atomic")] = ()
    users: Annotated[tuple[User, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    verbosity: Int32 | None = None


class KubeadmConfigStatus(Model):
    """What the provider made of the spec."""

    LIMITS: ClassVar = Limits(min_properties=1)

    conditions: Conditions = ()
    data_secret_name: Str253 = ""
    deprecated: KubeadmConfigDeprecatedStatus = KubeadmConfigDeprecatedStatus()
    initialization: KubeadmConfigInitialization = KubeadmConfigInitialization()
    observed_generation: ObservedGeneration | None = None


class KubeadmConfig(Object, kw_only=True):
    """How a machine, or every machine of a pool, boots and joins its cluster."""

    RESOURCE: ClassVar = Resource("bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfig", "kubeadmconfigs")

    spec: KubeadmConfigSpec = KubeadmConfigSpec()
    status: KubeadmConfigStatus = KubeadmConfigStatus()


class KubeadmConfigTemplateResource(Model):
    """One KubeadmConfig to be."""

    LIMITS: ClassVar = Limits(min_properties=1)

    metadata: TemplateMetadata = TemplateMetadata()
    spec: KubeadmConfigSpec = KubeadmConfigSpec()


class KubeadmConfigTemplateSpec(Model):
    """What KubeadmConfigs are made from."""

    template: KubeadmConfigTemplateResource


class KubeadmConfigTemplate(Object, kw_only=True):
    """What each machine of a MachineDeployment, or of a control plane, gets its KubeadmConfig from."""

    RESOURCE: ClassVar = Resource(
        "bootstrap.cluster.x-k8s.io", "v1beta2", "KubeadmConfigTemplate", "kubeadmconfigtemplates"
    )

    spec: KubeadmConfigTemplateSpec | None = None
