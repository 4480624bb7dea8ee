"""The part of kubeadm's configuration that describes the node and how it joins."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import (
    NonNegative,
    Str253,
    Str256,
    Str512,
)
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.kubeadm.api.limits import UNIQUE_ARGUMENTS
from capipool.providers.kubeadm.api.v1beta2.cluster import Arg


class BootstrapToken(Model):
    """A token that `kubeadm init` is to create."""

    token: Annotated[str, Limits(min_length=1, max_length=23)]
    description: Str512 = ""
    expires: dt.datetime | None = None
    groups: Annotated[tuple[Str256, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    ttl_seconds: NonNegative | None = None
    usages: Annotated[tuple[Str256, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()


class LocalAPIEndpoint(Model):
    """Where this machine's API server listens."""

    LIMITS: ClassVar = Limits(min_properties=1)

    advertise_address: Annotated[str, Limits(min_length=1, max_length=39)] = ""
    bind_port: Annotated[Int32, Limits(minimum=1)] | None = None


class Taint(Model):
    """A taint that the Node is registered with."""

    effect: str
    key: str
    time_added: dt.datetime | None = None
    value: str = ""


class NodeRegistration(Model):
    """How the kubelet registers its Node."""

    LIMITS: ClassVar = Limits(min_properties=1)

    cri_socket: Str512 = ""
    ignore_preflight_errors: Annotated[tuple[Str512, ...], Limits(min_items=1, max_items=50, list_type="atomic")] = ()
    image_pull_policy: Annotated[str, Limits(enum=("Always", "IfNotPresent", "Never"))] = ""
    image_pull_serial: bool | None = None
    kubelet_extra_args: Annotated[
        tuple[Arg, ...],
        Limits(
            min_items=1,
            max_items=100,
            list_map_keys=("name", "value"),
            rules=(UNIQUE_ARGUMENTS,),
        ),
    ] = ()
    name: Str253 = ""
    taints: Annotated[tuple[Taint, ...], Limits(min_items=0, max_items=100)] | None = None
    """None lets kubeadm choose; an empty list is no taints at all."""


class Patches(Model):
    """A directory of patches that kubeadm applies to what it deploys."""

    LIMITS: ClassVar = Limits(min_properties=1)

    directory: Str512 = ""


class Timeouts(Model):
    """How long kubeadm waits, in seconds; unset is kubeadm's own default."""

    LIMITS: ClassVar = Limits(min_properties=1)

    control_plane_component_health_check_seconds: NonNegative | None = None
    discovery_seconds: NonNegative | None = None
    etcd_api_call_seconds: NonNegative | None = msgspec.field(default=None, name="etcdAPICallSeconds")
    kubelet_health_check_seconds: NonNegative | None = None
    kubernetes_api_call_seconds: NonNegative | None = msgspec.field(default=None, name="kubernetesAPICallSeconds")
    tls_bootstrap_seconds: NonNegative | None = None


class InitConfiguration(Model):
    """`kubeadm init`'s settings of the node."""

    LIMITS: ClassVar = Limits(min_properties=1)

    bootstrap_tokens: Annotated[tuple[BootstrapToken, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    local_api_endpoint: LocalAPIEndpoint = msgspec.field(default=LocalAPIEndpoint(), name="localAPIEndpoint")
    node_registration: NodeRegistration = NodeRegistration()
    patches: Patches = Patches()
    skip_phases: Annotated[tuple[Str256, ...], Limits(min_items=1, max_items=50, list_type="atomic")] = ()
    timeouts: Timeouts = Timeouts()


class JoinControlPlane(Model):
    """Makes the joining machine one of the control plane; there, even when empty, it counts."""

    local_api_endpoint: LocalAPIEndpoint = msgspec.field(default=LocalAPIEndpoint(), name="localAPIEndpoint")


class BootstrapTokenDiscovery(Model):
    """Discovery by a token."""

    LIMITS: ClassVar = Limits(min_properties=1)

    api_server_endpoint: Str512 = ""
    ca_cert_hashes: Annotated[tuple[Str512, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    token: Str512 = ""
    unsafe_skip_ca_verification: bool | None = msgspec.field(default=None, name="unsafeSkipCAVerification")


class KubeConfigAuthProvider(Model):
    """Credentials from an authentication plugin."""

    name: Str256
    config: dict[str, str] = msgspec.field(default_factory=dict)


class KubeConfigExecEnv(Model):
    """An environment variable of that command."""

    name: Str512
    value: Str512


class KubeConfigExec(Model):
    """Credentials from a command."""

    command: Annotated[str, Limits(min_length=1, max_length=1024)]
    api_version: Str512 = ""
    args: Annotated[tuple[Str512, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    env: Annotated[tuple[KubeConfigExecEnv, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    provide_cluster_info: bool | None = None


class KubeConfigUser(Model):
    """Credentials of a kubeconfig; one of these."""

    LIMITS: ClassVar = Limits(min_properties=1)

    auth_provider: KubeConfigAuthProvider | None = None
    exec: KubeConfigExec | None = None


class KubeConfigCluster(Model):
    """The cluster of a kubeconfig."""

    LIMITS: ClassVar = Limits(min_properties=1)

    certificate_authority_data: Annotated[str, Limits(min_length=1, max_length=51200, format="byte")] = ""
    insecure_skip_tls_verify: bool | None = msgspec.field(default=None, name="insecureSkipTLSVerify")
    proxy_url: Str512 = ""
    server: Str512 = ""
    tls_server_name: Str512 = ""


class DiscoveryKubeConfig(Model):
    """The kubeconfig to write for discovery; what is not given, the provider fills in."""

    user: KubeConfigUser
    cluster: KubeConfigCluster = KubeConfigCluster()


class FileDiscovery(Model):
    """Discovery by a kubeconfig on the machine."""

    kube_config_path: Str512
    kube_config: DiscoveryKubeConfig | None = None


class Discovery(Model):
    """How the machine finds and trusts its cluster. What is not given, the provider fills in."""

    LIMITS: ClassVar = Limits(min_properties=1)

    bootstrap_token: BootstrapTokenDiscovery = BootstrapTokenDiscovery()
    file: FileDiscovery | None = None
    tls_bootstrap_token: Str512 = ""


class JoinConfiguration(Model):
    """`kubeadm join`'s settings of the node."""

    LIMITS: ClassVar = Limits(min_properties=1)

    ca_cert_path: Str512 = ""
    control_plane: JoinControlPlane | None = None
    discovery: Discovery = Discovery()
    node_registration: NodeRegistration = NodeRegistration()
    patches: Patches = Patches()
    skip_phases: Annotated[tuple[Str256, ...], Limits(min_items=1, max_items=50, list_type="atomic")] = ()
    timeouts: Timeouts = Timeouts()
