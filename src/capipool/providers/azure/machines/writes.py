"""What is written to an AzureMachine, where it differs. Used by the reconciler and by `deletion`."""

from __future__ import annotations

from collections.abc import Sequence

from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.machines import statuses
from capipool.providers.azure.operations import Operation


class Writes:
    """Writes to the API server."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def patch(self, obj: AzureMachine, patch: Raw, *, subresource: str = "") -> AzureMachine:
        """Merge a patch. Raises ApiError."""
        meta = obj.metadata
        return await self._client.patch(AzureMachine, meta.name, meta.namespace, patch=patch, subresource=subresource)

    async def status(self, obj: AzureMachine, status: Raw) -> None:
        """Bring the status up to date, if it is not."""
        patch = statuses.patch(obj, status)
        if patch is not None:
            await self.patch(obj, {"status": patch}, subresource="status")

    async def metadata(
        self, obj: AzureMachine, finalizers: Sequence[str], annotations: Raw | None = None
    ) -> AzureMachine:
        """Set finalizers, if nobody changed the object meanwhile. Raises ApiError; what is gone is as it should be."""
        meta, patch = obj.metadata, {"finalizers": list(finalizers), "annotations": annotations or {}}
        try:
            return await self._client.patch(
                AzureMachine,
                meta.name,
                meta.namespace,
                patch={"metadata": patch},
                resource_version=meta.resource_version,
            )
        except errors.NotFound:
            return obj


def pending(obj: AzureMachine, type_: str) -> Operation | None:
    """The operation of that type that the status knows."""
    kept = (Operation.decode(each) for each in obj.status.long_running_operation_states)
    return next((each for each in kept if each is not None and each.type == type_ and each.path), None)
