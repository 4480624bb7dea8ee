"""The kinds of EKS: their definitions and their rules. Imported by who serves or installs them; needs no library."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Rules
from capipool.machinery.crd import Column, Version, crd
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks import admission
from capipool.providers.aws.eks.api.cluster import AWSManagedCluster
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.eksconfig import EKSConfig, EKSConfigTemplate
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig, NodeadmConfigTemplate

_CONTRACT = {"cluster.x-k8s.io/v1beta1": "v1beta2"}

_CATEGORY = ("cluster-api",)


def crds() -> list[Raw]:
    """The definitions of EKS's kinds."""
    return [_control_plane(), _cluster(), _machine_pool(), *_configs()]


def rules() -> list[Rules]:
    """What admission does for EKS's kinds."""
    return admission.rules()


def _control_plane() -> Raw:
    columns = (
        Column("Cluster", r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
        Column("Ready", ".status.ready"),
        Column("VPC", ".spec.network.vpc.id"),
        Column("Endpoint", ".spec.controlPlaneEndpoint.host", priority=1),
        Column("Bastion IP", ".status.bastion.publicIp"),
    )
    return crd(
        Version(type=AWSManagedControlPlane, storage=True, columns=columns),
        short_names=("awsmcp",),
        categories=_CATEGORY,
        labels={Label.PROVIDER_NAME: "control-plane-eks", **_CONTRACT},
    )


def _cluster() -> Raw:
    columns = (
        Column("Cluster", r".metadata.labels.cluster\.x-k8s\.io/cluster-name"),
        Column("Ready", ".status.ready"),
        Column("Endpoint", ".spec.controlPlaneEndpoint.host", priority=1),
    )
    return crd(
        Version(type=AWSManagedCluster, storage=True, columns=columns),
        short_names=("awsmc",),
        categories=_CATEGORY,
        labels={Label.PROVIDER_NAME: "infrastructure-aws", **_CONTRACT},
    )


def _machine_pool() -> Raw:
    columns = (Column("Ready", ".status.ready"), Column("Replicas", ".status.replicas", "integer"))
    return crd(
        Version(type=AWSManagedMachinePool, storage=True, columns=columns),
        short_names=("awsmmp",),
        categories=_CATEGORY,
        labels={Label.PROVIDER_NAME: "infrastructure-aws", **_CONTRACT},
    )


def _configs() -> list[Raw]:
    labels = {Label.PROVIDER_NAME: "bootstrap-eks", **_CONTRACT}
    columns = (Column("Ready", ".status.ready"), Column("DataSecretName", ".status.dataSecretName"))
    return [
        crd(
            Version(type=EKSConfig, storage=True, columns=columns),
            short_names=("eksc",),
            categories=_CATEGORY,
            labels=labels,
        ),
        crd(
            Version(type=EKSConfigTemplate, storage=True, status=False),
            short_names=("eksct",),
            categories=_CATEGORY,
            labels=labels,
        ),
        crd(Version(type=NodeadmConfig, storage=True), labels=labels),
        crd(
            Version(type=NodeadmConfigTemplate, storage=True, status=False),
            short_names=("nodeadmct",),
            categories=_CATEGORY,
            labels=labels,
        ),
    ]
