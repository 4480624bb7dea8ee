"""Role assignments, at the scope of any resource."""

from __future__ import annotations

import re

from capipool.testing.azure.http.answers import Answer, Call, Route, page
from capipool.testing.azure.model import roles
from capipool.testing.azure.model.failures import ArmError, invalid

_ALL = "/{scope:path}/providers/Microsoft.Authorization/roleAssignments"
_ONE = f"{_ALL}/{{name}}"
_PRINCIPAL = re.compile(r"\s*(?:principalId\s+eq\s+'([^']*)'|assignedTo\('([^']*)'\))\s*", re.IGNORECASE)
_EXACTLY = re.compile(r"\s*atScope\(\)\s*", re.IGNORECASE)


def _scope(call: Call) -> str:
    return f"/{call.params['scope'].strip('/')}"


def put(call: Call) -> Answer:
    """Make one."""
    made, new = roles.put(call.subscription, scope=_scope(call), name=call.params["name"], body=call.document())
    return Answer(201 if new else 200, made.shown())


def get(call: Call) -> Answer:
    """One of them."""
    found = call.subscription.roles.get(f"{_scope(call)}/providers/{roles.KIND}/{call.params['name']}".lower())
    if found is None:
        raise ArmError(
            "RoleAssignmentNotFound", f"The role assignment '{call.params['name']}' is not found.", status=404
        )
    return Answer(200, found.shown())


def delete(call: Call) -> Answer:
    """Remove one; 204 where there is none."""
    key = f"{_scope(call)}/providers/{roles.KIND}/{call.params['name']}".lower()
    found = call.subscription.roles.pop(key, None)
    return Answer(200, found.shown()) if found else Answer(204)


def list_(call: Call) -> Answer:
    """Those that hold at a scope, of all principals or of one."""
    exactly, principal = False, ""
    condition = call.query.get("$filter", "")
    for part in re.split(r"\s+and\s+", condition) if condition else []:
        if _EXACTLY.fullmatch(part):
            exactly = True
        elif match := _PRINCIPAL.fullmatch(part):
            principal = match[1] or match[2] or ""
        else:
            raise invalid(f"The filter '{condition}' is not understood.", "$filter")
    found = roles.at(call.subscription, _scope(call), exactly=exactly, principal=principal)
    return page(call, [assignment.shown() for assignment in found])


ROUTES = (
    Route("PUT", _ONE, "roleAssignments/write", put),
    Route("GET", _ONE, "roleAssignments/read", get),
    Route("DELETE", _ONE, "roleAssignments/delete", delete),
    Route("GET", _ALL, "roleAssignments/read", list_),
)
