"""The role of a scale set's system-assigned identity: given once there is a principal, and taken back at the end."""

from __future__ import annotations

from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.providers.azure import failures
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.pools.place import Place

ASSIGNMENT = "capipool.io/azure-role-assignment"
"""Annotation: the resource ID of the assignment. Written before that is made, so that none is left behind."""
_API = "api-version=2022-04-01"


class Roles:
    """Role assignments, each at most one a pool."""

    def __init__(self, calls: Calls, client: Client) -> None:
        self._calls = calls
        self._client = client
        self._given: dict[str, tuple[str, str, str]] = {}
        """By the pool's uid: which principal has which role by which assignment, as far as this process knows."""

    async def ensure(self, obj: AzureMachinePool, place: Place, scale_set: Raw) -> None:
        """Give the role that the spec names, and take back another that was given before. Raises ProviderError."""
        wanted, role = assignment(obj), obj.spec.system_assigned_identity_role
        before = obj.metadata.annotations.get(ASSIGNMENT, "")
        if before and before != wanted:
            await self._delete(place, before)
            await self._note(obj, wanted)
        principal = str((scale_set.get("identity") or {}).get("principalId") or "")
        if not wanted or not principal or role is None:
            return
        state = (principal, role.definition_id, wanted)
        if self._given.get(obj.metadata.uid) == state:
            return
        if before != wanted:
            await self._note(obj, wanted)
        await self._give(place, wanted, principal, role.definition_id)
        self._given[obj.metadata.uid] = state

    async def delete(self, obj: AzureMachinePool, place: Place) -> None:
        """Take back what was given. What is gone is done."""
        if before := obj.metadata.annotations.get(ASSIGNMENT, ""):
            await self._delete(place, before)
            await self._note(obj, "")
        self._given.pop(obj.metadata.uid, None)

    async def _give(self, place: Place, path: str, principal: str, role: str) -> None:
        """Assignments never change: one that is there with the same name is looked at, and is right or in the way."""
        properties = {"principalId": principal, "roleDefinitionId": role, "principalType": "ServicePrincipal"}
        try:
            _, there, _ = await self._calls.request(place.caller, "GET", f"{path}?{_API}")
        except failures.Missing:
            there = {}
        known = there.get("properties") or {}
        if known and known.get("principalId") == principal:
            return
        if known:  # of the identity of an earlier scale set
            await self._delete(place, path)
        try:
            await self._calls.request(place.caller, "PUT", f"{path}?{_API}", body={"properties": properties})
        except failures.AlreadyThere:
            return

    async def _delete(self, place: Place, path: str) -> None:
        try:
            await self._calls.request(place.caller, "DELETE", f"{path}?{_API}")
        except failures.Missing:
            return

    async def _note(self, obj: AzureMachinePool, path: str) -> None:
        patch = {"metadata": {"annotations": {ASSIGNMENT: path or None}}}
        try:
            await self._client.patch(AzureMachinePool, obj.metadata.name, obj.metadata.namespace, patch=patch)
        except errors.NotFound:
            return


def assignment(obj: AzureMachinePool) -> str:
    """The resource ID of the assignment that a pool wants; empty where it wants none. Pure."""
    role = obj.spec.system_assigned_identity_role
    if obj.spec.identity != "SystemAssigned" or role is None or not (role.name and role.scope and role.definition_id):
        return ""
    return f"{role.scope.rstrip('/')}/providers/Microsoft.Authorization/roleAssignments/{role.name}"
