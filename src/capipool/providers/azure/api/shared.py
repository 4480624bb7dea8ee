"""Parts that several kinds of the Azure provider have in common, as upstream has them."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits

GROUP = "infrastructure.cluster.x-k8s.io"

_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
Quantity = Annotated[int | str, Limits(pattern=_QUANTITY)]
"""A number as Kubernetes writes quantities: 2, 0.5, 100m."""


class Endpoint(Model):
    """Where the API server is reached."""

    host: Annotated[str, Limits(max_length=512)] = ""
    port: Int32 | None = None


class FailureDomain(Model):
    """A zone."""

    attributes: dict[str, str] = msgspec.field(default_factory=dict)
    control_plane: bool | None = None


class PendingOperation(Model):
    """A long-running operation of Azure's that is under way: enough to ask on for it after a restart."""

    data: str
    """What resumes the polling, as the SDK gave it, in base64."""
    name: str
    """What the operation works on."""
    service_name: str
    type: str
    """`PUT`, `PATCH` or `DELETE`."""
    resource_group: str = ""


class UserAssignedIdentity(Model):
    """An identity of Azure's, by its resource ID; a leading `azure://` is allowed."""

    provider_id: str


class SystemAssignedIdentityRole(Model):
    """The role that the identity of a machine is given."""

    definition_id: str = ""
    name: str = ""
    scope: str = ""
