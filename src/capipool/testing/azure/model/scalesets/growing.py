"""More and fewer machines, and what is left when the operation that wanted them is over."""

from __future__ import annotations

from capipool.testing.azure.model.machines import Machine, Power, Provisioning
from capipool.testing.azure.model.operations import Operation, Outcome
from capipool.testing.azure.model.scalesets import placing
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.subscription import Subscription


def resize(subscription: Subscription, scale_set: ScaleSet, capacity: int, operation: Operation) -> None:
    """Let machines come or go until there are so many; protected ones stay, and may make it more."""
    missing = capacity - scale_set.capacity
    if missing > 0:
        add(subscription, scale_set, missing, operation)
    elif missing < 0:
        policy = scale_set.properties.get("scaleInPolicy") or {}
        for machine in placing.leaving(scale_set.live, -missing, policy):
            remove(subscription, scale_set, machine, operation)


def add(subscription: Subscription, scale_set: ScaleSet, count: int, operation: Operation) -> list[Machine]:
    """Make machines of the newest model, spread over the zones."""
    reference = (scale_set.profile.get("storageProfile") or {}).get("imageReference") or {}
    image = subscription.images.resolved(reference)
    zones = placing.zones_for(scale_set.live, scale_set.zones, count)
    made = [scale_set.new_machine(zone, image) for zone in zones]
    for machine in made:
        machine.boot(operation)
    return made


def remove(
    subscription: Subscription, scale_set: ScaleSet, machine: Machine, operation: Operation, *, force: bool = False
) -> None:
    """Let a machine go: listed as Deleting until it is gone, and not counted from now on."""
    for other in subscription.world.operations.changing(machine):
        other.forget(machine)
    machine.become(Provisioning.DELETING)
    timing = subscription.world.timing
    delay = timing.delete / 2 if force else timing.delete
    operation.after(delay, lambda _: forget(scale_set, machine), machine)


def forget(scale_set: ScaleSet, machine: Machine) -> None:
    """The machine is gone."""
    scale_set.machines.pop(machine.instance_id, None)


def finished(scale_set: ScaleSet, operation: Operation) -> None:
    """What a write leaves behind: the scale set's state, and machines that failed, or none of them."""
    doom = operation.doom
    if doom is not None and not doom.leaves_failed:
        for machine in list(scale_set.machines.values()):
            if machine.provisioning is Provisioning.FAILED and machine.power is Power.NONE:
                forget(scale_set, machine)
    if scale_set.deleting:
        return
    scale_set.failure = operation.error
    scale_set.provisioning = {
        Outcome.SUCCEEDED: "Succeeded",
        Outcome.FAILED: "Failed",
        Outcome.CANCELED: "Canceled",
    }[operation.outcome]
