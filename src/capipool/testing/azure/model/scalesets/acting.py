"""What clients do to machines of a scale set, and to the whole set: delete, power, reimage, update, protect, evict."""

from __future__ import annotations

from collections.abc import Callable

from capipool.testing.azure.model.failures import ArmError, invalid, marked_for_deletion
from capipool.testing.azure.model.machines import Machine, Power
from capipool.testing.azure.model.operations import Operation
from capipool.testing.azure.model.scalesets import growing, rolling
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.subscription import Subscription

Act = Callable[[Machine, Operation], None]
KIND = "Virtual Machine Scale Set"
_POWERS = {
    "deallocate": Power.DEALLOCATED,
    "start": Power.RUNNING,
    "restart": Power.RUNNING,
    "poweroff": Power.STOPPED,
    "redeploy": Power.RUNNING,
    "performmaintenance": Power.RUNNING,
    "reapply": Power.RUNNING,
}
_DISKS = ("reimage", "reimageall")
_ALL_BUT_PROTECTED = ("deallocate", "reimage", "reimageall", "manualupgrade")
"""What, done to the whole set, leaves machines alone that are protected from scale set actions."""


def delete(subscription: Subscription, scale_set: ScaleSet, *, force: bool = False) -> Operation:
    """Let the set and all its machines go. A second deletion joins the first."""
    operations = subscription.world.operations
    action = "virtualMachineScaleSets/delete"
    if scale_set.deleting and (going := [o for o in operations.pending(scale_set.id) if o.action == action]):
        return going[0]
    operation = operations.start(action, scale_set.id, location=scale_set.location)
    operation.answers_nothing = True
    operations.preempt(operation)
    scale_set.provisioning = "Deleting"
    scale_set.generation += 1
    if scale_set.upgrade is not None:
        scale_set.upgrade.cancel(subscription.world.clock.now())
    if operation.doom is None:
        for machine in scale_set.live:
            growing.remove(subscription, scale_set, machine, operation, force=force)
    operation.after(subscription.world.timing.delete, lambda _: None, scale_set)
    operation.on_end = lambda ended: _deleted(subscription, scale_set, ended)
    return operation


def _deleted(subscription: Subscription, scale_set: ScaleSet, operation: Operation) -> None:
    if operation.error is not None:
        scale_set.provisioning, scale_set.failure = "Failed", operation.error
        return
    scale_set.machines.clear()
    subscription.forget(scale_set.id)


def named(scale_set: ScaleSet, instance_ids: list[str] | None, verb: str) -> list[Machine]:
    """The machines that a request means: those named, or with `*` or no list all that take part in such actions.

    Raises ArmError where an id is none of the set's, or its machine is on its way out.
    """
    if instance_ids is None or instance_ids == ["*"]:
        spared = verb in _ALL_BUT_PROTECTED
        return [m for m in scale_set.live if not (spared and m.protected("protectFromScaleSetActions"))]
    if not instance_ids:
        raise invalid("The list of instance ids must not be empty.", "instanceIds")
    found = []
    for instance_id in instance_ids:
        try:
            found.append(scale_set.get(str(instance_id)))
        except ArmError as error:
            raise ArmError(error.code, error.message, status=400, target="instanceIds") from None
    return found


def delete_machines(
    subscription: Subscription, scale_set: ScaleSet, machines: list[Machine], *, action: str, force: bool = False
) -> Operation:
    """Let machines go, and the capacity with them at once. Those that are going already go on."""
    _open(scale_set, "Delete Virtual Machine Scale Set VMs")
    operation = _begin(subscription, scale_set, machines, action)
    if operation.doom is None:
        for machine in machines:
            if not machine.deleting:
                growing.remove(subscription, scale_set, machine, operation, force=force)
    _also_wait_for_going(subscription, scale_set, machines, operation)
    scale_set.generation += 1
    return operation


def _also_wait_for_going(
    subscription: Subscription, scale_set: ScaleSet, machines: list[Machine], operation: Operation
) -> None:
    """The newer of two deletions ends no earlier than the older one."""
    going = [m for m in machines if m.deleting and not operation.changing(m)]
    if going:
        operation.process = lambda _: not any(m.instance_id in scale_set.machines for m in going)


def act(
    subscription: Subscription, scale_set: ScaleSet, machines: list[Machine], *, verb: str, action: str
) -> Operation:
    """Power, disks or model of machines. Raises ArmError for one that is busy or going."""
    _open(scale_set, verb)
    for machine in machines:
        if machine.deleting:
            raise marked_for_deletion("VM", machine.name, verb)
        if subscription.world.operations.changing(machine):
            raise ArmError("Conflict", "The request failed due to conflict with a concurrent request.")
    operation = _begin(subscription, scale_set, machines, action)
    if operation.doom is not None:
        return operation
    verb = verb.lower()
    if verb == "manualupgrade":
        stale = [m for m in machines if m.model != scale_set.model]
        rolling.upgrade_all(subscription, scale_set, stale, operation)
        return operation
    for machine in machines:
        if verb in _DISKS:
            machine.boot(operation)  # of the model that it has: a newer one comes by manualupgrade
        else:
            machine.turn(operation, _POWERS[verb])
    return operation


def protect(
    subscription: Subscription, scale_set: ScaleSet, machine: Machine, policy: dict[str, object], *, action: str
) -> Operation:
    """Set a machine's protection policy; what the policy leaves out is off."""
    _open(scale_set, "Update Virtual Machine Scale Set VM")
    if machine.deleting:
        raise marked_for_deletion("VM", machine.name, "Update Virtual Machine Scale Set VM")
    machine.protection = {key: bool(value) for key, value in policy.items()}
    return _begin(subscription, scale_set, [machine], action)


def evict(subscription: Subscription, scale_set: ScaleSet, machine: Machine) -> None:
    """Take a spot machine away: deallocated, or deleted with the capacity lowered."""
    check_spot(machine)
    operation = subscription.world.operations.start("evict", scale_set.machine_id(machine), location=machine.location)
    operation.after(
        subscription.world.timing.eviction, lambda o: _evicted(subscription, scale_set, machine, o), machine
    )


def check_spot(machine: Machine) -> None:
    """Raises ArmError where a machine cannot be evicted."""
    if not machine.spot:
        raise ArmError("OperationNotAllowed", "Simulate eviction is supported only on Azure Spot Virtual Machines.")


def _evicted(subscription: Subscription, scale_set: ScaleSet, machine: Machine, operation: Operation) -> None:
    if machine.instance_id not in scale_set.machines or machine.deleting:
        return
    if machine.evicted_to == "Delete":
        growing.remove(subscription, scale_set, machine, operation)
    else:
        for other in subscription.world.operations.changing(machine):
            other.forget(machine)
        machine.turn(operation, Power.DEALLOCATED)


def _open(scale_set: ScaleSet, action: str) -> None:
    if scale_set.deleting:
        raise marked_for_deletion(KIND, scale_set.name, action)


def _begin(subscription: Subscription, scale_set: ScaleSet, machines: list[Machine], action: str) -> Operation:
    target = scale_set.machine_id(machines[0]) if len(machines) == 1 else f"{scale_set.id}/virtualMachines"
    operation = subscription.world.operations.start(action, target, location=scale_set.location)
    operation.answers_nothing = True
    return operation
