"""Defaults and rules of AzureClusters. Pure.

The network is found and not made, so only its names matter: upstream's defaults for names are filled in, and what would
describe a network to be made is answered with a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from capipool.api.admission.checks import part
from capipool.machinery import errors
from capipool.machinery.admission import Admit, Rules
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.azure.admission import judging
from capipool.providers.azure.admission.judging import EMPTY, set_once, specs
from capipool.providers.azure.api.cluster import AzureCluster

CLOUDS = ("AzurePublicCloud", "AzureChinaCloud", "AzureUSGovernmentCloud")
_GROUP = re.compile(r"[-\w._()]{1,90}")
_NAME = 44
"""Upstream's limit on a cluster's name, which load balancers and machines are named after."""
_MOVES = "a cluster does not move; make another"
_FIXED = {"location": _MOVES, "resourceGroup": _MOVES, "subscriptionID": _MOVES, "azureEnvironment": _MOVES}
_FIXED_NETWORK = {"name": "the nodes live in it", "resourceGroup": "the nodes live in it"}
_NOT_MADE: Mapping[tuple[str, ...], str] = {
    ("bastionSpec", "azureBastion"): "no bastion host is made",
    ("extendedLocation",): "edge zones are not used",
    ("networkSpec", "additionalAPIServerLBPorts"): "no load balancer is made",
    ("networkSpec", "controlPlaneOutboundLB"): "no load balancer is made",
    ("networkSpec", "privateDNSZone"): "no DNS zone is made",
    ("networkSpec", "privateDNSZoneName"): "no DNS zone is made",
    ("networkSpec", "privateDNSZoneResourceGroup"): "no DNS zone is made",
    ("networkSpec", "vnet", "cidrBlocks"): "no network is made",
    ("networkSpec", "vnet", "peerings"): "no peering is made",
    ("networkSpec", "vnet", "tags"): "no network is made, and none is tagged",
}
_SUBNET_NOT_MADE = ("cidrBlocks", "natGateway", "privateEndpoints", "serviceEndpoints")


def rules() -> list[Rules]:
    """The rules of the kind."""
    return [judging.rules(AzureCluster.RESOURCE, check=_cluster, warn=_warnings, default=_default)]


def _default(spec: Raw, admit: Admit) -> Raw:
    name = str(part(admit.object, "metadata").get("name") or "")
    spec["resourceGroup"] = spec.get("resourceGroup") or name
    spec["azureEnvironment"] = spec.get("azureEnvironment") or CLOUDS[0]
    network = dict(part(spec, "networkSpec"))
    vnet = dict(part(network, "vnet"))
    vnet["resourceGroup"] = vnet.get("resourceGroup") or spec["resourceGroup"]
    vnet["name"] = vnet.get("name") or f"{name}-vnet"
    network["vnet"] = vnet
    network["subnets"] = _subnets(network.get("subnets"), name)
    if isinstance(network.get("nodeOutboundLB"), dict):
        network["nodeOutboundLB"] = _outbound(network["nodeOutboundLB"], name)
    return {**spec, "networkSpec": network}


def _subnets(given: Any, name: str) -> Any:
    """A subnet for the control plane and one for nodes, unless one is there for both."""
    if not isinstance(given, list | None):
        return given
    made = list(given or ())
    roles = {subnet.get("role") for subnet in made if isinstance(subnet, dict)}
    if "cluster" not in roles:
        for role, suffix in (("control-plane", "controlplane-subnet"), ("node", "node-subnet")):
            made += [] if role in roles else [{"role": role, "name": f"{name}-{suffix}"}]
    return made


def _outbound(balancer: Raw, name: str) -> Raw:
    """Upstream's names of the balancer that nodes go out by, and of its pool."""
    called = balancer.get("name") or name
    pool = part(balancer, "backendPool").get("name") or f"{called}-outboundBackendPool"
    return {**balancer, "name": called, "backendPool": {"name": pool}}


def _cluster(admit: Admit) -> Iterator[FieldError]:
    spec, old = specs(admit)
    name = str(part(admit.object, "metadata").get("name") or "")
    if admit.operation == "CREATE" and len(name) > _NAME:
        yield errors.invalid(
            "metadata.name", name, f"must have at most {_NAME} characters: names in Azure begin with it"
        )
    cloud = spec.get("azureEnvironment")
    if cloud not in (None, "", *CLOUDS):
        yield errors.not_supported("spec.azureEnvironment", cloud, CLOUDS)
    reference = part(spec, "identityRef")
    if reference and reference.get("kind") not in (None, "", "AzureClusterIdentity"):
        yield errors.not_supported("spec.identityRef.kind", reference["kind"], ("AzureClusterIdentity",))
    network = part(spec, "networkSpec")
    yield from _roles(network.get("subnets") or (), "spec.networkSpec.subnets")
    if admit.operation == "UPDATE":
        yield from set_once(spec, old, "spec", _FIXED)
        vnet = part(old, "networkSpec", "vnet")
        yield from set_once(part(network, "vnet"), vnet, "spec.networkSpec.vnet", _FIXED_NETWORK)
        yield from set_once(spec, old, "spec", _endpoint(old))


def _endpoint(old: Mapping[str, Any]) -> dict[str, str]:
    """Once the address is whole, kubeconfigs and certificates have it."""
    endpoint = part(old, "controlPlaneEndpoint")
    whole = endpoint.get("host") and endpoint.get("port")
    return {"controlPlaneEndpoint": "kubeconfigs and certificates name it"} if whole else {}


def _roles(subnets: Sequence[Mapping[str, Any]], path: str) -> Iterator[FieldError]:
    roles = [subnet.get("role") for subnet in subnets]
    for role in ("control-plane", "cluster"):
        if roles.count(role) > 1:
            yield errors.invalid(path, role, f"only one subnet may have the role {role}")
    for index, subnet in enumerate(subnets):
        if not subnet.get("name"):
            yield errors.required(f"{path}[{index}].name", "the subnet is known by it")


def _warnings(raw: Raw) -> Iterator[str]:
    spec = part(raw, "spec")
    if (group := spec.get("resourceGroup")) and not _GROUP.fullmatch(group):
        yield f"spec.resourceGroup: Azure has no resource group {group!r}: letters, digits and -_.() only"
    for path, why in _NOT_MADE.items():
        if part(spec, *path[:-1]).get(path[-1]) not in EMPTY:
            yield f"spec.{'.'.join(path)}: accepted, but {why}"
    if part(spec, "networkSpec", "apiServerLB") and not part(spec, "controlPlaneEndpoint").get("host"):
        yield "spec.networkSpec.apiServerLB: accepted, but no load balancer is made: give controlPlaneEndpoint"
    for index, subnet in enumerate(part(spec, "networkSpec").get("subnets") or ()):
        for name in _SUBNET_NOT_MADE:
            if subnet.get(name) not in EMPTY:
                yield f"spec.networkSpec.subnets[{index}].{name}: accepted, but no subnet is made or changed"
        if part(subnet, "securityGroup").get("securityRules"):
            where = f"spec.networkSpec.subnets[{index}].securityGroup.securityRules"
            yield f"{where}: accepted, but no security group is made or changed"
