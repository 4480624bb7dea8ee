"""PUT and PATCH of a scale set: what Azure refuses, how a newer model is laid over the older, and what then happens."""

from __future__ import annotations

from typing import Any

from capipool.machinery.objects import Raw
from capipool.testing.azure.model import bodies, identities
from capipool.testing.azure.model.failures import ArmError, invalid, marked_for_deletion
from capipool.testing.azure.model.operations import Operation
from capipool.testing.azure.model.scalesets import defaults, growing, rolling
from capipool.testing.azure.model.scalesets.scaleset import FLEXIBLE, UNIFORM, ScaleSet
from capipool.testing.azure.model.scalesets.upgrades import Policy
from capipool.testing.azure.model.skus import normal
from capipool.testing.azure.model.subscription import Subscription

WRITE = "virtualMachineScaleSets/write"
MOST = 1000
"""Instances that one scale set may have."""
_HEALTH_EXTENSIONS = ("applicationhealthlinux", "applicationhealthwindows")


def create(subscription: Subscription, *, group: str, name: str, body: Raw) -> ScaleSet:
    """Make a scale set from a PUT, with its machines on the way. Raises ArmError, and has then made nothing."""
    location = body.get("location")
    if not location:
        raise ArmError("LocationRequired", "The location property is required for this definition.")
    properties = body.get("properties") or {}
    mode = str(properties.get("orchestrationMode") or UNIFORM)
    if mode not in (UNIFORM, FLEXIBLE):
        raise invalid(f"The orchestrationMode '{mode}' is neither Uniform nor Flexible.", "orchestrationMode")
    scale_set = ScaleSet(subscription.world, group=group, name=name, location=str(location), mode=mode)
    if not scale_set.flexible:
        for required in ("virtualMachineProfile", "upgradePolicy"):
            if not properties.get(required):
                raise invalid(f"Required parameter '{required}' is missing (null).", required)
        if not (body.get("sku") or {}).get("name"):
            raise invalid("Required parameter 'sku.name' is missing (null).", "sku")
    _take(subscription, scale_set, body)
    subscription.scale_sets[scale_set.id.lower()] = scale_set
    _carry_out(subscription, scale_set, body, changed=True)
    return scale_set


def update(subscription: Subscription, scale_set: ScaleSet, body: Raw) -> Operation:
    """Lay a PUT or a PATCH over a scale set, and begin what follows. A pending write is preempted by the newer one.

    Raises ArmError, and has then changed nothing.
    """
    if scale_set.deleting:
        raise marked_for_deletion("Virtual Machine Scale Set", scale_set.name, "Update Virtual Machine Scale Set")
    properties = body.get("properties") or {}
    if (location := body.get("location")) and normal(location) != normal(scale_set.location):
        raise ArmError(
            "InvalidResourceLocation",
            f"The resource '{scale_set.name}' already exists in location '{scale_set.location}'. A resource with the "
            f"same name cannot be created in location '{location}'.",
            status=409,
        )
    _unchangeable("orchestrationMode", properties.get("orchestrationMode"), scale_set.mode)
    fault_domains = properties.get("platformFaultDomainCount")
    _unchangeable("platformFaultDomainCount", fault_domains, scale_set.properties.get("platformFaultDomainCount"))
    if body.get("zones") is not None and not set(scale_set.zones) <= set(body["zones"]):
        raise ArmError("PropertyChangeNotAllowed", "Zones of a scale set can be added, not removed.", target="zones")
    changed = _take(subscription, scale_set, body)
    return _carry_out(subscription, scale_set, body, changed=changed)


def _unchangeable(field: str, new: Any, old: Any) -> None:
    if new is not None and new != old:
        raise ArmError("PropertyChangeNotAllowed", f"Changing property '{field}' is not allowed.", target=field)


