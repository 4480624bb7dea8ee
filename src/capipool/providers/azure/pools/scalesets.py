"""Scale sets by Azure's calls: one method a request, no decisions. Used by `provider` alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from capipool.machinery.objects import Raw
from capipool.providers.azure import operations
from capipool.providers.azure.calls import Answer, Calls
from capipool.providers.azure.operations import Operation, Progress
from capipool.providers.azure.pools.place import Place
from capipool.sdk.errors import Missing

_SETS = "virtual_machine_scale_sets"
_ROLLS = "virtual_machine_scale_set_rolling_upgrades"


class ScaleSets:
    """The scale sets of any subscription. Every method raises ProviderError."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, place: Place) -> Raw | None:
        """A scale set; None where there is none."""
        try:
            return await self._calls.get(place.caller, f"{_SETS}.get", *place.arguments)
        except Missing:
            return None

    async def of_group(self, place: Place) -> list[Raw]:
        """All scale sets of a place's resource group."""
        try:
            return await self._calls.pages(place.caller, f"{_SETS}.list", place.id.group)
        except Missing:
            return []

    async def instances(self, place: Place, *, flexible: bool) -> list[Raw]:
        """All instances with their instance views; those of a Flexible scale set are virtual machines."""
        try:
            if flexible:
                return await self._calls.pages(
                    place.caller,
                    "virtual_machines.list",
                    place.id.group,
                    filter=f"'virtualMachineScaleSet/id' eq '{place.id}'",
                    expand="instanceView",
                )
            return await self._calls.pages(
                place.caller, "virtual_machine_scale_set_vms.list", *place.arguments, expand="instanceView"
            )
        except Missing:
            return []

    async def create(self, place: Place, body: Raw) -> Answer:
        """Make a scale set, unless there is one. Raises Changed where there is."""
        headers = {"If-None-Match": "*"}
        return await self._begin(place, "begin_create_or_update", body, headers=headers)

    async def put(self, place: Place, body: Raw, *, etag: str) -> Answer:
        """Give a scale set another model. Raises Changed where it is not as it was read."""
        return await self._begin(place, "begin_create_or_update", body, headers=_unchanged(etag))

    async def patch(self, place: Place, body: Raw, *, etag: str) -> Answer:
        """Change parts of a scale set. Raises Changed where it is not as it was read."""
        return await self._begin(place, "begin_update", body, headers=_unchanged(etag))

    async def delete_instances(self, place: Place, ids: Collection[str]) -> Answer:
        """Delete exactly these; the capacity falls with them."""
        return await self._begin(place, "begin_delete_instances", {"instanceIds": sorted(ids)})

    async def delete(self, place: Place) -> Answer:
        """Delete a scale set with all its instances."""
        return await self._begin(place, "begin_delete")

    async def ask(self, place: Place, operation: Operation) -> Progress:
        """How far an operation is. One that Azure does not remember is over."""
        try:
            status, body, headers = await self._calls.request(place.caller, "GET", operation.path)
        except Missing:
            return Progress(running=False)
        return operations.read(operation, status, body, headers)

    async def merge_tags(self, place: Place, tags: dict[str, str], *, gone: dict[str, str]) -> None:
        """Set tags, and take others away; all others stay. No operation, and no new model."""
        path = f"{place.id}/providers/Microsoft.Resources/tags/default?api-version=2021-04-01"
        for operation, those in (("Merge", tags), ("Delete", gone)):
            if those:
                body: Raw = {"operation": operation, "properties": {"tags": those}}
                await self._calls.request(place.caller, "PATCH", path, body=body)

    async def rolling(self, place: Place) -> Raw:
        """The latest rolling upgrade; empty where there was none."""
        try:
            found = await self._calls.get(place.caller, f"{_ROLLS}.get_latest", *place.arguments)
        except Missing:
            return {}
        properties: Raw = found.get("properties") or {}
        return properties

    async def roll(self, place: Place) -> Answer:
        """Start a rolling upgrade of what does not have the latest model."""
        return await self._calls.begin(place.caller, f"{_ROLLS}.begin_start_os_upgrade", *place.arguments)

    async def cancel_rolling(self, place: Place) -> Answer:
        """Begin no further batch of the rolling upgrade."""
        return await self._calls.begin(place.caller, f"{_ROLLS}.begin_cancel", *place.arguments)

    async def _begin(self, place: Place, operation: str, *arguments: Any, **named: Any) -> Answer:
        return await self._calls.begin(place.caller, f"{_SETS}.{operation}", *place.arguments, *arguments, **named)


def _unchanged(etag: str) -> dict[str, str]:
    return {"If-Match": etag} if etag else {}
