"""AzureClusterIdentity: who calls Azure for a cluster, and for the clusters of which namespaces. As upstream has it."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import LabelSelector, V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits
from capipool.providers.azure.api.shared import GROUP

TYPES = (
    "ServicePrincipal",
    "UserAssignedMSI",
    "ManualServicePrincipal",
    "ServicePrincipalCertificate",
    "WorkloadIdentity",
    "UserAssignedIdentityCredential",
)


class AllowedNamespaces(Model):
    """Namespaces whose clusters may use the identity: those listed, and those whose labels match.

    Absent, no namespace may; empty, every namespace may.
    """

    list: tuple[str, ...] = ()
    selector: LabelSelector | None = None


class SecretReference(Model):
    """A secret."""

    LIMITS: ClassVar = Limits(atomic=True)

    name: str = ""
    namespace: str = ""


class AzureClusterIdentitySpec(Model):
    """Who calls, how it is proved, and who may use it."""

    client_id: Annotated[str, Limits(required=True)] = ""
    tenant_id: Annotated[str, Limits(required=True)] = ""
    type: Annotated[str, Limits(enum=TYPES, required=True)] = ""
    allowed_namespaces: AllowedNamespaces | None = None
    cert_path: str = ""
    client_secret: SecretReference | None = None
    resource_id: str = ""
    user_assigned_identity_credentials_cloud_type: str = ""
    user_assigned_identity_credentials_path: str = ""


class AzureClusterIdentityStatus(Model):
    """What is observed."""

    conditions: tuple[V1Beta1Condition, ...] = ()


class AzureClusterIdentity(Object, kw_only=True):
    """An identity that calls to Azure are made with."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta1", "AzureClusterIdentity", "azureclusteridentities")

    spec: AzureClusterIdentitySpec = AzureClusterIdentitySpec()
    status: AzureClusterIdentityStatus = AzureClusterIdentityStatus()
