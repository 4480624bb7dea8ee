"""AzureManagedControlPlane: a cluster of AKS. capipool reads it and creates none. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import ObjectReference, V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.aksprofiles import (
    AADProfile,
    AddonProfile,
    AKSExtension,
    AKSSecurityProfile,
    AKSSku,
    APIServerAccessProfile,
    AutoUpgradeProfile,
    ClusterIdentity,
    FleetsMember,
    HTTPProxyConfig,
    LoadBalancerProfile,
    MachineTemplate,
    ManagedVirtualNetwork,
    OIDCIssuerProfile,
)
from capipool.providers.azure.api.autoscaler import AutoscalerProfile
from capipool.providers.azure.api.shared import GROUP, Endpoint, PendingOperation


class AzureManagedControlPlaneSpec(Model):
    """Which cluster of AKS it is, and how it should be."""

    identity_ref: Annotated[ObjectReference | None, Limits(required=True)] = None
    location: Annotated[str, Limits(required=True)] = ""
    resource_group_name: Annotated[str, Limits(required=True)] = ""
    version: Annotated[str, Limits(min_length=2, required=True)] = ""
    aad_profile: AADProfile | None = None
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    addon_profiles: tuple[AddonProfile, ...] = ()
    api_server_access_profile: APIServerAccessProfile | None = None
    aso_managed_cluster_patches: tuple[str, ...] = ()
    auto_upgrade_profile: AutoUpgradeProfile | None = None
    autoscaler_profile: AutoscalerProfile | None = None
    azure_environment: str = ""
    control_plane_endpoint: Endpoint = Endpoint()
    disable_local_accounts: bool | None = None
    dns_prefix: str = msgspec.field(default="", name="dnsPrefix")
    dns_service_ip: str = msgspec.field(default="", name="dnsServiceIP")
    enable_preview_features: Annotated[bool, Limits(default=False)] = False
    extensions: tuple[AKSExtension, ...] = ()
    fleets_member: FleetsMember | None = None
    http_proxy_config: HTTPProxyConfig | None = None
    identity: ClusterIdentity | None = None
    kubelet_user_assigned_identity: str = ""
    load_balancer_profile: LoadBalancerProfile | None = None
    load_balancer_sku: Annotated[str, Limits(enum=("Basic", "Standard"), default="Standard")] = msgspec.field(
        default="Standard", name="loadBalancerSKU"
    )
    machine_template: MachineTemplate | None = None
    network_dataplane: Annotated[str, Limits(enum=("azure", "cilium"))] = ""
    network_plugin: Annotated[str, Limits(enum=("azure", "kubenet", "none"), default="azure")] = "azure"
    network_plugin_mode: Annotated[str, Limits(enum=("overlay",))] = ""
    network_policy: Annotated[str, Limits(enum=("azure", "calico", "cilium"))] = ""
    node_resource_group_name: str = ""
    oidc_issuer_profile: OIDCIssuerProfile | None = None
    outbound_type: Annotated[
        str, Limits(enum=("loadBalancer", "managedNATGateway", "userAssignedNATGateway", "userDefinedRouting"))
    ] = ""
    security_profile: AKSSecurityProfile | None = None
    sku: AKSSku | None = None
    ssh_public_key: str = ""
    subscription_id: str = ""
    virtual_network: ManagedVirtualNetwork | None = None


class OIDCIssuerStatus(Model):
    """Where the issuer of tokens is."""

    issuer_url: str = ""


class AzureManagedControlPlaneStatus(Model):
    """What is observed, by the contract of v1beta1."""

    auto_upgrade_version: Annotated[str, Limits(min_length=2)] = ""
    conditions: tuple[V1Beta1Condition, ...] = ()
    initialized: bool | None = None
    long_running_operation_states: tuple[PendingOperation, ...] = ()
    oidc_issuer_profile: OIDCIssuerStatus | None = None
    ready: bool | None = None
    version: str = ""


class AzureManagedControlPlane(Object, kw_only=True):
    """A cluster of AKS."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureManagedControlPlane", "azuremanagedcontrolplanes")

    spec: AzureManagedControlPlaneSpec = AzureManagedControlPlaneSpec()
    status: AzureManagedControlPlaneStatus = AzureManagedControlPlaneStatus()
