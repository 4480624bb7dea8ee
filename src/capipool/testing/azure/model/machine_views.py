"""How machines are shown: as rows of a scale set, as virtual machines, and their instance views."""

from __future__ import annotations

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.bodies import shown
from capipool.testing.azure.model.machines import Machine, Power, Provisioning
from capipool.testing.azure.model.world import timestamp

_PROFILES = (
    "storageProfile",
    "osProfile",
    "networkProfile",
    "securityProfile",
    "diagnosticsProfile",
    "licenseType",
    "priority",
    "evictionPolicy",
    "billingProfile",
    "scheduledEventsProfile",
    "additionalCapabilities",
    "proximityPlacementGroup",
    "availabilitySet",
    "userData",
)
_HEALTH = ("ApplicationHealthLinux", "ApplicationHealthWindows")


def properties(machine: Machine) -> Raw:
    """What every view of a machine's properties has in common."""
    made = {key: machine.properties[key] for key in _PROFILES if machine.properties.get(key) is not None}
    return {
        **shown(made),
        "vmId": machine.id,
        "hardwareProfile": {**machine.properties.get("hardwareProfile", {}), "vmSize": machine.size},
        "provisioningState": machine.provisioning.value,
        "timeCreated": timestamp(machine.created),
    }


def extensions(machine: Machine, machine_id: str) -> list[Raw]:
    """The extensions as child resources."""
    return [extension(machine, name, machine_id) for name in sorted(machine.extensions)]


def extension(machine: Machine, name: str, machine_id: str) -> Raw:
    """One extension as a child resource."""
    return {
        "id": f"{machine_id}/extensions/{name}",
        "name": name,
        "type": "Microsoft.Compute/virtualMachines/extensions",
        "location": machine.location,
        "properties": shown(machine.extensions[name]),
    }


def instance_view(machine: Machine) -> Raw:
    """The running state: statuses, power, agent, health, extensions."""
    view: Raw = {"statuses": statuses(machine)}
    if machine.power is Power.RUNNING:
        agent = status("ProvisioningState/succeeded", "Ready", timestamp(machine.changed))
        view["vmAgent"] = {"vmAgentVersion": "2.7.0.0", "statuses": [agent]}
        view["computerName"] = machine.properties.get("osProfile", {}).get("computerName", machine.name)
    if machine.extensions:
        view["extensions"] = [_extension_view(name, body) for name, body in sorted(machine.extensions.items())]
    if any(body.get("type") in _HEALTH for body in machine.extensions.values()):
        code = f"HealthState/{machine.health.lower()}"
        view["vmHealth"] = {"status": {"code": code, "level": "Info", "displayStatus": machine.health}}
    return view


def statuses(machine: Machine) -> list[Raw]:
    """The provisioning state, with its failure, and the power state of a machine that has one."""
    time = timestamp(machine.changed)
    code = f"ProvisioningState/{machine.provisioning.value.lower()}"
    if machine.provisioning is Provisioning.FAILED and machine.failure is not None:
        first = status(f"{code}/{machine.failure.code}", "Provisioning failed", time, level="Error")
        first["message"] = machine.failure.message
    else:
        first = status(code, f"Provisioning {machine.provisioning.value.lower()}", time)
    if machine.power is Power.NONE:
        return [first]
    return [first, status(f"PowerState/{machine.power.value}", f"VM {machine.power.value}")]


def status(code: str, display: str, time: str = "", *, level: str = "Info") -> Raw:
    """One status of an instance view."""
    made = {"code": code, "level": level, "displayStatus": display}
    return {**made, "time": time} if time else made


def _extension_view(name: str, body: Raw) -> Raw:
    state = str(body.get("provisioningState", "Succeeded"))
    return {
        "name": name,
        "type": f"{body.get('publisher', '')}.{body.get('type', '')}",
        "typeHandlerVersion": body.get("typeHandlerVersion", ""),
        "statuses": [status(f"ProvisioningState/{state.lower()}", f"Provisioning {state.lower()}")],
    }
