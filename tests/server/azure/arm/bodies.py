"""What the tests write: scale sets and machines as clients send them."""

from __future__ import annotations

import base64
import copy
from typing import Any

from azure.mgmt.compute.aio import ComputeManagementClient

GROUP = "rg"
NAME = "mp"
CUSTOM_DATA = base64.b64encode(b"#cloud-config").decode()
MARKET = {"publisher": "cncf-upstream", "offer": "capi", "sku": "ubuntu-2204-gen1", "version": "131.0.20240815"}
NEWER = {**MARKET, "version": "131.1.20240920"}
HEALTH = {
    "name": "health",
    "properties": {
        "publisher": "Microsoft.ManagedServices",
        "type": "ApplicationHealthLinux",
        "typeHandlerVersion": "1.0",
        "settings": {"port": 10256, "protocol": "http", "requestPath": "/healthz"},
    },
}


def profile(image: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """What machines of a scale set look like."""
    address = {"name": "ipConfig0", "properties": {"primary": True, "subnet": {"id": "/a/subnet"}}}
    interface = {"name": "mp-nic-0", "properties": {"primary": True, "ipConfigurations": [address]}}
    return {
        "osProfile": {
            "computerNamePrefix": NAME,
            "adminUsername": "capi",
            "customData": CUSTOM_DATA,
            "linuxConfiguration": {"disablePasswordAuthentication": True},
        },
        "storageProfile": {"imageReference": dict(image or MARKET), "osDisk": {"createOption": "FromImage"}},
        "networkProfile": {"networkInterfaceConfigurations": [interface]},
        **fields,
    }


def scale_set(capacity: int = 3, *, mode: str = "Uniform", **fields: Any) -> dict[str, Any]:
    """A scale set; fields replace those of its properties."""
    properties: dict[str, Any] = {"orchestrationMode": mode, "virtualMachineProfile": profile()}
    if mode == "Uniform":
        properties |= {"overprovision": False, "upgradePolicy": {"mode": "Manual"}}
    return {
        "location": "eastus",
        "sku": {"name": "Standard_D2s_v3", "tier": "Standard", "capacity": capacity},
        "tags": {"Name": NAME},
        "properties": {**properties, **copy.deepcopy(fields)},
    }


async def make(compute: ComputeManagementClient, body: dict[str, Any], name: str = NAME) -> Any:
    """Create or update a scale set, and wait until that is over."""
    poller = await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, name, body)
    return await poller.result()


async def rows(compute: ComputeManagementClient, name: str = NAME, **query: Any) -> list[Any]:
    """The machines of a scale set."""
    return [row async for row in compute.virtual_machine_scale_set_vms.list(GROUP, name, **query)]


async def ids(compute: ComputeManagementClient, name: str = NAME) -> list[str]:
    """Their instance ids."""
    return [row.instance_id for row in await rows(compute, name)]
