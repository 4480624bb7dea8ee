"""The role of a system-assigned identity: given once there is a principal, and taken back at the end.

Used for scale sets and for single machines. What the spec leaves out is as upstream's defaults have it: Contributor, of
the subscription. Upstream's webhook writes that into the spec; ours does not know the subscription.
"""

from __future__ import annotations

from typing import Protocol

from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.providers.azure import ids
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller, Calls
from capipool.sdk.errors import AlreadyThere, Missing

ASSIGNMENT = "capipool.io/azure-role-assignment"
"""Annotation: the resource ID of the assignment. Written before that is made, so that none is left behind."""
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
"""Azure's own role, by its ID."""
_API = "api-version=2022-04-01"


class Placed(Protocol):
    """Where it is that has the identity."""

    @property
    def caller(self) -> Caller:
        """Who calls about it."""
        ...


class Roles:
    """Role assignments, each at most one a pool or a machine."""

    def __init__(self, calls: Calls, client: Client) -> None:
        self._calls = calls
        self._client = client
        self._given: dict[str, tuple[str, str, str]] = {}
        """By the object's uid: which principal has which role by which assignment, as far as this process knows."""

    async def ensure(self, obj: AzureMachinePool | AzureMachine, place: Placed, resource: Raw) -> None:
        """Give the role that the spec names, and take back another that was given before. Raises ProviderError."""
        wanted, definition = assignment(obj, place.caller.subscription)
        before = obj.metadata.annotations.get(ASSIGNMENT, "")
        if before and before != wanted:
            self.forget(obj)
            await self._delete(place, before)
            await self._note(obj, wanted)
        principal = str((resource.get("identity") or {}).get("principalId") or "")
        if not wanted or not principal:
            return
        state = (principal, definition, wanted)
        if self._given.get(obj.metadata.uid) == state:
            return
        if before != wanted:
            await self._note(obj, wanted)
        await self._give(place, wanted, principal, definition)
        self._given[obj.metadata.uid] = state

    async def delete(self, obj: AzureMachinePool | AzureMachine, place: Placed) -> None:
        """Take back what was given. What is gone is done."""
        if before := obj.metadata.annotations.get(ASSIGNMENT, ""):
            await self._delete(place, before)
            await self._note(obj, "")
        self.forget(obj)

    def forget(self, obj: AzureMachinePool | AzureMachine) -> None:
        """Nothing is known of it any more."""
        self._given.pop(obj.metadata.uid, None)

    async def _give(self, place: Placed, path: str, principal: str, role: str) -> None:
        """Assignments never change: one that is there with the same name is looked at, and is right or in the way.

        In the way is one of another role, or of the identity of an earlier scale set or machine.
        """
        properties = {"principalId": principal, "roleDefinitionId": role, "principalType": "ServicePrincipal"}
        try:
            _, there, _ = await self._calls.request(place.caller, "GET", f"{path}?{_API}")
        except Missing:
            there = {}
        known = there.get("properties") or {}
        given = ids.last(str(known.get("roleDefinitionId") or "")).lower()
        if known.get("principalId") == principal and given == ids.last(role).lower():
            return
        if known:
            await self._delete(place, path)
        try:
            await self._calls.request(place.caller, "PUT", f"{path}?{_API}", body={"properties": properties})
        except AlreadyThere:
            return

    async def _delete(self, place: Placed, path: str) -> None:
        try:
            await self._calls.request(place.caller, "DELETE", f"{path}?{_API}")
        except Missing:
            return

    async def _note(self, obj: AzureMachinePool | AzureMachine, path: str) -> None:
        patch = {"metadata": {"annotations": {ASSIGNMENT: path or None}}}
        try:
            await self._client.patch(type(obj), obj.metadata.name, obj.metadata.namespace, patch=patch)
        except errors.NotFound:
            return


def assignment(obj: AzureMachinePool | AzureMachine, subscription: str) -> tuple[str, str]:
    """The resource ID of the assignment that is wanted, and of its role; empty where none is. Pure."""
    role, whole = obj.spec.system_assigned_identity_role, f"/subscriptions/{subscription}"
    if obj.spec.identity != "SystemAssigned" or role is None or not role.name:
        return "", ""
    authorization = "providers/Microsoft.Authorization"
    definition = role.definition_id or f"{whole}/{authorization}/roleDefinitions/{CONTRIBUTOR}"
    return f"{(role.scope or whole).rstrip('/')}/{authorization}/roleAssignments/{role.name}", definition
