"""Who may use an EKS cluster. Accepted as upstream has it; capipool changes nobody's access."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits

_ARN = Limits(min_length=31)


class AccessConfig(Model):
    """How the cluster knows its users."""

    authentication_mode: Annotated[
        str, Limits(enum=("config_map", "api", "api_and_config_map"), default="config_map")
    ] = ""
    bootstrap_cluster_creator_admin_permissions: Annotated[bool, Limits(default=True)] | None = None


class AccessScope(Model):
    """Where a policy holds."""

    type: Annotated[str, Limits(enum=("cluster", "namespace"), default="cluster", required=True)] = "cluster"
    namespaces: Annotated[tuple[str, ...], Limits(min_items=1)] = ()


class AccessPolicy(Model):
    """One of EKS's policies."""

    access_scope: AccessScope
    policy_arn: str = msgspec.field(name="policyARN")


class AccessEntry(Model):
    """An identity of AWS that is let in."""

    principal_arn: str = msgspec.field(name="principalARN")
    access_policies: Annotated[tuple[AccessPolicy, ...], Limits(max_items=20)] = ()
    kubernetes_groups: tuple[str, ...] = ()
    type: Annotated[
        str,
        Limits(
            enum=(
                *("standard", "ec2_linux", "ec2_windows", "fargate_linux"),
                *("ec2", "hybrid_linux", "hyperpod_linux"),
            ),
            default="standard",
        ),
    ] = ""
    username: str = ""


class RoleMapping(Model):
    """A role, and who it is in the cluster."""

    groups: tuple[str, ...]
    role_arn: Annotated[str, _ARN] = msgspec.field(name="rolearn")
    user_name: str = msgspec.field(name="username")


class UserMapping(Model):
    """A user, and who it is in the cluster."""

    groups: tuple[str, ...]
    user_arn: Annotated[str, _ARN] = msgspec.field(name="userarn")
    user_name: str = msgspec.field(name="username")


class IAMAuthenticatorConfig(Model):
    """What the ConfigMap `aws-auth` would say."""

    map_roles: tuple[RoleMapping, ...] = ()
    map_users: tuple[UserMapping, ...] = ()


class OIDCIdentityProviderConfig(Model):
    """A provider of identities beside AWS."""

    client_id: str = msgspec.field(name="clientId")
    identity_provider_config_name: str
    issuer_url: str = msgspec.field(name="issuerUrl")
    groups_claim: str = ""
    groups_prefix: str = ""
    required_claims: dict[str, str] = msgspec.field(default_factory=dict)
    tags: dict[str, str] = msgspec.field(default_factory=dict)
    username_claim: str = ""
    username_prefix: str = ""
