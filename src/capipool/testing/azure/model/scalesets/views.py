"""How scale sets and their machines are shown."""

from __future__ import annotations

from collections import Counter

from capipool.machinery.objects import Raw
from capipool.testing.azure.model import machine_views
from capipool.testing.azure.model.bodies import shown
from capipool.testing.azure.model.machines import Machine, Power
from capipool.testing.azure.model.scalesets.scaleset import KIND, ScaleSet
from capipool.testing.azure.model.world import timestamp


def scale_set(subject: ScaleSet) -> Raw:
    """The scale set as GET and PUT answer it: without what is secret."""
    body: Raw = {
        "id": subject.id,
        "name": subject.name,
        "type": KIND,
        "location": subject.location,
        "tags": dict(subject.tags),
        "etag": subject.etag,
        "properties": {
            **shown(subject.properties),
            "orchestrationMode": subject.mode,
            "provisioningState": subject.provisioning,
            "uniqueId": subject.unique_id,
            "timeCreated": timestamp(subject.created),
        },
    }
    if subject.sku:
        body["sku"] = {"tier": "Standard", **subject.sku, "capacity": subject.capacity}
    if profile := body["properties"].get("virtualMachineProfile"):
        profile["timeCreated"] = timestamp(subject.created)
    for key in ("zones", "plan", "identity"):
        if value := getattr(subject, key):
            body[key] = value
    return body


def row(subject: ScaleSet, machine: Machine, *, view: bool = False) -> Raw:
    """A machine as a member of its scale set; the instance view only where it was asked for."""
    machine_id = f"{subject.id}/virtualMachines/{machine.instance_id}"
    properties = machine_views.properties(machine)
    properties["latestModelApplied"] = machine.model == subject.model
    properties["modelDefinitionApplied"] = "VirtualMachineScaleSet"
    if machine.properties.get("networkProfile"):
        properties["networkProfileConfiguration"] = {
            "networkInterfaceConfigurations": shown(
                machine.properties["networkProfile"].get("networkInterfaceConfigurations") or []
            )
        }
        properties["networkProfile"] = {
            "networkInterfaces": machine.properties["networkProfile"].get("networkInterfaces") or []
        }
    if machine.protection:
        properties["protectionPolicy"] = dict(machine.protection)
    if view:
        properties["instanceView"] = machine_views.instance_view(machine)
    body: Raw = {
        "id": machine_id,
        "name": machine.name,
        "instanceId": machine.instance_id,
        "type": f"{KIND}/virtualMachines",
        "location": machine.location,
        "tags": dict(machine.tags),
        "sku": {"name": machine.size, "tier": "Standard"},
        "properties": properties,
        "resources": machine_views.extensions(machine, machine_id),
    }
    return _whereabouts(body, machine)


def _whereabouts(body: Raw, machine: Machine) -> Raw:
    if machine.zone:
        body["zones"] = [machine.zone]
    if machine.plan:
        body["plan"] = machine.plan
    return body


def virtual_machine(machine: Machine, machine_id: str, *, owner: str = "", view: bool = False) -> Raw:
    """A machine as a resource of its own; `owner` is the id of its Flexible scale set."""
    properties = machine_views.properties(machine)
    network = properties.get("networkProfile")
    if network:
        properties["networkProfile"] = {"networkInterfaces": network.get("networkInterfaces") or []}
    if owner:
        properties["virtualMachineScaleSet"] = {"id": owner}
    if view:
        properties["instanceView"] = machine_views.instance_view(machine)
    body: Raw = {
        "id": machine_id,
        "name": machine.name,
        "type": "Microsoft.Compute/virtualMachines",
        "location": machine.location,
        "etag": machine.etag,
        "tags": dict(machine.tags),
        "properties": properties,
    }
    if machine.extensions:
        body["resources"] = machine_views.extensions(machine, machine_id)
    if machine.identity:
        body["identity"] = machine.identity
    return _whereabouts(body, machine)


def instance_view(subject: ScaleSet) -> Raw:
    """How many machines are in which state."""
    counts: Counter[str] = Counter()
    extensions: dict[str, Counter[str]] = {}
    for machine in subject.machines.values():
        counts[f"ProvisioningState/{machine.provisioning.value.lower()}"] += 1
        if machine.power is not Power.NONE:
            counts[f"PowerState/{machine.power.value}"] += 1
        for name, body in machine.extensions.items():
            state = str(body.get("provisioningState", "Succeeded")).lower()
            extensions.setdefault(name, Counter())[f"ProvisioningState/{state}"] += 1
    state = subject.provisioning.lower()
    first = machine_views.status(f"ProvisioningState/{state}", f"Provisioning {state}", timestamp(subject.created))
    if subject.failure is not None and subject.provisioning == "Failed":
        first |= {"level": "Error", "message": subject.failure.message}
        first["code"] = f"ProvisioningState/failed/{subject.failure.code}"
    return {
        "virtualMachine": {"statusesSummary": _summary(counts)},
        "extensions": [{"name": name, "statusesSummary": _summary(c)} for name, c in sorted(extensions.items())],
        "statuses": [first],
        "orchestrationServices": [
            {
                "serviceName": "AutomaticRepairs",
                "serviceState": "Suspended" if subject.repairs_suspended else "Running",
            }
        ],
    }


def _summary(counts: Counter[str]) -> list[Raw]:
    return [{"code": code, "count": count} for code, count in sorted(counts.items())]
