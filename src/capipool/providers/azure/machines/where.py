"""Where a machine is in Azure: its virtual machine, its network interfaces, its disks, by their IDs. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.providers.azure import ids
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.calls import Caller

ANNOTATION = "capipool.io/azure-virtual-machine"
"""On an AzureMachine: the ID of its virtual machine. Written before anything is made, so that all can be deleted."""
WINDOWS_NAME = 15
"""Characters that the name of a Windows computer may have."""
_PARTS = 9
"""Segments of an ID: /subscriptions/S/resourceGroups/G/providers/Microsoft.Compute/virtualMachines/N"""


@dataclass(frozen=True, slots=True)
class Where:
    """A machine's place, and who calls about it."""

    caller: Caller
    group: str
    name: str

    @property
    def id(self) -> str:
        """The resource ID of the virtual machine."""
        return f"{ids.compute(self.caller.subscription, self.group)}/virtualMachines/{self.name}"

    @property
    def arguments(self) -> tuple[str, str]:
        """Resource group and name, as the library's calls take them first."""
        return self.group, self.name

    def interface(self, name: str) -> str:
        """The resource ID of a network interface."""
        root = f"/subscriptions/{self.caller.subscription}/resourceGroups/{self.group}"
        return f"{root}/providers/Microsoft.Network/networkInterfaces/{name}"


def machine_name(obj: AzureMachine) -> str:
    """What the virtual machine is called: like the object, but short for Windows, as upstream shortens it."""
    name = obj.metadata.name
    if obj.spec.os_disk.os_type == "Windows" and len(name) > WINDOWS_NAME:
        return f"{name[:9].rstrip('-')}-{name[-5:]}"
    return name


def interface_names(obj: AzureMachine) -> tuple[str, ...]:
    """What the network interfaces are called, the primary one first."""
    name, count = machine_name(obj), max(len(obj.spec.network_interfaces), 1)
    return (f"{name}-nic",) if count == 1 else tuple(f"{name}-nic-{index}" for index in range(count))


def disk_names(obj: AzureMachine) -> tuple[str, ...]:
    """What the disks are called."""
    name = machine_name(obj)
    return (f"{name}_OSDisk", *(f"{name}_{disk.name_suffix}" for disk in obj.spec.data_disks))


def parse(resource_id: str) -> tuple[str, str, str] | None:
    """Subscription, resource group and name out of a virtual machine's ID; None where it is none."""
    parts = ids.resource_id(resource_id).split("/")
    if len(parts) != _PARTS or parts[7].lower() != "virtualmachines":
        return None
    return parts[2], parts[4], parts[8]
