"""Managed identities of scale sets and machines: Azure adds the principals that clients give roles to."""

from __future__ import annotations

from typing import Any

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import invalid
from capipool.testing.azure.model.world import World

_TYPES = {"none", "systemassigned", "userassigned", "systemassigned, userassigned", "systemassigned,userassigned"}


def identity(world: World, old: Raw | None, new: Any) -> Raw | None:
    """The identity after a write. Principals stay the same as long as the type has them."""
    if new is None:
        return old
    kind = str(new.get("type", "None"))
    if kind.lower() not in _TYPES:
        raise invalid(f"The identity type '{kind}' is not valid.", "identity.type")
    if kind.lower() == "none":
        return None
    made: Raw = {"type": kind}
    before = old or {}
    if "systemassigned" in kind.lower():
        made["principalId"] = before.get("principalId") or world.guid()
        made["tenantId"] = world.tenant
    if "userassigned" in kind.lower():
        made["userAssignedIdentities"] = _users(world, before.get("userAssignedIdentities") or {}, new)
    return made


def _users(world: World, old: Raw, new: Raw) -> Raw:
    given = new.get("userAssignedIdentities")
    if not given and not old:
        raise invalid("The identity type UserAssigned needs at least one user assigned identity.", "identity")
    result = dict(old)
    for name, value in (given or {}).items():
        if value is None:
            result.pop(name, None)
        else:
            result.setdefault(name, {"principalId": world.guid(), "clientId": world.guid()})
    return result
