"""The kinds of identities: their definitions and their rules. Imported by who serves or installs them."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Rules
from capipool.machinery.crd import Version, crd
from capipool.machinery.objects import Object, Raw
from capipool.providers.aws.identities import admission
from capipool.providers.aws.identities.api import (
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)

_LABELS = {Label.PROVIDER_NAME: "infrastructure-aws", "cluster.x-k8s.io/v1beta1": "v1beta2"}


def crds() -> list[Raw]:
    """The definitions of the kinds of identities."""
    return [
        _kind(AWSClusterControllerIdentity, "awsci"),
        _kind(AWSClusterRoleIdentity, "awsri"),
        _kind(AWSClusterStaticIdentity, "awssi"),
    ]


def rules() -> list[Rules]:
    """What admission does for them."""
    return admission.rules()


def _kind(type_: type[Object], short: str) -> Raw:
    version = Version(type=type_, storage=True, status=False)
    return crd(version, short_names=(short,), categories=("cluster-api",), labels=_LABELS)
