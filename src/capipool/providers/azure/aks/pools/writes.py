"""The one place that writes about agent pools to the management cluster: only what differs, each by itself."""

from __future__ import annotations

from typing import Any

from capipool.api.constants import Annotation
from capipool.api.core import MachinePool
from capipool.client.client import Client
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.providers.azure.aks.pools import scaling
from capipool.providers.azure.aks.pools.scaling import Managed
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool


class Writes:
    """Writes by patches. Every method raises ApiError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def status(self, obj: AzureManagedMachinePool, status: Raw) -> None:
        """Make the status so; keys with None are removed, others stay."""
        before = objects.to_raw(obj).get("status", {})
        wanted = {k: v for k, v in {**before, **status}.items() if v is not None}
        if (patch := merge.diff(before, wanted)) is not None:
            await self._patch(obj, {"status": patch}, subresource="status")

    async def operations(self, obj: AzureManagedMachinePool, kept: list[Raw] | None) -> None:
        """Note what was begun."""
        await self._patch(obj, {"status": {"longRunningOperationStates": kept}}, subresource="status")

    async def finalizers(self, obj: AzureManagedMachinePool, finalizers: list[str]) -> None:
        """Replace them, if the object is as it was read."""
        await self._patch(obj, {"metadata": {"finalizers": finalizers}}, resource_version=obj.metadata.resource_version)

    async def provider_ids(self, obj: AzureManagedMachinePool, found: list[str]) -> None:
        """Say which nodes there are."""
        if found != list(obj.spec.provider_id_list):
            await self._patch(obj, {"spec": {"providerIDList": found}})

    async def tags(self, obj: AzureManagedMachinePool, names: str | None) -> None:
        """Note which tags are wanted."""
        if names != obj.metadata.annotations.get(scaling.TAGS):
            await self._annotate(obj, {scaling.TAGS: names})

    async def managed_by(self, obj: AzureManagedMachinePool, owner: MachinePool, managed: Managed) -> None:
        """Say who scales: our mark before what it is about, and after it where it goes."""
        if managed.mark:
            await self._annotate(obj, {scaling.MARK: "true"})
        if managed.annotation is not None:
            said = "true" if managed.annotation else None
            await self._owner(owner, {"metadata": {"annotations": {Annotation.REPLICAS_MANAGED_BY: said}}})
        if managed.mark is False:
            await self._annotate(obj, {scaling.MARK: None})

    async def replicas(self, owner: MachinePool, count: int) -> None:
        """Have the MachinePool's number follow."""
        await self._owner(owner, {"spec": {"replicas": count}})

    async def _annotate(self, obj: AzureManagedMachinePool, annotations: dict[str, str | None]) -> None:
        await self._patch(obj, {"metadata": {"annotations": annotations}})

    async def _owner(self, owner: MachinePool, patch: Raw) -> None:
        await self._client.patch(MachinePool, owner.metadata.name, owner.metadata.namespace, patch=patch)

    async def _patch(self, obj: AzureManagedMachinePool, patch: Raw, **how: Any) -> None:
        await self._client.patch(AzureManagedMachinePool, obj.metadata.name, obj.metadata.namespace, patch=patch, **how)
