"""The kinds of the Azure provider: their definitions and their rules. Imported by who serves or installs them.

Needs nothing of Azure's libraries: a server can serve these kinds where nobody reconciles them.
"""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.machinery.admission import Rules
from capipool.machinery.crd import AGE, Column, Version, crd
from capipool.machinery.objects import Object, Raw
from capipool.providers.azure import admission
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.machine import AzureMachine, AzureMachineTemplate
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.api.machinepoolmachine import AzureMachinePoolMachine
from capipool.providers.azure.api.managedcluster import AzureManagedCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool

LABELS = {Label.PROVIDER_NAME: "infrastructure-azure", "cluster.x-k8s.io/v1beta1": "v1beta1"}
"""Upstream's `v1beta1` of these kinds keeps Cluster API's older contract: `status.ready`, severities."""

_CLUSTER = r".metadata.labels.cluster\.x-k8s\.io/cluster-name"


def crds() -> list[Raw]:
    """The definitions of the provider's kinds."""
    return [
        _machine_pool(),
        _machine_pool_machine(),
        _cluster(),
        _identity(),
        _machine(),
        _kind(AzureMachineTemplate),
        _managed(AzureManagedCluster, Column("Cluster", _CLUSTER), Column("Ready", ".status.ready"), AGE, short="amc"),
        _managed(AzureManagedControlPlane, *_SUMMARY, AGE, short="amcp"),
        _managed(AzureManagedMachinePool, *_SUMMARY, AGE, Column("Mode", ".spec.mode"), short="ammp"),
    ]


def rules() -> list[Rules]:
    """What admission does for the provider's kinds."""
    return admission.rules()


def _kind(type_: type[Object], *columns: Column, short: str = "") -> Raw:
    return _definition(Version(type=type_, storage=True, columns=columns), short)


def _managed(type_: type[Object], *columns: Column, short: str) -> Raw:
    """A kind of AKS's older API, which upstream has deprecated."""
    said = f"upstream has deprecated {type_.RESOURCE.kind}; its successors are the AzureASOManaged kinds"
    return _definition(
        Version(type=type_, storage=True, columns=columns, deprecated=True, deprecation_warning=said), short
    )


def _definition(version: Version, short: str) -> Raw:
    return crd(version, short_names=(short,) if short else (), categories=("cluster-api",), labels=LABELS)


def _owner(kind: str) -> Column:
    return Column(kind, f'.metadata.ownerReferences[?(@.kind=="{kind}")].name', priority=1)


def _ready(name: str, field: str, priority: int = 0) -> Column:
    return Column(name, f".status.conditions[?(@.type=='Ready')].{field}", priority=priority)


_SUMMARY = (
    Column("Cluster", _CLUSTER),
    _ready("Ready", "status"),
    _ready("Severity", "severity"),
    _ready("Reason", "reason"),
    _ready("Message", "message", 1),
)


def _machine_pool() -> Raw:
    return _kind(
        AzureMachinePool,
        Column("Replicas", ".status.replicas"),
        Column("Ready", ".status.ready"),
        Column("State", ".status.provisioningState"),
        Column("Cluster", _CLUSTER, priority=1),
        _owner("MachinePool"),
        Column("VMSS ID", ".spec.providerID", priority=1),
        Column("VM Size", ".spec.template.vmSize", priority=1),
        AGE,
        short="amp",
    )


def _machine_pool_machine() -> Raw:
    return _kind(
        AzureMachinePoolMachine,
        Column("Version", ".status.version"),
        Column("Ready", ".status.ready"),
        Column("State", ".status.provisioningState"),
        Column("Cluster", _CLUSTER, priority=1),
        Column("VMSS VM ID", ".spec.providerID", priority=1),
        AGE,
        short="ampm",
    )


def _cluster() -> Raw:
    return _kind(
        AzureCluster,
        Column("Cluster", _CLUSTER),
        _ready("Ready", "status"),
        _ready("Reason", "reason"),
        _ready("Message", "message", 1),
        Column("Resource Group", ".spec.resourceGroup", priority=1),
        Column("SubscriptionID", ".spec.subscriptionID", priority=1),
        Column("Location", ".spec.location", priority=1),
        Column("Endpoint", ".spec.controlPlaneEndpoint.host", priority=1),
        AGE,
    )


def _identity() -> Raw:
    return _kind(AzureClusterIdentity, Column("Type", ".spec.type"), AGE)


def _machine() -> Raw:
    return _kind(
        AzureMachine,
        Column("Cluster", _CLUSTER, priority=1),
        *_SUMMARY[1:],
        Column("State", ".status.vmState"),
        _owner("Machine"),
        Column("VM ID", ".spec.providerID", priority=1),
        Column("VM Size", ".spec.vmSize", priority=1),
        AGE,
    )
