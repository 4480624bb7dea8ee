"""The kinds of the development provider: their definitions and their rules. Imported by who serves or installs them."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Rules
from capipool.machinery.crd import AGE, Column, Scale, Version, crd
from capipool.machinery.objects import Raw
from capipool.providers.dev import admission
from capipool.providers.dev.api.cloud import DevInstance, DevScalingGroup
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machine import DevMachine, DevMachineTemplate
from capipool.providers.dev.api.machinepool import DevMachinePool

LABELS = {Label.PROVIDER_NAME: "infrastructure-dev", "cluster.x-k8s.io/v1beta2": "v1beta2"}
"""Which of our versions follows which contract, for tools and core to look for."""

_CLUSTER = Column("Cluster", r".metadata.labels['cluster\.x-k8s\.io/cluster-name']")


def crds() -> list[Raw]:
    """The definitions of the provider's kinds, and of the cloud's own."""
    return [
        _kind(DevCluster, _CLUSTER, AGE),
        _kind(
            DevMachinePool,
            _CLUSTER,
            Column("Replicas", ".status.replicas", "integer"),
            Column("Ready", '.status.conditions[?(@.type=="Ready")].status'),
            Column("Why", '.status.conditions[?(@.type=="Ready")].reason'),
            AGE,
        ),
        _kind(DevMachine, _CLUSTER, Column("Provider ID", ".spec.providerID", priority=10), AGE),
        _kind(DevMachineTemplate, AGE),
        crd(
            Version(
                type=DevScalingGroup,
                storage=True,
                columns=(
                    Column("Cluster", ".spec.clusterName"),
                    Column("Desired", ".spec.replicas", "integer"),
                    Column("Revision", ".spec.template.revision"),
                    Column("Problem", ".status.problem"),
                    AGE,
                ),
                scale=Scale(),
            ),
            short_names=("dsg",),
            categories=("dev-cloud",),
        ),
        crd(
            Version(
                type=DevInstance,
                storage=True,
                columns=(
                    Column("Group", ".spec.group"),
                    Column("Zone", ".spec.zone"),
                    Column("Version", ".spec.version"),
                    Column("Revision", ".spec.revision"),
                    Column("Failure", ".status.message"),
                    AGE,
                ),
            ),
            short_names=("di",),
            categories=("dev-cloud",),
        ),
    ]


def rules() -> list[Rules]:
    """What admission does for the provider's kinds."""
    return admission.rules()


def _kind(type_: type, *columns: Column) -> Raw:
    return crd(
        Version(type=type_, storage=True, columns=columns),
        categories=("cluster-api",),
        labels=LABELS,
    )
