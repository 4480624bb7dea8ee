"""Role assignments: which principal has which role at which scope. They outlive the identities that they name."""

from __future__ import annotations

import re
from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.subscription import Subscription
from capipool.testing.azure.model.world import timestamp

KIND = "Microsoft.Authorization/roleAssignments"
_GUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)


@dataclass(frozen=True)
class Assignment:
    """One assignment, which can be made and removed, and never changed."""

    name: str
    scope: str
    principal: str
    role: str
    """The id of the role definition."""
    principal_type: str
    made: str
    description: str = ""

    @property
    def id(self) -> str:
        """Its resource id."""
        return f"{self.scope}/providers/{KIND}/{self.name}"

    def shown(self) -> Raw:
        """As answered."""
        return {
            "id": self.id,
            "name": self.name,
            "type": KIND,
            "properties": {
                "scope": self.scope,
                "principalId": self.principal,
                "roleDefinitionId": self.role,
                "principalType": self.principal_type,
                "description": self.description or None,
                "createdOn": self.made,
                "updatedOn": self.made,
            },
        }


def put(subscription: Subscription, *, scope: str, name: str, body: Raw) -> tuple[Assignment, bool]:
    """Make an assignment. Returns it, and whether it is new: the same one again is no error.

    Raises ArmError for a name in use by another one, for a second one of the same three, and for unknown principals.
    """
    if not _GUID.fullmatch(name):
        raise ArmError("InvalidRoleAssignmentId", f"The role assignment ID '{name}' is not valid: it must be a GUID.")
    given = body.get("properties") or {}
    for required in ("principalId", "roleDefinitionId"):
        if not given.get(required):
            raise ArmError("BadRequestFormat", f"The request misses '{required}'.")
    kind = given.get("principalType")
    if not kind and given["principalId"] not in principals(subscription):
        raise ArmError(
            "PrincipalNotFound", f"Principal {given['principalId']} does not exist in the directory of this tenant."
        )
    made = Assignment(
        name=name.lower(),
        scope=scope,
        principal=given["principalId"],
        role=given["roleDefinitionId"],
        principal_type=str(kind or "ServicePrincipal"),
        made=timestamp(subscription.world.clock.now()),
        description=str(given.get("description") or ""),
    )
    if (old := subscription.roles.get(made.id.lower())) is not None:
        if _content(old) != _content(made):
            raise ArmError(
                "RoleAssignmentUpdateNotPermitted",
                "Tenant ID, application ID, principal ID, and scope are not allowed to be updated.",
                status=409,
            )
        return old, False
    if any(_content(other) == _content(made) for other in subscription.roles.values()):
        raise ArmError("RoleAssignmentExists", "The role assignment already exists.", status=409)
    subscription.roles[made.id.lower()] = made
    return made, True


def principals(subscription: Subscription) -> set[str]:
    """The principals that the directory knows: those that tests put there, and every managed identity's."""
    found = set(subscription.principals)
    identities = [owner.identity for owner in subscription.scale_sets.values()]
    identities += [owner.identity for owner in subscription.machines.values()]
    for identity in filter(None, identities):
        if identity.get("principalId"):
            found.add(identity["principalId"])
        found |= {user["principalId"] for user in (identity.get("userAssignedIdentities") or {}).values()}
    return found


def _content(assignment: Assignment) -> tuple[str, str, str]:
    """What makes two assignments the same: the role by its own id, wherever its definition is named from."""
    role = assignment.role.rsplit("/", 1)[-1]
    return assignment.scope.lower(), assignment.principal.lower(), role.lower()


def at(subscription: Subscription, scope: str, *, exactly: bool, principal: str = "") -> list[Assignment]:
    """The assignments that hold at a scope: there and above, and unless `exactly` also below."""
    wanted = scope.lower().rstrip("/")
    found = []
    for assignment in subscription.roles.values():
        own = assignment.scope.lower().rstrip("/")
        above = wanted == own or wanted.startswith(f"{own}/") or not own
        below = own.startswith(f"{wanted}/")
        if (above or (below and not exactly)) and principal.lower() in ("", assignment.principal.lower()):
            found.append(assignment)
    return found
