"""A virtual machine as it should be, made from the model that pools have: a machine is a pool of one. Pure.

Used by the reconciler. Nothing here is secret but what `secret_parts` adds, which is never compared, logged or kept.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure import images
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.api.machinepool import AzureMachinePool, AzureMachinePoolSpec, MachinePoolTemplate
from capipool.providers.azure.machines.where import Where, disk_names, interface_names, machine_name
from capipool.providers.azure.pools import marks
from capipool.providers.azure.pools import model as pools
from capipool.providers.azure.pools.model import Resolved, Scope
from capipool.sdk import ProviderError

MACHINE = "capipool.io_machine"
"""Tag: which AzureMachine made it, `<namespace>/<name>`. What upstream made does not have it."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is to be made."""

    interfaces: tuple[tuple[str, Raw], ...]
    """Names and bodies, the primary one first."""
    machine: Raw
    extensions: tuple[Raw, ...] = ()
    """Without what is secret of them."""


def as_pool(obj: AzureMachine, location: str) -> AzureMachinePool:
    """The machine in the words of a pool, whose parts it shares."""
    spec = obj.spec
    template = MachinePoolTemplate(
        os_disk=spec.os_disk,
        vm_size=spec.vm_size,
        accelerated_networking=spec.accelerated_networking,
        additional_capabilities=spec.additional_capabilities,
        data_disks=spec.data_disks,
        diagnostics=spec.diagnostics,
        disable_vm_bootstrap_extension=spec.disable_vm_bootstrap_extension,
        image=spec.image,
        network_interfaces=spec.network_interfaces,
        security_profile=spec.security_profile,
        spot_vm_options=spec.spot_vm_options,
        ssh_public_key=spec.ssh_public_key,
        subnet_name=spec.subnet_name,
        vm_extensions=spec.vm_extensions,
    )
    made = AzureMachinePoolSpec(
        location=location,
        template=template,
        identity=spec.identity,
        user_assigned_identities=spec.user_assigned_identities,
    )
    return objects.new(AzureMachinePool, metadata=obj.metadata, spec=made)


def wanted(obj: AzureMachine, scope: Scope, resolved: Resolved, where: Where, tags: dict[str, str]) -> Wanted:
    """The machine, its network interfaces and its extensions. Raises InvalidConfiguration."""
    body = pools.body(scope, resolved)
    profile: Raw = body["properties"]["virtualMachineProfile"]
    described = profile.pop("networkProfile")["networkInterfaceConfigurations"]
    extensions = (profile.pop("extensionProfile", None) or {}).get("extensions", ())
    names = interface_names(obj)
    interfaces = tuple(
        (name, _interface(obj, one["properties"], body["location"], tags))
        for name, one in zip(names, described, strict=True)
    )
    properties = _properties(obj, profile, body["properties"], [where.interface(name) for name in names])
    machine: Raw = {"location": body["location"], "tags": tags, "properties": properties}
    if body["identity"]["type"] != "None":
        machine["identity"] = body["identity"]
    if scope.zones:
        machine["zones"] = list(scope.zones)
    chosen = obj.spec.image
    if (plan := images.plan(chosen) if chosen is not None else None) is not None:
        machine["plan"] = plan
    return Wanted(interfaces, machine, tuple(extensions))


def _interface(obj: AzureMachine, described: Raw, location: str, tags: dict[str, str]) -> Raw:
    properties = {key: value for key, value in described.items() if key != "primary"}
    properties["enableIPForwarding"] = bool(obj.spec.enable_ip_forwarding)
    if obj.spec.dns_servers:
        properties["dnsSettings"] = {"dnsServers": list(obj.spec.dns_servers)}
    return {"location": location, "tags": tags, "properties": properties}


def _properties(obj: AzureMachine, profile: Raw, around: Raw, interfaces: list[str]) -> Raw:
    spec, login = obj.spec, profile["osProfile"]
    login.pop("computerNamePrefix")
    login["computerName"] = machine_name(obj)
    if spec.disable_extension_operations is not None:
        login["allowExtensionOperations"] = not spec.disable_extension_operations
    made: Raw = {
        **profile,
        "hardwareProfile": {"vmSize": spec.vm_size},
        "storageProfile": _storage(obj, profile["storageProfile"]),
        "networkProfile": {
            "networkInterfaces": [
                {"id": id, "properties": {"primary": index == 0, "deleteOption": "Delete"}}
                for index, id in enumerate(interfaces)
            ]
        },
        "additionalCapabilities": around.get("additionalCapabilities"),
    }
    if spec.capacity_reservation_group_id:
        made["capacityReservation"] = {"capacityReservationGroup": {"id": spec.capacity_reservation_group_id}}
    if spec.virtual_machine_scale_set_id:
        made["virtualMachineScaleSet"] = {"id": spec.virtual_machine_scale_set_id}
    return {key: value for key, value in made.items() if value is not None}


def _storage(obj: AzureMachine, storage: Raw) -> Raw:
    """Disks go with their machine."""
    system, *others = disk_names(obj)
    made = {**storage, "osDisk": {**storage["osDisk"], "name": system, "deleteOption": "Delete"}}
    if others:
        made["dataDisks"] = [
            {**disk, "name": name, "deleteOption": "Delete"}
            for disk, name in zip(storage["dataDisks"], others, strict=True)
        ]
    return made


def secret_parts(custom_data: str, password: str = "") -> Raw:
    """What Azure never shows again. Merged over the machine just before it is sent."""
    login: Raw = {"customData": custom_data} | ({"adminPassword": password} if password else {})
    return {"properties": {"osProfile": login}}


def tags(obj: AzureMachine, cluster: str, *more: dict[str, str]) -> dict[str, str]:
    """The tags of a machine. `more`: the user's, the later ones win; only `Name` can be another's."""
    made = marks.wanted(cluster=cluster, scale_set=machine_name(obj), key=str(obj.key), more=more)
    del made[marks.POOL]
    return made | {MACHINE: str(obj.key)}


def is_ours(machine: Raw, obj: AzureMachine, cluster: str) -> bool:
    """Whether a virtual machine is this object's: our tag says so, or upstream made it for this cluster."""
    there: dict[str, str] = machine.get("tags") or {}
    if MACHINE in there:
        return there[MACHINE] == str(obj.key)
    return bool(obj.spec.provider_id) or marks.is_ours(there, cluster=cluster, key="")


class AnothersMachine(ProviderError):
    """A virtual machine of that name exists and is not this object's. It is left alone."""

    reason = "VMNotOwned"
    delay = dt.timedelta(minutes=2)

    def __init__(self, name: str, found: Raw) -> None:
        there: dict[str, str] = found.get("tags") or {}
        owner = there.get(MACHINE) or marks.owner(there) or "somebody else"
        super().__init__(f"the virtual machine {name} exists already and belongs to {owner}: delete one of the two")
