"""Network interfaces, as far as virtual machines need them: an address in a subnet, and who uses it."""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError, invalid
from capipool.testing.azure.model.subscription import Subscription

KIND = "Microsoft.Network/networkInterfaces"


def put(subscription: Subscription, interface_id: str, name: str, body: Raw) -> tuple[Raw, bool]:
    """Make or change one; an address and a user that it has, it keeps. Returns it, and whether it is new."""
    old = subscription.interfaces.get(interface_id.lower())
    if not body.get("location"):
        raise ArmError("LocationRequired", "The location property is required for this definition.")
    given = body.get("properties") or {}
    configurations = given.get("ipConfigurations") or []
    if not configurations:
        raise invalid("A network interface needs at least one IP configuration.", "ipConfigurations")
    properties: Raw = {
        "enableAcceleratedNetworking": False,
        "enableIPForwarding": False,
        "dnsSettings": {"dnsServers": []},
        **given,
        "provisioningState": "Succeeded",
    }
    properties["ipConfigurations"] = [
        _configured(subscription, interface_id, item, index) for index, item in enumerate(configurations)
    ]
    if old is not None and "virtualMachine" in old["properties"]:
        properties["virtualMachine"] = old["properties"]["virtualMachine"]
    made: Raw = {
        "id": interface_id,
        "name": name,
        "type": KIND,
        "location": body["location"],
        "tags": body.get("tags") or {},
        "etag": f'W/"{subscription.world.guid()}"',
        "properties": properties,
    }
    subscription.interfaces[interface_id.lower()] = made
    return made, old is None


def _configured(subscription: Subscription, interface_id: str, given: Raw, index: int) -> Raw:
    properties = dict(given.get("properties") or {})
    if not (properties.get("subnet") or {}).get("id"):
        raise invalid("An IP configuration needs a subnet.", "ipConfigurations.subnet")
    name = given.get("name") or f"ipConfig{index}"
    properties.setdefault("privateIPAddressVersion", "IPv4")
    properties.setdefault("privateIPAllocationMethod", "Dynamic")
    properties.setdefault("primary", index == 0)
    old = subscription.interfaces.get(interface_id.lower())
    known = {c["name"]: c for c in old["properties"]["ipConfigurations"]} if old else {}
    if "privateIPAddress" not in properties:
        before = known.get(name, {}).get("properties", {}).get("privateIPAddress")
        properties["privateIPAddress"] = before or subscription.address(properties["privateIPAddressVersion"])
    properties["provisioningState"] = "Succeeded"
    return {"id": f"{interface_id}/ipConfigurations/{name}", "name": name, "properties": properties}


def delete(subscription: Subscription, interface: Raw) -> None:
    """Remove one. Raises ArmError as long as a machine uses it."""
    if user := interface["properties"].get("virtualMachine"):
        raise ArmError("NicInUse", f"Network Interface {interface['id']} is used by existing resource {user['id']}.")
    subscription.forget(interface["id"])


def attach(subscription: Subscription, interface_id: str, machine_id: str) -> None:
    """Give one to a machine. Raises ArmError where there is none, or another machine has it."""
    interface = subscription.interfaces.get(interface_id.lower())
    if interface is None:
        raise ArmError(
            "InvalidResourceReference",
            f"Resource {interface_id} referenced by resource {machine_id} was not found.",
        )
    user = (interface["properties"].get("virtualMachine") or {}).get("id", machine_id)
    if user.lower() != machine_id.lower():
        raise ArmError("NicInUse", f"Network Interface {interface_id} is used by existing resource {user}.")
    interface["properties"]["virtualMachine"] = {"id": machine_id}


def detach(subscription: Subscription, interface_id: str, *, delete_too: bool) -> None:
    """Take one back from a machine that is gone, and let it go with the machine where that was agreed."""
    interface = subscription.interfaces.get(interface_id.lower())
    if interface is None:
        return
    interface["properties"].pop("virtualMachine", None)
    if delete_too:
        subscription.forget(interface_id)
