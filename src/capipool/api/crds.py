"""The CustomResourceDefinitions of cluster.x-k8s.io.

The embedded server is given these at its start, `capipool manifests` prints them. Made on first use, once a process.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from capipool.api import core
from capipool.api.constants import GROUP, Label
from capipool.api.v1beta1.cluster import Cluster as OldCluster
from capipool.api.v1beta1.machine import Machine as OldMachine
from capipool.api.v1beta1.machinedeployment import MachineDeployment as OldMachineDeployment
from capipool.api.v1beta1.machinedrainrule import MachineDrainRule as OldMachineDrainRule
from capipool.api.v1beta1.machinehealthcheck import MachineHealthCheck as OldMachineHealthCheck
from capipool.api.v1beta1.machinepool import MachinePool as OldMachinePool
from capipool.api.v1beta1.machineset import MachineSet as OldMachineSet
from capipool.machinery.crd import AGE, Column, Scale, Version, Webhook, crd
from capipool.machinery.objects import Object, Raw

LABELS = {
    Label.PROVIDER_NAME: "cluster-api",
    f"{GROUP}/v1beta1": "v1beta1",
    f"{GROUP}/v1beta2": "v1beta2",
}
"""Which of our versions follows which contract, for tools that look for it."""

_CLUSTER = Column("Cluster", ".spec.clusterName")
_PHASE = Column("Phase", ".status.phase")
_TEMPLATE_VERSION = Column("Version", ".spec.template.spec.version")
_SCALE = Scale(label_selector_path=".status.selector")


def _condition(name: str, type_: str, priority: int = 0) -> Column:
    return Column(name, f'.status.conditions[?(@.type=="{type_}")].status', "string", priority)


def _address(type_: str) -> Column:
    return Column(type_.replace("IP", "-IP"), f'.status.addresses[?(@.type=="{type_}")].address', "string", 10)


_PAUSED = _condition("Paused", "Paused", 10)
_OLD_COUNTERS = (
    _CLUSTER,
    Column("Desired", ".spec.replicas", "integer", 10),
    Column("Replicas", ".status.replicas", "integer"),
    Column("Ready", ".status.readyReplicas", "integer"),
)
_COUNTERS = (
    Column("Desired", ".spec.replicas", "integer"),
    Column("Current", ".status.replicas", "integer"),
    Column("Ready", ".status.readyReplicas", "integer"),
    Column("Available", ".status.availableReplicas", "integer"),
    Column("Up-to-date", ".status.upToDateReplicas", "integer"),
)


def _counters(name: str, field: str) -> tuple[Column, ...]:
    return (
        Column(f"{name} Desired", f".status.{field}.desiredReplicas", "integer"),
        Column(f"{name} Current", f".status.{field}.replicas", "integer", 10),
        Column(f"{name} Ready", f".status.{field}.readyReplicas", "integer", 10),
        Column(f"{name} Available", f".status.{field}.availableReplicas", "integer"),
        Column(f"{name} Up-to-date", f".status.{field}.upToDateReplicas", "integer"),
    )


def _both(
    old: type[Object],
    old_columns: Sequence[Column],
    new: type[Object],
    new_columns: Sequence[Column],
    *,
    short_names: Sequence[str] = (),
    scale: Scale | None = None,
    status: bool = True,
    webhook: Webhook | None,
) -> Raw:
    return crd(
        Version(type=old, deprecated=True, columns=old_columns, scale=scale, status=status),
        Version(type=new, storage=True, columns=new_columns, scale=scale, status=status),
        short_names=short_names,
        categories=("cluster-api",),
        labels=LABELS,
        webhook=webhook,
    )


@cache
def crds(webhook: Webhook | None = None) -> tuple[Raw, ...]:
    """Every kind of the group, both versions. With a webhook, conversion is left to it: see `machinery.crd.crd`."""
    return (
        _cluster(webhook),
        _machine(webhook),
        _machine_set(webhook),
        _machine_deployment(webhook),
        _machine_pool(webhook),
        _machine_health_check(webhook),
        _machine_drain_rule(webhook),
    )


def _cluster(webhook: Webhook | None) -> Raw:
    version = Column("Version", ".spec.topology.version")
    return _both(
        OldCluster,
        (Column("ClusterClass", ".spec.topology.class"), _PHASE, AGE, version),
        core.Cluster,
        (
            Column("ClusterClass", ".spec.topology.classRef.name"),
            _condition("Available", "Available"),
            *_counters("CP", "controlPlane"),
            *_counters("W", "workers"),
            _PAUSED,
            _PHASE,
            AGE,
            version,
        ),
        short_names=("cl",),
        webhook=webhook,
    )


def _machine(webhook: Webhook | None) -> Raw:
    version = Column("Version", ".spec.version")
    return _both(
        OldMachine,
        (
            _CLUSTER,
            Column("NodeName", ".status.nodeRef.name"),
            Column("ProviderID", ".spec.providerID"),
            _PHASE,
            AGE,
            version,
        ),
        core.Machine,
        (
            _CLUSTER,
            Column("Node Name", ".status.nodeRef.name"),
            Column("Provider ID", ".spec.providerID", "string", 10),
            Column("Failure domain", ".status.failureDomain"),
            _condition("Ready", "Ready"),
            _condition("Available", "Available"),
            _condition("Up-to-date", "UpToDate"),
            _address("InternalIP"),
            _address("ExternalIP"),
            Column("OS-Image", ".status.nodeInfo.osImage", "string", 10),
            _PAUSED,
            _PHASE,
            AGE,
            version,
        ),
        short_names=("ma",),
        webhook=webhook,
    )


def _machine_set(webhook: Webhook | None) -> Raw:
    return _both(
        OldMachineSet,
        (
            *_OLD_COUNTERS,
            Column("Available", ".status.availableReplicas", "integer"),
            AGE,
            _TEMPLATE_VERSION,
        ),
        core.MachineSet,
        (_CLUSTER, *_COUNTERS, _PAUSED, AGE, _TEMPLATE_VERSION),
        short_names=("ms",),
        scale=_SCALE,
        webhook=webhook,
    )


def _machine_deployment(webhook: Webhook | None) -> Raw:
    return _both(
        OldMachineDeployment,
        (
            *_OLD_COUNTERS,
            Column("Updated", ".status.updatedReplicas", "integer"),
            Column("Unavailable", ".status.unavailableReplicas", "integer"),
            _PHASE,
            AGE,
            _TEMPLATE_VERSION,
        ),
        core.MachineDeployment,
        (_CLUSTER, _condition("Available", "Available"), *_COUNTERS, _PAUSED, _PHASE, AGE, _TEMPLATE_VERSION),
        short_names=("md",),
        scale=_SCALE,
        webhook=webhook,
    )


def _machine_pool(webhook: Webhook | None) -> Raw:
    return _both(
        OldMachinePool,
        (
            _CLUSTER,
            Column("Desired", ".spec.replicas", "integer", 10),
            Column("Replicas", ".status.replicas"),
            _PHASE,
            AGE,
            _TEMPLATE_VERSION,
        ),
        core.MachinePool,
        (_CLUSTER, *_COUNTERS, _PAUSED, _PHASE, AGE, _TEMPLATE_VERSION),
        short_names=("mp",),
        scale=Scale(),
        webhook=webhook,
    )


def _machine_health_check(webhook: Webhook | None) -> Raw:
    return _both(
        OldMachineHealthCheck,
        (
            _CLUSTER,
            Column("ExpectedMachines", ".status.expectedMachines", "integer"),
            Column("MaxUnhealthy", ".spec.maxUnhealthy"),
            Column("CurrentHealthy", ".status.currentHealthy", "integer"),
            AGE,
        ),
        core.MachineHealthCheck,
        (
            _CLUSTER,
            Column("Replicas", ".status.expectedMachines", "integer"),
            Column("Healthy", ".status.currentHealthy", "integer"),
            _PAUSED,
            AGE,
        ),
        short_names=("mhc", "mhcs"),
        webhook=webhook,
    )


def _machine_drain_rule(webhook: Webhook | None) -> Raw:
    columns = (Column("Behavior", ".spec.drain.behavior"), Column("Order", ".spec.drain.order"), AGE)
    return _both(
        OldMachineDrainRule,
        columns,
        core.MachineDrainRule,
        columns,
        status=False,
        webhook=webhook,
    )
