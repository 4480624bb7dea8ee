"""AWSManagedControlPlane: an EKS cluster that exists, by its name. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import V1Beta1Condition
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int64, Limits
from capipool.providers.aws.api.bastion import Bastion, BastionStatus
from capipool.providers.aws.api.cluster import Endpoint, FailureDomain, IdentityReference, NetworkStatus
from capipool.providers.aws.api.network import Network
from capipool.providers.aws.eks.api.access import (
    AccessConfig,
    AccessEntry,
    IAMAuthenticatorConfig,
    OIDCIdentityProviderConfig,
)
from capipool.providers.aws.eks.api.addons import VPCCNI, Addon, AddonState, KubeProxy

GROUP = "controlplane.cluster.x-k8s.io"
_VERSION = r"^v?(0|[1-9][0-9]*)\.(0|[1-9][0-9]*)\.?(\.0|[1-9][0-9]*)?$"
_LOG = Limits(default=False, required=True)


class EncryptionConfig(Model):
    """A key that secrets are encrypted with."""

    provider: str = ""
    resources: tuple[str, ...] = ()


class EndpointAccess(Model):
    """From where the API server is reached."""

    private: bool | None = None
    public: bool | None = None
    public_cidrs: tuple[str, ...] = msgspec.field(default=(), name="publicCIDRs")


class Logging(Model):
    """What the control plane writes to CloudWatch."""

    api_server: Annotated[bool, _LOG] = msgspec.field(default=False, name="apiServer")
    audit: Annotated[bool, _LOG] = False
    authenticator: Annotated[bool, _LOG] = False
    controller_manager: Annotated[bool, _LOG] = False
    scheduler: Annotated[bool, _LOG] = False


class AWSManagedControlPlaneSpec(Model):
    """Which cluster it is, and what upstream would make of it; the controller fills in endpoint and network."""

    access_config: AccessConfig | None = None
    access_entries: tuple[AccessEntry, ...] = ()
    additional_tags: dict[str, str] = msgspec.field(default_factory=dict)
    addons: tuple[Addon, ...] = ()
    associate_oidc_provider: Annotated[bool, Limits(default=False)] | None = msgspec.field(
        default=None, name="associateOIDCProvider"
    )
    bastion: Bastion = Bastion()
    bootstrap_self_managed_addons: Annotated[bool, Limits(default=True)] | None = None
    control_plane_endpoint: Endpoint = Endpoint()
    eks_cluster_name: str = ""
    encryption_config: EncryptionConfig | None = None
    endpoint_access: EndpointAccess = EndpointAccess()
    iam_authenticator_config: IAMAuthenticatorConfig | None = None
    identity_ref: IdentityReference | None = None
    image_lookup_base_os: str = msgspec.field(default="", name="imageLookupBaseOS")
    image_lookup_format: str = ""
    image_lookup_org: str = ""
    kube_proxy: KubeProxy = KubeProxy()
    logging: Logging | None = None
    network: Network = Network()
    oidc_identity_provider_config: OIDCIdentityProviderConfig | None = None
    partition: str = ""
    region: str = ""
    restrict_private_subnets: Annotated[bool, Limits(default=False)] | None = None
    role_additional_policies: tuple[str, ...] = ()
    role_name: Annotated[str, Limits(min_length=2)] = ""
    role_path: str = ""
    role_permissions_boundary: str = ""
    secondary_cidr_block: str = msgspec.field(default="", name="secondaryCidrBlock")
    ssh_key_name: str = ""
    token_method: Annotated[str, Limits(enum=("iam-authenticator", "aws-cli"), default="iam-authenticator")] = ""
    upgrade_policy: Annotated[str, Limits(enum=("extended", "standard"))] = ""
    version: Annotated[str, Limits(min_length=2, pattern=_VERSION)] = ""
    vpc_cni: VPCCNI = VPCCNI()


class IdentityProviderStatus(Model):
    """The provider of identities as it was seen."""

    arn: str = ""
    status: str = ""


class OIDCProvider(Model):
    """The provider in IAM that lets service accounts take roles."""

    arn: str = ""
    trust_policy: str = ""


class AWSManagedControlPlaneStatus(Model):
    """What is observed, by the contract of v1beta1."""

    ready: Annotated[bool, Limits(default=False, required=True)] = False
    addons: tuple[AddonState, ...] = ()
    bastion: BastionStatus | None = None
    conditions: tuple[V1Beta1Condition, ...] = ()
    external_managed_control_plane: Annotated[bool, Limits(default=True)] | None = None
    failure_domains: dict[str, FailureDomain] = msgspec.field(default_factory=dict)
    failure_message: str = ""
    identity_provider_status: IdentityProviderStatus = IdentityProviderStatus()
    initialized: bool | None = None
    network_status: NetworkStatus = NetworkStatus()
    observed_generation: Int64 | None = None
    oidc_provider: OIDCProvider = OIDCProvider()
    version: str = ""


class AWSManagedControlPlane(Object, kw_only=True):
    """The control plane of an EKS cluster that exists."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSManagedControlPlane", "awsmanagedcontrolplanes")

    spec: AWSManagedControlPlaneSpec = AWSManagedControlPlaneSpec()
    status: AWSManagedControlPlaneStatus = AWSManagedControlPlaneStatus()
