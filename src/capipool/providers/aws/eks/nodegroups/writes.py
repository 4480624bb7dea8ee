"""The one place that writes about node groups to the management cluster: only what differs, each by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from capipool.api.core import MachinePool
from capipool.client.client import Client
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.patch import merge
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool


class Writes:
    """Writes by patches. Every method raises ApiError."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def status(self, obj: AWSManagedMachinePool, status: Raw) -> None:
        """Make the status so; keys with None are removed, others stay."""
        before = objects.to_raw(obj).get("status", {})
        wanted = {k: v for k, v in {**before, **status}.items() if v is not None}
        if (patch := merge.diff(before, wanted)) is not None:
            await self._patch(obj, {"status": patch}, subresource="status")

    async def finalizers(self, obj: AWSManagedMachinePool, finalizers: list[str]) -> None:
        """Replace them, if the object is as it was read."""
        patch: Raw = {"metadata": {"finalizers": finalizers}}
        await self._patch(obj, patch, resource_version=obj.metadata.resource_version)

    async def annotations(self, obj: AWSManagedMachinePool, wanted: Mapping[str, str | None]) -> AWSManagedMachinePool:
        """Set annotations, and remove those with None. Returns the object as it is then."""
        known = obj.metadata.annotations
        changed = {k: v for k, v in wanted.items() if known.get(k) != v}
        return await self._patch(obj, {"metadata": {"annotations": changed}}) if changed else obj

    async def role(self, obj: AWSManagedMachinePool, name: str) -> AWSManagedMachinePool:
        """Note which role the nodes have. Returns the object as it is then."""
        return await self._patch(obj, {"spec": {"roleName": name}})

    async def provider_ids(self, obj: AWSManagedMachinePool, found: Sequence[str]) -> None:
        """Say which nodes there are."""
        if list(found) != list(obj.spec.provider_id_list):
            await self._patch(obj, {"spec": {"providerIDList": list(found)}})

    async def replicas(self, owner: MachinePool, count: int) -> None:
        """Have the MachinePool's number follow."""
        meta = owner.metadata
        await self._client.patch(MachinePool, meta.name, meta.namespace, patch={"spec": {"replicas": count}})

    async def _patch(
        self, obj: AWSManagedMachinePool, patch: Raw, *, subresource: str = "", resource_version: str = ""
    ) -> AWSManagedMachinePool:
        meta = obj.metadata
        return await self._client.patch(
            AWSManagedMachinePool,
            meta.name,
            meta.namespace,
            patch=patch,
            subresource=subresource,
            resource_version=resource_version,
        )
