"""The profiles of an AKS cluster: access, network, security, extensions. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.network import PrivateEndpoints, ServiceEndpoints


class AADProfile(Model):
    """Who of Entra ID may do everything."""

    admin_group_object_ids: tuple[str, ...] = msgspec.field(name="adminGroupObjectIDs")
    managed: bool


class AddonProfile(Model):
    """An addon of AKS."""

    enabled: bool
    name: str
    config: dict[str, str] = msgspec.field(default_factory=dict)


class APIServerAccessProfile(Model):
    """Who reaches the API server, and how."""

    authorized_ip_ranges: tuple[str, ...] = msgspec.field(default=(), name="authorizedIPRanges")
    enable_private_cluster: bool | None = None
    enable_private_cluster_public_fqdn: bool | None = msgspec.field(default=None, name="enablePrivateClusterPublicFQDN")
    private_dns_zone: str = msgspec.field(default="", name="privateDNSZone")


class AutoUpgradeProfile(Model):
    """What AKS upgrades by itself."""

    upgrade_channel: Annotated[str, Limits(enum=("node-image", "none", "patch", "rapid", "stable"))] = ""


class ExtensionPlan(Model):
    """Under which plan an extension is sold."""

    name: str = ""
    product: str = ""
    promotion_code: str = ""
    publisher: str = ""
    version: str = ""


class ExtensionScope(Model):
    """Where an extension is installed."""

    scope_type: Annotated[str, Limits(enum=("Cluster", "Namespace"))]
    release_namespace: str = ""
    target_namespace: str = ""


class AKSExtension(Model):
    """An extension of AKS."""

    extension_type: str
    name: str
    aks_assigned_identity_type: Annotated[str, Limits(enum=("SystemAssigned", "UserAssigned"))] = ""
    auto_upgrade_minor_version: Annotated[bool, Limits(default=True)] = True
    configuration_settings: dict[str, str] = msgspec.field(default_factory=dict)
    identity: Annotated[str, Limits(enum=("SystemAssigned",))] = ""
    plan: ExtensionPlan | None = None
    release_train: str = ""
    scope: ExtensionScope | None = None
    version: str = ""


class FleetsMember(Model):
    """Membership in a fleet."""

    manager_name: str
    manager_resource_group: str
    group: Annotated[str, Limits(default="default")] = "default"
    name: str = ""


class HTTPProxyConfig(Model):
    """Proxies of the nodes."""

    http_proxy: str = ""
    https_proxy: str = ""
    no_proxy: tuple[str, ...] = ()
    trusted_ca: str = msgspec.field(default="", name="trustedCa")


class ClusterIdentity(Model):
    """The identity of the cluster itself."""

    type: Annotated[str, Limits(enum=("SystemAssigned", "UserAssigned"), default="SystemAssigned")] = "SystemAssigned"
    user_assigned_identity_resource_id: str = ""


class LoadBalancerProfile(Model):
    """How traffic leaves."""

    allocated_outbound_ports: int | None = None
    idle_timeout_in_minutes: int | None = None
    managed_outbound_ips: int | None = msgspec.field(default=None, name="managedOutboundIPs")
    outbound_ip_prefixes: tuple[str, ...] = msgspec.field(default=(), name="outboundIPPrefixes")
    outbound_ips: tuple[str, ...] = msgspec.field(default=(), name="outboundIPs")


class OIDCIssuerProfile(Model):
    """Whether the cluster is an issuer of tokens."""

    enabled: Annotated[bool, Limits(default=False)] = False


class AzureKeyVaultKMS(Model):
    """Secrets encrypted by a key of a vault."""

    enabled: bool
    key_id: str
    key_vault_network_access: Annotated[str, Limits(default="Public")] = "Public"
    key_vault_resource_id: str = ""


class Switch(Model):
    """On or off."""

    enabled: bool


class Defender(Model):
    """Microsoft's defender."""

    log_analytics_workspace_resource_id: str
    security_monitoring: Switch


class ImageCleaner(Model):
    """Images that nobody uses are removed."""

    enabled: bool
    interval_hours: Annotated[int, Limits(minimum=24, maximum=2160)] | None = None


class AKSSecurityProfile(Model):
    """What guards the cluster."""

    azure_key_vault_kms: AzureKeyVaultKMS | None = None
    defender: Defender | None = None
    image_cleaner: ImageCleaner | None = None
    workload_identity: Switch | None = None


class AKSSku(Model):
    """What is paid for the control plane."""

    tier: Annotated[str, Limits(enum=("Free", "Paid", "Standard"), default="Free", required=True)] = "Free"


class ManagedSubnet(Model):
    """The subnet of the nodes."""

    name: str
    cidr_block: Annotated[str, Limits(default="10.240.0.0/16", required=True)] = "10.240.0.0/16"
    private_endpoints: PrivateEndpoints = ()
    service_endpoints: ServiceEndpoints = ()


class ManagedVirtualNetwork(Model):
    """The network of the nodes."""

    name: str
    cidr_block: Annotated[str, Limits(default="10.0.0.0/8", required=True)] = "10.0.0.0/8"
    resource_group: str = ""
    subnet: ManagedSubnet | None = None


class MachineTemplate(Model):
    """Nothing: there are no machines of a control plane here."""
