"""What to write about an AKS cluster that was looked at: endpoint, annotations, status. Pure, and table-tested."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.providers.azure.aks.facts import STOPPED, AKSCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.sdk import ProviderError, conditions

NODE_GROUP_ANNOTATION = "capipool.io/aks-node-resource-group"
SUBNET_ANNOTATION = "capipool.io/aks-subnet"
"""On an AzureManagedControlPlane: the resource group of the cluster's nodes, and the ID of a subnet of theirs, which
pools must know and no field holds."""
RUNNING = "ManagedClusterRunning"
CREATED = "ClusterCreated"
NOT_FOUND, OUT_OF_SCOPE, FAILED = "ClusterNotFound", "OutOfScope", "Failed"
KEPT = "capipool creates and changes no cluster of AKS: it reads the one that is there"
_PORT = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be written; empty where nothing is."""

    spec: Raw = field(default_factory=dict)
    annotations: Raw = field(default_factory=dict)
    status: Raw = field(default_factory=dict)


def decide(obj: AzureManagedControlPlane, found: AKSCluster, now: dt.datetime, *, initialized: bool) -> Plan:
    """What a cluster that was found makes of the object. `initialized`: there is a kubeconfig secret."""
    annotations: Raw = {NODE_GROUP_ANNOTATION: found.node_group or None, SUBNET_ANNOTATION: found.subnet or None}
    status: Raw = {
        "ready": found.up,
        "initialized": initialized or bool(obj.status.initialized),
        "version": found.version,
        "autoUpgradeVersion": found.version if found.auto_upgrade and found.version else None,
        "oidcIssuerProfile": {"issuerURL": found.issuer} if found.issuer else None,
        "conditions": conditions.merged(obj.status.conditions, _conditions(found), now),
    }
    endpoint = {"host": found.host, "port": _PORT}
    return Plan(
        spec={"controlPlaneEndpoint": endpoint} if found.host else {},
        annotations=annotations,
        status=status,
    )


def missing(obj: AzureManagedControlPlane, now: dt.datetime) -> Plan:
    """What the object says where there is no such cluster."""
    said = (
        f"there is no AKS cluster {obj.metadata.name} in resource group {obj.spec.resource_group_name}, and capipool "
        "creates none: create it by other means, or correct metadata.name, spec.resourceGroupName or "
        "spec.subscriptionID"
    )
    return _told(obj, NOT_FOUND, said, now, ready=False)


def failed(obj: AzureManagedControlPlane, error: ProviderError, now: dt.datetime) -> Plan:
    """What the object says where the cluster could not be looked at: it may be as well as before."""
    return _told(obj, error.reason, str(error), now, ready=bool(obj.status.ready))


def _told(obj: AzureManagedControlPlane, reason: str, said: str, now: dt.datetime, *, ready: bool) -> Plan:
    wanted = [
        conditions.condition(type_, False, reason=reason, message=said, severity=conditions.ERROR)
        for type_ in ("Ready", RUNNING)
    ]
    return Plan(
        status={"ready": ready, "conditions": conditions.merged(obj.status.conditions, [*wanted, _kept()], now)}
    )


def _conditions(found: AKSCluster) -> list[Raw]:
    reason, said, severity = "", "", conditions.INFO
    if found.state == "Failed":
        reason, severity = FAILED, conditions.WARNING
        said = f"the last change of the AKS cluster {found.name} failed: Azure's activity log says why"
    elif found.state == STOPPED:
        reason, severity = STOPPED, conditions.WARNING
        said = f"the AKS cluster {found.name} is stopped: start it, and its pools go on"
    elif not found.up:
        reason, said = found.state, f"the AKS cluster {found.name} is {found.state}"
    about = {"reason": reason, "message": said, "severity": severity}
    return [
        conditions.condition("Ready", not reason, **about),
        conditions.condition(RUNNING, not reason, **about),
        _kept(),
    ]


def _kept() -> Raw:
    """Upstream has no condition for it: who expects a cluster to be made reads here why there is none."""
    return conditions.condition(CREATED, False, reason=OUT_OF_SCOPE, message=KEPT)
