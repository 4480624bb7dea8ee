"""What to write about an EKS cluster that was looked at: endpoint, network, status. Pure, and table-tested."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, field

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.facts import MAJOR_ISSUES, EKSCluster, NoCluster, Seen
from capipool.providers.aws.network import FOUND_ANNOTATION
from capipool.sdk import ProviderError, conditions
from capipool.sdk.conditions import condition, merged

SERVICES_ANNOTATION = "capipool.io/eks-service-cidr"
AUTHORITY_ANNOTATION = "capipool.io/eks-certificate-authority"
"""On an AWSManagedControlPlane: the addresses of the cluster's services, and base64 of the PEM of its authority, which
nodes must know and no field holds."""
READY, CREATING, UPDATING = "EKSControlPlaneReady", "EKSControlPlaneCreating", "EKSControlPlaneUpdating"
FAILED = "EKSControlPlaneReconciliationFailed"
"""Upstream's one reason why a control plane is not ready; those below are ours."""
NOT_ACTIVE, DEGRADED = "EKSClusterNotActive", "EKSClusterUnhealthy"
_PORT = 443
_UP = ("ACTIVE", "UPDATING")
"""States in which the API server answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is to be written; empty where nothing is."""

    spec: Raw = field(default_factory=dict)
    annotations: Raw = field(default_factory=dict)
    status: Raw = field(default_factory=dict)


def keeps_subnets(obj: AWSManagedControlPlane) -> bool:
    """Whether the subnets in the spec are the user's own, and not those that were found."""
    return bool(obj.spec.network.subnets) and FOUND_ANNOTATION not in obj.metadata.annotations


def decide(obj: AWSManagedControlPlane, seen: Seen, now: dt.datetime, *, initialized: bool) -> Plan:
    """What a cluster that was found makes of the object. `initialized`: there is a kubeconfig secret."""
    cluster, network = seen.cluster, seen.network
    up = cluster.usable and cluster.status in _UP
    spec: Raw = {}
    annotations: Raw = {}
    if cluster.usable:
        spec["controlPlaneEndpoint"] = {"host": cluster.endpoint, "port": _PORT}
        wanted: Raw = {"vpc": {"id": cluster.vpc}} if cluster.vpc and not obj.spec.network.vpc.id else {}
        if network.subnets:
            wanted["subnets"] = list(network.subnets)
            annotations |= {} if keeps_subnets(obj) else {FOUND_ANNOTATION: "true"}
        spec |= {"network": wanted} if wanted else {}
        annotations |= {SERVICES_ANNOTATION: cluster.service_cidr} if cluster.service_cidr else {}
        annotations[AUTHORITY_ANNOTATION] = cluster.authority
    status: Raw = {
        "ready": up,
        "initialized": initialized or bool(obj.status.initialized),
        "externalManagedControlPlane": True,
        "version": version(cluster.version, obj.spec.version),
        "failureMessage": f"EKS cluster in unexpected {cluster.status} state" if cluster.status == "FAILED" else None,
        "observedGeneration": obj.metadata.generation,
        "conditions": merged(obj.status.conditions, _conditions(obj, cluster, up), now),
    }
    if cluster.usable:
        status |= _network(obj, seen)
    return Plan(spec=spec, annotations=annotations, status=status)


def failed(obj: AWSManagedControlPlane, error: ProviderError, now: dt.datetime) -> Plan:
    """What the object says where the cluster could not be looked at. Only one that is not there is not ready."""
    gone = isinstance(error, NoCluster)
    reason = error.reason if gone else FAILED
    return Plan(status=_told(obj, reason, str(error), now, ready=obj.status.ready and not gone))


def unknown_region(obj: AWSManagedControlPlane, now: dt.datetime) -> Plan:
    """What the object says where nobody says where the cluster is."""
    return Plan(status=_told(obj, FAILED, "spec.region must be given: it says where the EKS cluster is", now))


def waiting(obj: AWSManagedControlPlane, said: str, now: dt.datetime) -> Plan:
    """What an object says that is being deleted, and waits. Its cluster is what it was."""
    wanted = [condition("Ready", False, reason="Deleting", message=said, severity=conditions.INFO)]
    return Plan(status={"conditions": merged(obj.status.conditions, wanted, now)})


def _told(obj: AWSManagedControlPlane, reason: str, said: str, now: dt.datetime, *, ready: bool = False) -> Raw:
    wanted = [condition(type_, False, reason=reason, message=said, severity="Error") for type_ in ("Ready", READY)]
    return {
        "ready": ready,
        "externalManagedControlPlane": True,
        "conditions": merged(obj.status.conditions, wanted, now),
    }


def version(found: str, wanted: str) -> str:
    """The version that the control plane has, with a patch: EKS names none, so the wanted one is as right as any."""
    if not found:
        return ""
    mine = f"v{found.removeprefix('v')}"
    text = f"v{wanted.removeprefix('v')}" if wanted else ""
    if text.count(".") == 2 and text.startswith(f"{mine}."):
        return text
    return mine if mine.count(".") == 2 else f"{mine}.0"


def _conditions(obj: AWSManagedControlPlane, cluster: EKSCluster, up: bool) -> list[Raw]:
    reason, said = "", ""
    if not up:
        reason, said = NOT_ACTIVE, f"the EKS cluster {cluster.name} is {cluster.status}"
    elif cluster.issues:
        reason, said = DEGRADED, "; ".join(cluster.issues[:MAJOR_ISSUES])
    severity = "Error" if cluster.status == "FAILED" else "Info" if reason == NOT_ACTIVE else "Warning"
    made = [
        condition("Ready", not reason, reason=reason, message=said, severity=severity),
        condition(READY, up, reason=reason, message=said, severity=severity),
    ]
    known = {c.type for c in obj.status.conditions}
    for type_, state, done in ((CREATING, "CREATING", "created"), (UPDATING, "UPDATING", "updated")):
        if cluster.status == state or type_ in known:
            made.append(condition(type_, cluster.status == state, reason=done, severity="Info"))
    return made


def _network(obj: AWSManagedControlPlane, seen: Seen) -> Raw:
    """Security groups and zones, and the OIDC provider where it was looked for."""
    before = objects.part_to_raw(obj.status.network_status)
    zones = _zones([s for s in seen.network.subnets if not s.get("isPublic")]) or _zones(seen.network.subnets)
    made: Raw = {
        "networkStatus": {**before, "securityGroups": seen.network.groups},
        "failureDomains": {zone: {"controlPlane": True} for zone in zones},
    }
    return made | ({"oidcProvider": seen.provider} if seen.provider is not None else {})


def _zones(subnets: Sequence[Raw]) -> list[str]:
    return sorted({s["availabilityZone"] for s in subnets if s.get("availabilityZone")})
