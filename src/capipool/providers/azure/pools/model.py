"""A scale set as it should be: the body of the PUT that makes it, and what of it names a revision. Pure.

`provider` makes the calls. Nothing here is secret but what `secret_parts` adds; that is never compared, logged or kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.azure import ids, images
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.pools import parts, place

ADMIN = "capi"
NETWORK_API = "2020-11-01"
"""Flexible scale sets make their network interfaces by this version of the network's API."""
MANUAL, ROLLING = "Manual", "Rolling"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What the spec leaves open, decided once a revision."""

    image: Raw
    """The `imageReference`, with a version."""
    accelerated: bool = False
    """Whether the size can do accelerated networking: what interfaces get that do not say."""
    ssh_key: str = ""
    """The line of `authorized_keys`; empty on Windows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The surroundings of a pool."""

    pool: AzureMachinePool
    cluster: AzureCluster
    cluster_name: str
    subscription: str
    zones: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What the scale set is called."""
        return place.scale_set_name(self.pool)


def body(scope: Scope, resolved: Resolved) -> Raw:
    """The scale set but for its capacity, its tags, its custom data and other secrets."""
    pool, spec = scope.pool, scope.pool.spec
    made: Raw = {
        "location": spec.location,
        "sku": {"name": spec.template.vm_size, "tier": "Standard"},
        "identity": _identity(pool),
        "properties": _properties(scope, resolved),
    }
    if scope.zones:
        made["zones"] = list(scope.zones)
    if (plan := images.plan(spec.template.image) if spec.template.image is not None else None) is not None:
        made["plan"] = plan
    return made


def secret_parts(pool: AzureMachinePool, custom_data: str, admin_password: str = "") -> Raw:
    """What Azure never shows again. Merged over the body just before it is sent."""
    profile: Raw = {"customData": custom_data} | ({"adminPassword": admin_password} if admin_password else {})
    made: Raw = {"osProfile": profile}
    protected = parts.protected_settings(pool.spec.template)
    if protected:
        made["extensionProfile"] = {"extensions": protected}
    return {"properties": {"virtualMachineProfile": made}}


def content(scope: Scope) -> Raw:
    """What of the specs makes a new instance differ: normalised, and with nothing looked up in Azure."""
    template = scope.pool.spec.template
    made = body(scope, Resolved(image={}, ssh_key=template.ssh_public_key))
    del made["location"]
    profile = made["properties"]["virtualMachineProfile"]
    kept = {
        "sku": made["sku"]["name"].lower(),
        "identity": made.get("identity"),
        "plan": made.get("plan"),
        "profile": profile,
        "capabilities": made["properties"].get("additionalCapabilities"),
        "image": _image_content(scope),
        "protected": parts.protected_settings(template),
        "accelerated": [interface.accelerated_networking for interface in parts.interfaces(template)],
    }
    folded: Raw = _folded(kept)
    return folded


def _image_content(scope: Scope) -> Any:
    """How the image is named. The default goes by the Kubernetes version, which is part of every revision anyway."""
    image = scope.pool.spec.template.image
    return None if image is None else images.reference(image)


def _properties(scope: Scope, resolved: Resolved) -> Raw:
    spec = scope.pool.spec
    made: Raw = {"singlePlacementGroup": False, "virtualMachineProfile": _profile(scope, resolved)}
    if place.is_flexible(scope.pool):
        made["orchestrationMode"] = "Flexible"
        made["platformFaultDomainCount"] = spec.platform_fault_domain_count or 1
    else:
        made["orchestrationMode"] = "Uniform"
        made["overprovision"] = False
        if spec.platform_fault_domain_count is not None:
            made["platformFaultDomainCount"] = spec.platform_fault_domain_count
    if spec.zone_balance is not None and len(scope.zones) > 1:
        made["zoneBalance"] = spec.zone_balance
    capabilities = spec.template.additional_capabilities
    if capabilities is not None and capabilities.ultra_ssd_enabled is not None:
        made["additionalCapabilities"] = {"ultraSSDEnabled": capabilities.ultra_ssd_enabled}
    return made


def _profile(scope: Scope, resolved: Resolved) -> Raw:
    template = scope.pool.spec.template
    extensions = parts.extensions(template)
    made: Raw = {
        "osProfile": parts.os_profile(scope.name, ADMIN, resolved.ssh_key, place.is_windows(scope.pool)),
        "storageProfile": parts.storage(template, resolved.image, scope.name),
        "networkProfile": _network(scope, resolved),
        "securityProfile": parts.security(template.security_profile),
        "diagnosticsProfile": parts.diagnostics(template.diagnostics),
        "extensionProfile": {"extensions": extensions} if extensions else None,
        "scheduledEventsProfile": parts.scheduled_events(template.terminate_notification_timeout),
        **parts.spot(template),
    }
    return {key: value for key, value in made.items() if value is not None}


def _network(scope: Scope, resolved: Resolved) -> Raw:
    pool, cluster, name = scope.pool, scope.cluster, scope.cluster_name
    subnets = place.subnet_ids(pool, cluster, cluster_name=name, subscription=scope.subscription)
    backend = place.backend_pool(cluster, cluster_name=name, subscription=scope.subscription)
    made: Raw = {
        "networkInterfaceConfigurations": [
            parts.network_interface(
                interface,
                subnet,
                name=f"{scope.name}-nic-{index}",
                accelerated=resolved.accelerated,
                primary=index == 0,
                backend_pool=backend if index == 0 else "",
            )
            for index, (interface, subnet) in enumerate(zip(parts.interfaces(pool.spec.template), subnets, strict=True))
        ]
    }
    if place.is_flexible(pool):
        made["networkApiVersion"] = NETWORK_API
    return made


def _identity(pool: AzureMachinePool) -> Raw:
    match pool.spec.identity:
        case "SystemAssigned":
            return {"type": "SystemAssigned"}
        case "UserAssigned":
            those = sorted(ids.resource_id(i.provider_id) for i in pool.spec.user_assigned_identities)
            return {"type": "UserAssigned", "userAssignedIdentities": {id: {} for id in those}}
    return {"type": "None"}


def merged(one: Mapping[str, Any], other: Mapping[str, Any]) -> Raw:
    """One document laid over another; items of lists by their name, where they have one."""
    made = dict(one)
    for key, value in other.items():
        there = made.get(key)
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            made[key] = merged(there, value)
        elif isinstance(there, list) and isinstance(value, list):
            named = {item["name"]: item for item in value}
            made[key] = [merged(item, named.get(item["name"], {})) for item in there]
        else:
            made[key] = value
    return made


def _folded(value: Any) -> Any:
    """IDs and names of images in one letter case: another spelling of the same is no other content."""
    if isinstance(value, Mapping):
        return {
            (ids.fold(key) if key.startswith("/") else key): _folded(item)
            for key, item in value.items()
            if item not in (None, {}, [])
        }
    if isinstance(value, list):
        return [_folded(item) for item in value]
    if isinstance(value, str) and value.lower().startswith(("/subscriptions/", "/communitygalleries/")):
        return ids.fold(value)
    return msgspec.to_builtins(value)
