"""The identities of a cluster: who calls AWS, and for which namespaces. Fields and limits are upstream's."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import LabelSelector
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits
from capipool.providers.aws.api.cluster import IdentityReference
from capipool.providers.aws.api.shared import GROUP


class AllowedNamespaces(Model):
    """Which namespaces' clusters may use an identity: without either part all, with one or both what they name."""

    list: Annotated[tuple[str, ...] | None, Limits(nullable=True)] = None
    selector: LabelSelector = LabelSelector()


Allowed = Annotated[AllowedNamespaces | None, Limits(nullable=True)]


class ControllerIdentitySpec(Model):
    """Who may use it."""

    allowed_namespaces: Allowed = None


class AWSClusterControllerIdentity(Object, kw_only=True):
    """The identity of the process itself. There is one, and its name is `default`."""

    RESOURCE: ClassVar = Resource(
        GROUP, "v1beta2", "AWSClusterControllerIdentity", "awsclustercontrolleridentities", namespaced=False
    )

    spec: ControllerIdentitySpec = ControllerIdentitySpec()


class StaticIdentitySpec(Model):
    """Who may use it, and the Secret with its keys, in the controllers' namespace."""

    secret_ref: Annotated[str, Limits(required=True)] = ""
    allowed_namespaces: Allowed = None


class AWSClusterStaticIdentity(Object, kw_only=True):
    """A user with an access key of its own."""

    RESOURCE: ClassVar = Resource(
        GROUP, "v1beta2", "AWSClusterStaticIdentity", "awsclusterstaticidentities", namespaced=False
    )

    spec: StaticIdentitySpec = StaticIdentitySpec()


class RoleIdentitySpec(Model):
    """Who may use it, the role, and the identity that assumes it."""

    role_arn: Annotated[str, Limits(required=True)] = msgspec.field(default="", name="roleARN")
    allowed_namespaces: Allowed = None
    duration_seconds: Annotated[Int32, Limits(minimum=900, maximum=43200)] | None = None
    external_id: str = ""
    inline_policy: str = ""
    policy_arns: tuple[str, ...] = msgspec.field(default=(), name="policyARNs")
    session_name: str = ""
    source_identity_ref: IdentityReference | None = None


class AWSClusterRoleIdentity(Object, kw_only=True):
    """A role that another identity assumes."""

    RESOURCE: ClassVar = Resource(GROUP, "v1beta2", "AWSClusterRoleIdentity", "awsclusterroleidentities", False)

    spec: RoleIdentitySpec = RoleIdentitySpec()
