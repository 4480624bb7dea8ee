"""Virtual machines as resources of their own: made alone, or members of a Flexible scale set. Both answer one path."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.machinery.objects import Raw
from capipool.testing.azure.model import bodies, identities, interfaces
from capipool.testing.azure.model.failures import ArmError, invalid, marked_for_deletion
from capipool.testing.azure.model.machines import Machine, Power, Provisioning, image
from capipool.testing.azure.model.operations import Operation, Outcome
from capipool.testing.azure.model.scalesets import acting
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.skus import normal
from capipool.testing.azure.model.subscription import Subscription

KIND = "Microsoft.Compute/virtualMachines"
POWERS = {
    "deallocate": Power.DEALLOCATED,
    "start": Power.RUNNING,
    "restart": Power.RUNNING,
    "poweroff": Power.STOPPED,
    "redeploy": Power.RUNNING,
    "reapply": Power.RUNNING,
}


@dataclass(frozen=True)
class Found:
    """A machine by its own id."""

    id: str
    machine: Machine
    scale_set: ScaleSet | None


def find(subscription: Subscription, machine_id: str) -> Found | None:
    """The machine with that id, whatever the letter case; None where there is none."""
    if (alone := subscription.machines.get(machine_id.lower())) is not None:
        return Found(machine_id, alone, None)
    member = subscription.flexible(machine_id)
    return Found(member[0].machine_id(member[1]), member[1], member[0]) if member else None


def create(subscription: Subscription, machine_id: str, name: str, body: Raw) -> tuple[Found, Operation]:
    """Make a machine. Raises ArmError, and has then made nothing."""
    world = subscription.world
    if not body.get("location"):
        raise ArmError("LocationRequired", "The location property is required for this definition.")
    properties = bodies.merged({}, body.get("properties") or {})
    size = (properties.get("hardwareProfile") or {}).get("vmSize")
    if not size:
        raise invalid("Required parameter 'hardwareProfile.vmSize' is missing (null).", "hardwareProfile")
    zones = [str(zone) for zone in body.get("zones") or []]
    subscription.skus.check(size, body["location"], zones)
    owner = _owner(subscription, properties)
    _attach(subscription, machine_id, properties)
    storage = properties.setdefault("storageProfile", {})
    if storage.get("imageReference"):
        storage["imageReference"] = subscription.images.resolved(storage["imageReference"])
    whole: Raw = {
        "location": body["location"],
        "size": size,
        "properties": properties,
        "tags": dict(body.get("tags") or {}),
        "plan": body.get("plan"),
        "identity": identities.identity(world, None, body.get("identity")),
    }
    machine = Machine(world, name=name, instance_id=name, zone=zones[0] if zones else "", body=whole)
    if owner is None:
        subscription.machines[machine_id.lower()] = machine
    else:
        owner.machines[name] = machine
    operation = world.operations.start("virtualMachines/write", machine_id, location=machine.location)
    machine.boot(operation)
    operation.on_end = lambda ended: _written(machine, ended)
    return Found(machine_id, machine, owner), operation


def _written(machine: Machine, operation: Operation) -> None:
    if operation.outcome is Outcome.FAILED and operation.error is not None and not machine.deleting:
        machine.fail(operation.error.code, operation.error.message)


def _owner(subscription: Subscription, properties: Raw) -> ScaleSet | None:
    wanted = (properties.get("virtualMachineScaleSet") or {}).get("id")
    if not wanted:
        return None
    owner = subscription.scale_sets.get(str(wanted).lower())
    if owner is None or not owner.flexible:
        raise ArmError("InvalidResourceReference", f"There is no Flexible scale set {wanted}.")
    return owner


def _attach(subscription: Subscription, machine_id: str, properties: Raw) -> None:
    network = properties.get("networkProfile") or {}
    wanted = network.get("networkInterfaces") or []
    if not wanted and not network.get("networkInterfaceConfigurations"):
        raise invalid("A virtual machine needs at least one network interface.", "networkProfile")
    for interface in wanted:
        interfaces.attach(subscription, interface["id"], machine_id)


def update(subscription: Subscription, found: Found, body: Raw) -> Operation:
    """Lay a PUT or a PATCH over a machine. Raises ArmError for what cannot be changed."""
    machine = found.machine
    if machine.deleting:
        raise marked_for_deletion("VM", machine.name, "Update VM")
    if subscription.world.operations.changing(machine):
        raise ArmError("Conflict", "The request failed due to conflict with a concurrent request.")
    if (location := body.get("location")) and normal(location) != normal(machine.location):
        raise ArmError("PropertyChangeNotAllowed", "Changing property 'location' is not allowed.", target="location")
    new = bodies.merged(machine.properties, body.get("properties") or {})
    _check_change(machine, new)
    size = (new.get("hardwareProfile") or {}).get("vmSize", machine.size)
    subscription.skus.check(size, machine.location, [machine.zone] if machine.zone else [])
    machine.properties, machine.size = new, size
    machine.generation += 1
    machine.identity = identities.identity(subscription.world, machine.identity, body.get("identity"))
    if "tags" in body:
        machine.tags = dict(body["tags"] or {})
    operation = subscription.world.operations.start("virtualMachines/write", found.id, location=machine.location)
    power = machine.power
    machine.become(Provisioning.UPDATING)
    operation.after(
        subscription.world.timing.operation, lambda _: machine.become(Provisioning.SUCCEEDED, power), machine
    )
    operation.on_end = lambda ended: _written(machine, ended)
    return operation


def _check_change(machine: Machine, new: Raw) -> None:
    old = machine.properties
    if image(old) != image(new):
        raise ArmError(
            "PropertyChangeNotAllowed", "Changing property 'imageReference' is not allowed.", target="imageReference"
        )
    for field in ("customData", "computerName", "adminUsername"):
        before, after = (old.get("osProfile") or {}).get(field), (new.get("osProfile") or {}).get(field)
        if before != after:
            target = f"osProfile.{field}"
            raise ArmError("PropertyChangeNotAllowed", f"Changing property '{target}' is not allowed.", target=target)


def delete(subscription: Subscription, found: Found, *, force: bool = False) -> Operation:
    """Let a machine go, with those of its interfaces and disks that were to go with it."""
    action = "virtualMachines/delete"
    if found.scale_set is not None:
        return acting.delete_machines(subscription, found.scale_set, [found.machine], action=action, force=force)
    machine, world = found.machine, subscription.world
    operation = world.operations.start(action, found.id, location=machine.location)
    operation.answers_nothing = True
    if operation.doom is not None:
        return operation
    for other in world.operations.changing(machine):
        other.forget(machine)
    machine.become(Provisioning.DELETING)
    operation.after(world.timing.delete, lambda _: _gone(subscription, found), machine)
    return operation


def _gone(subscription: Subscription, found: Found) -> None:
    subscription.forget(found.id)
    network = found.machine.properties.get("networkProfile") or {}
    for interface in network.get("networkInterfaces") or []:
        how = str((interface.get("properties") or {}).get("deleteOption") or "Detach")
        interfaces.detach(subscription, interface["id"], delete_too=how == "Delete")


def act(subscription: Subscription, found: Found, verb: str) -> Operation:
    """Its power or its disk. Raises ArmError for a machine that is busy or going."""
    action = f"virtualMachines/{verb}/action"
    if found.scale_set is not None:
        return acting.act(subscription, found.scale_set, [found.machine], verb=verb, action=action)
    machine, world = found.machine, subscription.world
    if machine.deleting:
        raise marked_for_deletion("VM", machine.name, verb)
    if world.operations.changing(machine):
        raise ArmError("Conflict", "The request failed due to conflict with a concurrent request.")
    operation = world.operations.start(action, found.id, location=machine.location)
    operation.answers_nothing = True
    if operation.doom is None:
        if verb.lower() == "reimage":
            machine.boot(operation)
        else:
            machine.turn(operation, POWERS[verb.lower()])
    return operation


def evict(subscription: Subscription, found: Found) -> None:
    """Take a spot machine away."""
    if found.scale_set is not None:
        acting.evict(subscription, found.scale_set, found.machine)
        return
    machine, world = found.machine, subscription.world
    acting.check_spot(machine)
    operation = world.operations.start("evict", found.id, location=machine.location)

    def strike(ending: Operation) -> None:
        if machine.evicted_to == "Delete":
            machine.become(Provisioning.DELETING)
            ending.after(world.timing.delete, lambda _: _gone(subscription, found), machine)
        else:
            machine.turn(ending, Power.DEALLOCATED)

    operation.after(world.timing.eviction, strike, machine)
