"""The part of kubeadm's configuration that describes the cluster."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import Str63, Str253, Str256, Str512
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.kubeadm.api.limits import EncryptionAlgorithm, Quantity


class KeySelector(Model):
    """One key of a ConfigMap or a Secret."""

    LIMITS: ClassVar = Limits(atomic=True)

    key: str
    name: Annotated[str, Limits(default="")] = ""
    optional: bool | None = None


class FieldSelector(Model):
    """One field of the pod."""

    LIMITS: ClassVar = Limits(atomic=True)

    field_path: str
    api_version: str = ""


class FileKeySelector(Model):
    """One key of a file in a volume."""

    LIMITS: ClassVar = Limits(atomic=True)

    key: str
    path: str
    volume_name: str
    optional: Annotated[bool, Limits(default=False)] | None = None


class ResourceFieldSelector(Model):
    """A container's resource as a number."""

    LIMITS: ClassVar = Limits(atomic=True)

    resource: str
    container_name: str = ""
    divisor: Quantity | None = None


class EnvVarSource(Model):
    """Where a variable's value comes from; one of these."""

    config_map_key_ref: KeySelector | None = None
    field_ref: FieldSelector | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldSelector | None = None
    secret_key_ref: KeySelector | None = None


class EnvVar(Model):
    """An environment variable of a control plane component."""

    name: str
    value: str = ""
    value_from: EnvVarSource = EnvVarSource()


class HostPathMount(Model):
    """A path of the host, mounted into a component."""

    host_path: Str512
    mount_path: Str512
    name: Str512
    path_type: str = ""
    read_only: bool | None = None


class APIServer(Model):
    """Settings of the API server."""

    cert_sans: Annotated[tuple[Str253, ...], Limits(max_items=100)] = msgspec.field(default=(), name="certSANs")
    extra_args: dict[str, str] = msgspec.field(default_factory=dict)
    extra_envs: Annotated[tuple[EnvVar, ...], Limits(max_items=100)] = ()
    extra_volumes: Annotated[tuple[HostPathMount, ...], Limits(max_items=100)] = ()
    timeout_for_control_plane: str = ""


class ControlPlaneComponent(Model):
    """Settings of the controller manager or the scheduler."""

    extra_args: dict[str, str] = msgspec.field(default_factory=dict)
    extra_envs: Annotated[tuple[EnvVar, ...], Limits(max_items=100)] = ()
    extra_volumes: Annotated[tuple[HostPathMount, ...], Limits(max_items=100)] = ()


class DNS(Model):
    """Settings of the cluster's DNS add-on."""

    image_repository: Str512 = ""
    image_tag: Str256 = ""


class ExternalEtcd(Model):
    """An etcd that kubeadm does not run; the files must be on the machine."""

    ca_file: Str512
    cert_file: Str512
    endpoints: Annotated[tuple[Str512, ...], Limits(max_items=50)]
    key_file: Str512


class LocalEtcd(Model):
    """An etcd that kubeadm runs."""

    data_dir: Str512 = ""
    extra_args: dict[str, str] = msgspec.field(default_factory=dict)
    extra_envs: Annotated[tuple[EnvVar, ...], Limits(max_items=100)] = ()
    image_repository: Str512 = ""
    image_tag: Str256 = ""
    peer_cert_sans: Annotated[tuple[Str253, ...], Limits(max_items=100)] = msgspec.field(
        default=(), name="peerCertSANs"
    )
    server_cert_sans: Annotated[tuple[Str253, ...], Limits(max_items=100)] = msgspec.field(
        default=(), name="serverCertSANs"
    )


class Etcd(Model):
    """etcd: run by kubeadm, or elsewhere; one of these."""

    external: ExternalEtcd | None = None
    local: LocalEtcd = LocalEtcd()


class Networking(Model):
    """The cluster's address ranges and DNS domain."""

    dns_domain: Str253 = ""
    pod_subnet: Annotated[str, Limits(min_length=1, max_length=1024)] = ""
    service_subnet: Annotated[str, Limits(min_length=1, max_length=1024)] = ""


class ClusterConfiguration(Model):
    """kubeadm's settings of the cluster, for the first control plane machine."""

    api_server: APIServer = APIServer()
    api_version: str = ""
    ca_certificate_validity_period_days: Annotated[Int32, Limits(minimum=1, maximum=36500)] | None = None
    certificate_validity_period_days: Annotated[Int32, Limits(minimum=1, maximum=1095)] | None = None
    certificates_dir: Str512 = ""
    cluster_name: Str63 = ""
    control_plane_endpoint: Str512 = ""
    controller_manager: ControlPlaneComponent = ControlPlaneComponent()
    dns: DNS = DNS()
    encryption_algorithm: EncryptionAlgorithm = ""
    etcd: Etcd = Etcd()
    feature_gates: dict[str, bool] = msgspec.field(default_factory=dict)
    image_repository: Str512 = ""
    kind: str = ""
    kubernetes_version: Str256 = ""
    networking: Networking = Networking()
    scheduler: ControlPlaneComponent = ControlPlaneComponent()
