"""Defaults and rules of the identities that machines have, and of the role that is given to them. Pure, but for a GUID.

Scope and definition of the role stay empty where they are not given: the reconciler knows the subscription, and takes
the whole of it, and Contributor, as upstream's defaults do.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from capipool.api.admission.checks import part
from capipool.machinery import errors
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw
from capipool.providers.azure.admission.judging import is_resource_id

_ROLE = "systemAssignedIdentityRole"


def defaults(spec: Raw, old: Mapping[str, Any]) -> Raw:
    """The deprecated name is moved; without any, the assignment gets a new name, and keeps it."""
    role, deprecated = dict(part(spec, _ROLE)), spec.get("roleAssignmentName")
    if spec.get("identity") != "SystemAssigned" or (deprecated and role.get("name") not in (None, "", deprecated)):
        return spec
    kept = part(old, _ROLE).get("name")
    role["name"] = role.get("name") or deprecated or kept or str(uuid.uuid4())
    return {k: v for k, v in spec.items() if k != "roleAssignmentName"} | {_ROLE: role}


def check(spec: Mapping[str, Any], old: Mapping[str, Any], path: str) -> Iterator[FieldError]:
    """Each identity has what it needs, and nothing that is another's."""
    identity = spec.get("identity") or "None"
    yield from _users(spec, identity, path)
    if spec.get("roleAssignmentName"):
        what = f"is deprecated, and only for identity SystemAssigned: use {_ROLE}.name"
        yield errors.forbidden(f"{path}.roleAssignmentName", what)
    role = spec.get(_ROLE)
    if identity != "SystemAssigned":
        if role:
            yield errors.forbidden(f"{path}.{_ROLE}", "only with identity SystemAssigned")
        return
    name, before = part(spec, _ROLE).get("name", ""), part(old, _ROLE).get("name")
    if not _is_guid(name):
        yield errors.invalid(f"{path}.{_ROLE}.name", name, "must be a GUID; left out, one is made")
    if before and before != name:
        yield errors.forbidden(f"{path}.{_ROLE}.name", "is immutable: the assignment has this name in Azure")


def _users(spec: Mapping[str, Any], identity: str, path: str) -> Iterator[FieldError]:
    given = spec.get("userAssignedIdentities") or ()
    where = f"{path}.userAssignedIdentities"
    if identity == "UserAssigned" and not given:
        yield errors.required(where, "identity UserAssigned needs at least one")
    if identity != "UserAssigned" and given:
        yield errors.forbidden(where, f"not with identity {identity}: set identity to UserAssigned")
    for index, each in enumerate(given):
        if not is_resource_id(each["providerID"]):
            said = "must be a resource ID, with azure:// before it or without"
            yield errors.invalid(f"{where}[{index}].providerID", each["providerID"], said)


def _is_guid(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True
