"""What the contract says of a control plane provider's object."""

from __future__ import annotations

from capipool.api.v1beta2.cluster import APIEndpoint
from capipool.contract import fields, infra_cluster
from capipool.contract.versions import V1BETA2
from capipool.machinery.objects import Unstructured


def initialized(obj: Unstructured, contract: str) -> bool:
    """Whether the control plane could be talked to once: its API server answers."""
    if contract == V1BETA2:
        return fields.flag(obj.status, "initialization", "controlPlaneInitialized")
    return fields.flag(obj.status, "initialized")


def endpoint(obj: Unstructured) -> APIEndpoint | None:
    """Where the API server is reached, for control planes that decide that themselves."""
    return infra_cluster.control_plane_endpoint(obj)


def wanted_version(obj: Unstructured) -> str:
    """The version of Kubernetes that is wanted; empty where the provider has none."""
    return fields.text(obj.spec, "version")


def version(obj: Unstructured) -> str:
    """The lowest version of Kubernetes that the control plane runs; empty where the provider does not say."""
    return fields.text(obj.status, "version")


def wanted_replicas(obj: Unstructured) -> int | None:
    """How many machines are wanted; None for a control plane without machines."""
    return fields.number(obj.spec, "replicas")


def replicas(obj: Unstructured) -> int | None:
    """How many machines there are."""
    return fields.number(obj.status, "replicas")


def ready_replicas(obj: Unstructured) -> int | None:
    """How many of them are ready."""
    return fields.number(obj.status, "readyReplicas")


def available_replicas(obj: Unstructured) -> int | None:
    """How many of them are available; contract v1beta1 has no such count."""
    return fields.number(obj.status, "availableReplicas")


def up_to_date_replicas(obj: Unstructured, contract: str) -> int | None:
    """How many of them are as wanted."""
    return fields.number(obj.status, "upToDateReplicas" if contract == V1BETA2 else "updatedReplicas")


def externally_managed(obj: Unstructured) -> bool:
    """Whether the control plane is a service somewhere else, without Nodes of its own."""
    return fields.flag(obj.status, "externalManagedControlPlane")
