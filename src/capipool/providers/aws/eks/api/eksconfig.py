"""EKSConfig: what nodes of Amazon Linux 2, and of images made like it, boot with. Fields and limits are upstream's."""

from __future__ import annotations

from typing import ClassVar

import msgspec

from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.providers.aws.eks.api.boot import GROUP, Booting, BootStatus


class PauseContainer(Model):
    """Where the image that holds a pod's namespaces comes from."""

    account_number: str
    version: str


class EKSConfigSpec(Booting):
    """What a node does at its first boot."""

    api_retry_attempts: int | None = msgspec.field(default=None, name="apiRetryAttempts")
    bootstrap_command_override: str = msgspec.field(default="", name="boostrapCommandOverride")
    """Spelled so upstream."""
    container_runtime: str = ""
    dns_cluster_ip: str = msgspec.field(default="", name="dnsClusterIP")
    docker_config_json: str = msgspec.field(default="", name="dockerConfigJson")
    kubelet_extra_args: dict[str, str] = msgspec.field(default_factory=dict)
    pause_container: PauseContainer | None = None
    post_bootstrap_commands: tuple[str, ...] = ()
    pre_bootstrap_commands: tuple[str, ...] = ()
    service_ipv6_cidr: str = msgspec.field(default="", name="serviceIPV6Cidr")
    use_max_pods: bool | None = None


class EKSConfig(Object, kw_only=True):
    """The boot data of nodes of Amazon Linux 2."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "EKSConfig", "eksconfigs")

    spec: EKSConfigSpec = EKSConfigSpec()
    status: BootStatus = BootStatus()


class EKSConfigTemplateResource(Model):
    """What is made from the template."""

    spec: EKSConfigSpec = EKSConfigSpec()


class EKSConfigTemplateSpec(Model):
    """The template itself."""

    template: EKSConfigTemplateResource


class EKSConfigTemplate(Object, kw_only=True):
    """What the EKSConfigs of a MachineDeployment are made from."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "EKSConfigTemplate", "eksconfigtemplates")

    spec: EKSConfigTemplateSpec | None = None
