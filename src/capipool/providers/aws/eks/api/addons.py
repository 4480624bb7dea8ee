"""What runs in an EKS cluster from the beginning. Accepted as upstream has it; capipool installs nothing."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

import msgspec

from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Limits

_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


class Addon(Model):
    """An add-on of EKS."""

    name: Annotated[str, Limits(min_length=2)]
    version: str
    configuration: str = ""
    conflict_resolution: Annotated[str, Limits(enum=("overwrite", "none", "preserve"), default="overwrite")] = ""
    preserve_on_delete: bool | None = None
    service_account_role_arn: str = msgspec.field(default="", name="serviceAccountRoleARN")


class AddonIssue(Model):
    """What is wrong with an add-on."""

    code: str = ""
    message: str = ""
    resource_ids: tuple[str, ...] = msgspec.field(default=(), name="resourceIds")


class AddonState(Model):
    """An add-on as it was seen."""

    arn: str
    name: str
    version: str
    created_at: dt.datetime | None = None
    issues: tuple[AddonIssue, ...] = ()
    modified_at: dt.datetime | None = None
    service_account_role_arn: str = msgspec.field(default="", name="serviceAccountRoleARN")
    status: str = ""


class KubeProxy(Model):
    """Whether kube-proxy runs."""

    disable: Annotated[bool, Limits(default=False)] | None = None


class KeySelector(Model):
    """A key of a ConfigMap or a Secret."""

    LIMITS: ClassVar = Limits(atomic=True)

    key: str
    name: Annotated[str, Limits(default="")] = ""
    optional: bool | None = None


class FieldReference(Model):
    """A field of the pod."""

    LIMITS: ClassVar = Limits(atomic=True)

    field_path: str
    api_version: str = ""


class FileKeySelector(Model):
    """A key of a file in a volume."""

    LIMITS: ClassVar = Limits(atomic=True)

    key: str
    path: str
    volume_name: str
    optional: Annotated[bool, Limits(default=False)] | None = None


class ResourceFieldReference(Model):
    """A resource of a container."""

    LIMITS: ClassVar = Limits(atomic=True)

    resource: str
    container_name: str = ""
    divisor: Annotated[int | str, Limits(pattern=_QUANTITY)] | None = None


class EnvironmentSource(Model):
    """Where a variable's value comes from."""

    config_map_key_ref: KeySelector | None = None
    field_ref: FieldReference | None = None
    file_key_ref: FileKeySelector | None = None
    resource_field_ref: ResourceFieldReference | None = None
    secret_key_ref: KeySelector | None = None


class EnvironmentVariable(Model):
    """A variable of the network plugin."""

    name: str
    value: str = ""
    value_from: EnvironmentSource = EnvironmentSource()


class VPCCNI(Model):
    """Amazon's network plugin."""

    disable: Annotated[bool, Limits(default=False)] | None = None
    env: tuple[EnvironmentVariable, ...] = ()
