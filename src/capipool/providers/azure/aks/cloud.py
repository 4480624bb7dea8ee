"""AKS by Azure's calls: one method a request, no decisions. Used by the reconcilers of clusters and of agent pools.

Every method raises ProviderError; what is not there is None. Nothing here waits for an operation.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.providers.azure import operations
from capipool.providers.azure.aks.places import ClusterPlace, PoolPlace
from capipool.providers.azure.calls import Answer, Caller, Calls
from capipool.providers.azure.operations import Operation, Progress
from capipool.sdk import CloudUnavailable
from capipool.sdk.errors import Missing

_VERSION = "api-version=2025-05-01"
_SERVER = "6dae42f8-4368-4678-94ff-3960e28e3630"
"""The application that API servers of AKS take tokens for: the same for all clusters."""


@dataclass(frozen=True, slots=True)
class Token:
    """A token for an API server. Secret."""

    text: str = field(repr=False)
    expires: dt.datetime


class AKS:
    """The clusters and agent pools of any subscription."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def cluster(self, place: ClusterPlace) -> Raw | None:
        """A cluster; None where there is none."""
        return await self._get(place.caller, place.id)

    async def kubeconfig(self, place: ClusterPlace, *, admin: bool) -> bytes:
        """A kubeconfig as AKS gives it out: of an administrator with a certificate, or of users. Secret."""
        which = "Admin" if admin else "User"
        path = f"{place.id}/listCluster{which}Credential?{_VERSION}"
        _, answer, _ = await self._calls.request(place.caller, "POST", path)
        found = answer.get("kubeconfigs") or [{}]
        try:
            config = base64.b64decode(found[0].get("value") or "")
        except binascii.Error:
            config = b""
        if not config:
            raise CloudUnavailable(f"the credential of {place.name}", detail="AKS gave no kubeconfig")
        return config

    async def token(self, caller: Caller) -> Token:
        """A token of the caller for API servers of AKS."""
        return Token(*await self._calls.token(caller, f"{_SERVER}/.default"))

    async def pools(self, place: ClusterPlace) -> list[Raw]:
        """All agent pools of a cluster."""
        found: list[Raw] = []
        path = f"{place.id}/agentPools?{_VERSION}"
        while path:
            _, page, _ = await self._calls.request(place.caller, "GET", path)
            found += page.get("value") or []
            path = _path_of(page.get("nextLink") or "")
        return found

    async def pool(self, place: PoolPlace) -> Raw | None:
        """An agent pool; None where there is none. Raises where the cluster itself is missing."""
        return await self._get(place.cluster.caller, place.id)

    async def put(self, place: PoolPlace, properties: Raw, *, etag: str) -> Answer:
        """Make an agent pool (no etag), or change the one of that etag. Raises Changed where it is another by now."""
        headers = {"If-Match": etag} if etag else {"If-None-Match": "*"}
        path, body = f"{place.id}?{_VERSION}", {"properties": properties}
        return await self._calls.order(place.cluster.caller, "PUT", path, body=body, headers=headers)

    async def upgrade_image(self, place: PoolPlace) -> Answer:
        """Have the nodes replaced by those of the newest image."""
        return await self._calls.order(place.cluster.caller, "POST", f"{place.id}/upgradeNodeImageVersion?{_VERSION}")

    async def newest_image(self, place: PoolPlace) -> str:
        """The newest image for the nodes of a pool; empty where AKS does not say."""
        found = await self._get(place.cluster.caller, f"{place.id}/upgradeProfiles/default")
        return str((found or {}).get("properties", {}).get("latestNodeImageVersion") or "")

    async def delete(self, place: PoolPlace) -> Answer | None:
        """Begin to delete a pool; None where there is none."""
        try:
            return await self._calls.order(place.cluster.caller, "DELETE", f"{place.id}?{_VERSION}")
        except Missing:
            return None

    async def ask(self, caller: Caller, operation: Operation) -> Progress:
        """How far an operation is. One that Azure does not remember is over."""
        try:
            status, body, headers = await self._calls.request(caller, "GET", operation.path)
        except Missing:
            return Progress(running=False)
        return operations.read(operation, status, body, headers)

    async def scale_set(self, caller: Caller, group: str, pool: str) -> str | None:
        """The name of an agent pool's scale set, by its tags; None where there is none (yet)."""
        try:
            listed = await self._calls.pages(caller, "virtual_machine_scale_sets.list", group)
        except Missing:
            return None
        for each in listed:
            tags = each.get("tags") or {}
            if pool in (tags.get("aks-managed-poolName"), tags.get("poolName")):
                return str(each["name"])
        return None

    async def machines(self, caller: Caller, group: str, scale_set: str) -> list[Raw] | None:
        """The machines of a scale set with their power states; None where there is no such scale set."""
        try:
            return await self._calls.pages(
                caller, "virtual_machine_scale_set_vms.list", group, scale_set, expand="instanceView"
            )
        except Missing:
            return None

    async def _get(self, caller: Caller, path: str) -> Raw | None:
        try:
            _, found, _ = await self._calls.request(caller, "GET", f"{path}?{_VERSION}")
        except Missing:
            return None
        return found


def _path_of(link: str) -> str:
    """Path and query of a link: a token goes to no other host."""
    return "/" + link.split("/", 3)[3] if link.count("/") > 2 else ""