def _take(subscription: Subscription, scale_set: ScaleSet, body: Raw) -> bool:
    """Check the outcome of a write, then let the scale set have it. Returns whether new machines look different."""
    zones = [str(z) for z in (body["zones"] if body.get("zones") is not None else scale_set.zones)]
    given = {k: v for k, v in (body.get("properties") or {}).items() if k not in ("provisioningState", "uniqueId")}
    properties = bodies.merged(scale_set.properties, given)
    properties = defaults.completed(properties, flexible=scale_set.flexible, zonal=bool(zones))
    sku = {**scale_set.sku, **{k: v for k, v in (body.get("sku") or {}).items() if k != "capacity"}}
    _check(subscription, scale_set, body=body, properties=properties, sku=sku, zones=zones)
    identity = identities.identity(subscription.world, scale_set.identity, body.get("identity"))
    plan = body.get("plan") or scale_set.plan
    before = (scale_set.profile, scale_set.sku.get("name"), scale_set.plan)
    after = (properties.get("virtualMachineProfile") or {}, sku.get("name"), plan)
    scale_set.properties, scale_set.sku, scale_set.zones = properties, sku, zones
    scale_set.plan, scale_set.identity = plan, identity
    if "tags" in body:
        scale_set.tags = dict(body["tags"] or {})
    scale_set.generation += 1
    if before == after:
        return False
    scale_set.model += 1
    return True


def _check(
    subscription: Subscription, scale_set: ScaleSet, *, body: Raw, properties: Raw, sku: Raw, zones: list[str]
) -> None:
    capacity = (body.get("sku") or {}).get("capacity")
    if capacity is not None and not 0 <= int(capacity) <= MOST:
        raise invalid(f"The capacity must be between 0 and {MOST}, and is {capacity}.", "sku.capacity")
    profile = properties.get("virtualMachineProfile") or {}
    if profile:
        _check_profile(profile)
    if sku.get("name"):
        subscription.skus.check(sku["name"], scale_set.location, zones)
    policy = properties.get("upgradePolicy") or {}
    mode = policy.get("mode") or "Manual"
    if mode not in ("Manual", "Automatic", "Rolling"):
        raise invalid(f"The upgrade mode '{mode}' is not Manual, Automatic or Rolling.", "upgradePolicy.mode")
    Policy.read(policy.get("rollingUpgradePolicy") or {})
    if mode == "Rolling" and not has_health(profile):
        raise ArmError(
            "BadRequest",
            "Rolling Upgrade mode is not supported for this Virtual Machine Scale Set because a health probe or "
            "health extension was not provided.",
        )


def _check_profile(profile: Raw) -> None:
    if not (profile.get("osProfile") or {}).get("computerNamePrefix"):
        raise invalid("Required parameter 'osProfile.computerNamePrefix' is missing (null).", "osProfile")
    spot = str(profile.get("priority") or "Regular").lower() in ("spot", "low")
    if profile.get("evictionPolicy") and not spot:
        raise invalid("Eviction policy can be set only on Azure Spot Virtual Machines.", "evictionPolicy")
    if profile.get("billingProfile") and not spot:
        raise invalid("Billing profile can be set only on Azure Spot Virtual Machines.", "billingProfile")


def has_health(profile: Raw) -> bool:
    """Whether machines say how they are: by an application health extension or a load balancer's probe."""
    if (profile.get("networkProfile") or {}).get("healthProbe"):
        return True
    extensions = (profile.get("extensionProfile") or {}).get("extensions") or []
    return any(str(e.get("properties", {}).get("type", "")).lower() in _HEALTH_EXTENSIONS for e in extensions)


def _carry_out(subscription: Subscription, scale_set: ScaleSet, body: Raw, *, changed: bool) -> Operation:
    """Begin the operation of a write: machines come, go and change."""
    operations = subscription.world.operations
    operation = operations.start(WRITE, scale_set.id, location=scale_set.location)
    operations.preempt(operation)
    operation.on_end = lambda ended: growing.finished(scale_set, ended)
    scale_set.provisioning = "Creating" if scale_set.generation == 1 else "Updating"
    old = [machine for machine in scale_set.live if machine.model != scale_set.model]
    capacity = (body.get("sku") or {}).get("capacity")
    if capacity is not None:
        growing.resize(subscription, scale_set, int(capacity), operation)
    if changed and old and scale_set.upgrade_mode == "Automatic":
        open_to_it = [machine for machine in old if not machine.protected("protectFromScaleSetActions")]
        rolling.upgrade_all(subscription, scale_set, open_to_it, operation)
    elif changed and old and scale_set.upgrade_mode == "Rolling":
        rolling.start(subscription, scale_set, operation)
    else:
        rolling.take_over(scale_set, operation)
    return operation
