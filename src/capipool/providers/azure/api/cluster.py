"""AzureCluster: where a cluster is in Azure, and the network its nodes live in. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import ObjectReference, V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.cloudprovider import CloudProviderConfigOverrides
from capipool.providers.azure.api.network import NetworkSpec, PublicIP, Subnet
from capipool.providers.azure.api.shared import GROUP, Endpoint, FailureDomain, PendingOperation


class AzureBastion(Model):
    """Azure's own bastion service; accepted, not made."""

    enable_tunneling: Annotated[bool, Limits(default=False)] = False
    name: str = ""
    public_ip: PublicIP | None = None
    sku: Annotated[str, Limits(enum=("Basic", "Standard"), default="Basic")] = "Basic"
    subnet: Subnet | None = None


class BastionSpec(Model):
    """Bastion hosts; accepted, not made."""

    azure_bastion: AzureBastion | None = None


class ExtendedLocation(Model):
    """An edge zone."""

    name: str
    type: Annotated[str, Limits(enum=("EdgeZone",))]


class AzureClusterSpec(Model):
    """Where the cluster is, who calls Azure for it, and what its network is."""

    location: Annotated[str, Limits(required=True)] = ""
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    azure_environment: str = ""
    bastion_spec: BastionSpec = BastionSpec()
    cloud_provider_config_overrides: CloudProviderConfigOverrides | None = None
    control_plane_enabled: Annotated[bool, Limits(default=True)] = True
    control_plane_endpoint: Endpoint = Endpoint()
    extended_location: ExtendedLocation | None = None
    failure_domains: dict[str, FailureDomain] = msgspec.field(default_factory=dict)
    identity_ref: ObjectReference | None = None
    network_spec: NetworkSpec = NetworkSpec()
    resource_group: str = ""
    subscription_id: str = ""


class AzureClusterStatus(Model):
    """What is observed, by the contract of v1beta1."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_domains: dict[str, FailureDomain] = msgspec.field(default_factory=dict)
    long_running_operation_states: tuple[PendingOperation, ...] = ()
    ready: bool | None = None


class AzureCluster(Object, kw_only=True):
    """The place and the network of a cluster in Azure."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureCluster", "azureclusters")

    spec: AzureClusterSpec = AzureClusterSpec()
    status: AzureClusterStatus = AzureClusterStatus()
