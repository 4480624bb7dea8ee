"""What the contract says of an infrastructure provider's cluster object."""

from __future__ import annotations

from capipool.api.v1beta2.cluster import APIEndpoint, FailureDomain
from capipool.contract import fields
from capipool.contract.versions import V1BETA2
from capipool.machinery.objects import Unstructured


def provisioned(obj: Unstructured, contract: str) -> bool:
    """Whether the cluster's infrastructure was made once."""
    if contract == V1BETA2:
        return fields.flag(obj.status, "initialization", "provisioned")
    return fields.flag(obj.status, "ready")


def control_plane_endpoint(obj: Unstructured) -> APIEndpoint | None:
    """Where the API server will be reached; None until both host and port are known."""
    host = fields.text(obj.spec, "controlPlaneEndpoint", "host")
    port = fields.number(obj.spec, "controlPlaneEndpoint", "port")
    return APIEndpoint(host=host, port=port) if host and port else None


def failure_domains(obj: Unstructured, contract: str) -> tuple[FailureDomain, ...]:
    """Where machines may go, by name. Contract v1beta1 has a map, v1beta2 a list."""
    if contract == V1BETA2:
        named = [(fields.text(item, "name"), item) for item in fields.objects(obj.status, "failureDomains")]
    else:
        found = fields.at(obj.status, "failureDomains")
        named = list(found.items()) if isinstance(found, dict) else []
    domains = [_domain(name, item) for name, item in named if name]
    return tuple(sorted(domains, key=lambda domain: domain.name))


def _domain(name: str, item: object) -> FailureDomain:
    attributes = fields.at(item, "attributes")
    control_plane = fields.at(item, "controlPlane")
    return FailureDomain(
        name=name,
        control_plane=control_plane if isinstance(control_plane, bool) else None,
        attributes={k: v for k, v in attributes.items() if isinstance(v, str)} if isinstance(attributes, dict) else {},
    )
