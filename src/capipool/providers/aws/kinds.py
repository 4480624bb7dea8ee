"""The kinds of the AWS provider: their definitions and their rules. Imported by who serves or installs them.

Needs nothing of AWS's library: a server can serve these kinds where nobody reconciles them.
"""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Rules
from capipool.machinery.crd import Column, Version, crd
from capipool.machinery.objects import Raw
from capipool.providers.aws import admission
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.eks import kinds as eks
from capipool.providers.aws.identities import kinds as identities
from capipool.providers.aws.machines import kinds as machines

LABELS = {Label.PROVIDER_NAME: "infrastructure-aws", "cluster.x-k8s.io/v1beta1": "v1beta2"}
"""Upstream's `v1beta2` of these kinds keeps Cluster API's *older* contract: `status.ready`, severities."""


def crds() -> list[Raw]:
    """The definitions of the provider's kinds."""
    return [*_pools(), *identities.crds(), *machines.crds(), *eks.crds()]


def _pools() -> list[Raw]:
    return [
        crd(
            Version(
                type=AWSMachinePool,
                storage=True,
                columns=(
                    Column("Ready", ".status.ready"),
                    Column("Replicas", ".status.replicas", "integer"),
                    Column("MinSize", ".spec.minSize", "integer"),
                    Column("MaxSize", ".spec.maxSize", "integer"),
                    Column("LaunchTemplate ID", ".status.launchTemplateID"),
                ),
            ),
            short_names=("awsmp",),
            categories=("cluster-api",),
            labels=LABELS,
        ),
        crd(
            Version(
                type=AWSCluster,
                storage=True,
                columns=(
                    Column("Cluster", r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
                    Column("Ready", ".status.ready"),
                    Column("VPC", ".spec.network.vpc.id"),
                    Column("Endpoint", ".spec.controlPlaneEndpoint", priority=1),
                    Column("Bastion IP", ".status.bastion.publicIp"),
                    Column("Bastion IPv6", ".status.bastion.ipv6Address"),
                ),
            ),
            short_names=("awsc",),
            categories=("cluster-api",),
            labels=LABELS,
        ),
    ]


def rules() -> list[Rules]:
    """What admission does for the provider's kinds."""
    return [*admission.rules(), *identities.rules(), *machines.rules(), *eks.rules()]
