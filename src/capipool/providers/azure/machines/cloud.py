"""Virtual machines and what belongs to them, by Azure's calls: one method a request, no decisions.

Used by the reconciler alone. Every method raises ProviderError; what is gone already is no error.
"""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.providers.azure import operations
from capipool.providers.azure.calls import Answer, Calls
from capipool.providers.azure.machines.where import Where
from capipool.providers.azure.operations import Operation, Progress
from capipool.sdk.errors import Missing

_NETWORK = "api-version=2024-05-01"
_TAGS = "api-version=2021-04-01"
_DISKS = "api-version=2024-03-02"
_OVER = (200, 204)


class VirtualMachines:
    """The virtual machines of any subscription."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    async def get(self, where: Where) -> Raw | None:
        """A machine with its instance view; None where there is none."""
        try:
            return await self._calls.get(where.caller, "virtual_machines.get", *where.arguments, expand="instanceView")
        except Missing:
            return None

    async def create(self, where: Where, body: Raw) -> Answer:
        """Begin to make a machine, unless there is one. Raises Changed where there is."""
        headers = {"If-None-Match": "*"}
        return await self._calls.begin(
            where.caller, "virtual_machines.begin_create_or_update", *where.arguments, body, headers=headers
        )

    async def delete(self, where: Where) -> Answer | None:
        """Begin to delete a machine; None where there is none."""
        try:
            return await self._calls.begin(where.caller, "virtual_machines.begin_delete", *where.arguments)
        except Missing:
            return None

    async def ask(self, where: Where, operation: Operation) -> Progress:
        """How far an operation is. One that Azure does not remember is over."""
        try:
            status, body, headers = await self._calls.request(where.caller, "GET", operation.path)
        except Missing:
            return Progress(running=False)
        return operations.read(operation, status, body, headers)

    async def set_tags(self, where: Where, tags: dict[str, str], *, gone: dict[str, str]) -> None:
        """Set tags, and take others away; all others stay. No operation."""
        path = f"{where.id}/providers/Microsoft.Resources/tags/default?{_TAGS}"
        for operation, those in (("Merge", tags), ("Delete", gone)):
            if those:
                body: Raw = {"operation": operation, "properties": {"tags": those}}
                await self._calls.request(where.caller, "PATCH", path, body=body)

    # --- network interfaces

    async def interface(self, where: Where, name: str) -> Raw | None:
        """A network interface; None where there is none."""
        try:
            _, found, _ = await self._calls.request(where.caller, "GET", f"{where.interface(name)}?{_NETWORK}")
        except Missing:
            return None
        return found

    async def put_interface(self, where: Where, name: str, body: Raw) -> None:
        """Make a network interface, or make it so."""
        await self._calls.request(where.caller, "PUT", f"{where.interface(name)}?{_NETWORK}", body=body)

    async def delete_interface(self, where: Where, name: str) -> bool:
        """Delete a network interface. Returns whether it is gone; else it is to be asked for again."""
        return await self._deleted(where, f"{where.interface(name)}?{_NETWORK}")

    async def delete_disk(self, where: Where, name: str) -> bool:
        """Delete a disk. Returns whether it is gone; else it is to be asked for again."""
        root = f"/subscriptions/{where.caller.subscription}/resourceGroups/{where.group}"
        return await self._deleted(where, f"{root}/providers/Microsoft.Compute/disks/{name}?{_DISKS}")

    async def _deleted(self, where: Where, path: str) -> bool:
        try:
            status, _, _ = await self._calls.request(where.caller, "DELETE", path)
        except Missing:
            return True
        return status in _OVER

    # --- extensions

    async def extensions(self, where: Where) -> list[Raw]:
        """What is installed on a machine, or being installed."""
        found = await self._calls.get(where.caller, "virtual_machine_extensions.list", *where.arguments)
        return list(found.get("value") or ())

    async def install(self, where: Where, name: str, body: Raw) -> Answer:
        """Begin to install an extension."""
        return await self._calls.begin(
            where.caller, "virtual_machine_extensions.begin_create_or_update", *where.arguments, name, body
        )
