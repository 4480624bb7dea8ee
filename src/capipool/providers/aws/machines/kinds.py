"""AWSMachine and AWSMachineTemplate: their definitions and their rules. Imported by who serves or installs them.

Needs nothing of AWS's library: a server can serve these kinds where nobody reconciles them.
"""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Rules
from capipool.machinery.crd import Column, Version, crd
from capipool.machinery.objects import Raw
from capipool.providers.aws.machines import admission
from capipool.providers.aws.machines.api import AWSMachine, AWSMachineTemplate

LABELS = {Label.PROVIDER_NAME: "infrastructure-aws", "cluster.x-k8s.io/v1beta1": "v1beta2"}
"""Upstream's `v1beta2` of these kinds keeps Cluster API's *older* contract: `status.ready`, severities."""


def crds() -> list[Raw]:
    """The definitions of the kinds of single machines."""
    return [
        crd(
            Version(
                type=AWSMachine,
                storage=True,
                columns=(
                    Column("Cluster", r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
                    Column("State", ".status.instanceState"),
                    Column("Ready", ".status.ready"),
                    Column("InstanceID", ".spec.providerID"),
                    Column("Machine", '.metadata.ownerReferences[?(@.kind=="Machine")].name'),
                ),
            ),
            short_names=("awsm",),
            categories=("cluster-api",),
            labels=LABELS,
        ),
        crd(
            Version(type=AWSMachineTemplate, storage=True),
            short_names=("awsmt",),
            categories=("cluster-api",),
            labels=LABELS,
        ),
    ]


def rules() -> list[Rules]:
    """What admission does for them."""
    return admission.rules()
