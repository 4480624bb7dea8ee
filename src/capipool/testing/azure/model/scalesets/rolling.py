"""How a scale set brings its machines to the newest model: some at a time, all at once, or those that are named."""

from __future__ import annotations

from capipool.testing.azure.model.failures import ArmError, marked_for_deletion
from capipool.testing.azure.model.machines import Machine
from capipool.testing.azure.model.operations import Operation
from capipool.testing.azure.model.scalesets import growing
from capipool.testing.azure.model.scalesets.scaleset import ScaleSet
from capipool.testing.azure.model.scalesets.upgrades import Policy, RollingUpgrade
from capipool.testing.azure.model.subscription import Subscription

ROLL = "virtualMachineScaleSets/osRollingUpgrade/action"
EXTENSIONS = "virtualMachineScaleSets/extensionRollingUpgrade/action"
APPROVE = "virtualMachineScaleSets/approveRollingUpgrade/action"
CANCEL = "virtualMachineScaleSets/rollingUpgrades/action"


class _Batches:
    """Upgrades batches of one scale set's machines within an operation."""

    def __init__(self, subscription: Subscription, scale_set: ScaleSet, operation: Operation, *, surge: bool) -> None:
        self._subscription = subscription
        self._scale_set = scale_set
        self._surge = surge
        self._replaced: list[Machine] = []
        self.operation = operation

    def begin(self, batch: list[Machine]) -> list[Machine]:
        present = [machine for machine in batch if not machine.deleting]
        if self._surge:
            return growing.add(self._subscription, self._scale_set, len(present), self.operation)
        upgrade_all(self._subscription, self._scale_set, present, self.operation)
        return present

    def end(self, batch: list[Machine]) -> None:
        if not self._surge:
            return
        for machine in batch:
            if not machine.deleting:
                growing.remove(self._subscription, self._scale_set, machine, self.operation)
                self._replaced.append(machine)

    def going(self) -> bool:
        return any(machine.instance_id in self._scale_set.machines for machine in self._replaced)

    def everyone(self) -> list[Machine]:
        return self._scale_set.live


def start(subscription: Subscription, scale_set: ScaleSet, operation: Operation) -> RollingUpgrade:
    """Begin a rolling upgrade of what is not of the newest model, in place of one that goes on."""
    now = subscription.world.clock.now()
    if scale_set.upgrade is not None:
        scale_set.upgrade.cancel(now)
    given = (scale_set.properties.get("upgradePolicy") or {}).get("rollingUpgradePolicy") or {}
    policy = Policy.read(given)
    pending = [m for m in stale(scale_set) if not m.protected("protectFromScaleSetActions")]
    batches = _Batches(subscription, scale_set, operation, surge=policy.surge)
    scale_set.upgrade = RollingUpgrade(policy=policy, started=now, pending=pending, batches=batches)
    operation.process = scale_set.upgrade.advance
    return scale_set.upgrade


def request(subscription: Subscription, scale_set: ScaleSet, action: str) -> Operation:
    """A client's wish for a rolling upgrade. Raises ArmError where one goes on, or the set is on its way out."""
    if scale_set.deleting:
        raise marked_for_deletion("Virtual Machine Scale Set", scale_set.name, "Rolling Upgrade")
    if scale_set.upgrade is not None and scale_set.upgrade.running:
        raise ArmError(
            "OperationNotAllowed", "A Rolling Upgrade is in progress for this Virtual Machine Scale Set already."
        )
    operation = subscription.world.operations.start(action, scale_set.id, location=scale_set.location)
    operation.answers_nothing = True
    scale_set.provisioning = "Updating"
    operation.on_end = lambda ended: growing.finished(scale_set, ended)
    start(subscription, scale_set, operation)
    return operation


def cancel(subscription: Subscription, scale_set: ScaleSet) -> Operation:
    """Stop the rolling upgrade that goes on. Raises ArmError where none does."""
    if scale_set.upgrade is None or not scale_set.upgrade.running:
        raise ArmError("OperationNotAllowed", "There is no Rolling Upgrade in progress that could be cancelled.")
    scale_set.upgrade.cancel(subscription.world.clock.now())
    operations = subscription.world.operations
    operation = operations.start(CANCEL, scale_set.id, location=scale_set.location)
    operation.answers_nothing = True
    operation.on_end = lambda ended: growing.finished(scale_set, ended)
    operations.preempt(operation)  # the batch that is being upgraded is now the cancellation's to end
    return operation


def approve(subscription: Subscription, scale_set: ScaleSet) -> Operation:
    """Let the upgrade go on that waits between two batches. Raises ArmError where none goes on."""
    if scale_set.upgrade is None or not scale_set.upgrade.running:
        raise ArmError("OperationNotAllowed", "There is no Rolling Upgrade in progress that could be approved.")
    scale_set.upgrade.approve(subscription.world.clock.now())
    target = f"{scale_set.id}/rollingUpgrades/latest"
    operation = subscription.world.operations.start(APPROVE, target, location=scale_set.location)
    operation.answers_nothing = True
    return operation


def take_over(scale_set: ScaleSet, operation: Operation) -> None:
    """Let a newer operation go on with the upgrade that is running: a write in between does not stop it."""
    if scale_set.upgrade is not None and scale_set.upgrade.running:
        scale_set.upgrade.batches.operation = operation
        operation.process = scale_set.upgrade.advance


def stale(scale_set: ScaleSet) -> list[Machine]:
    """The machines that are not of the newest model."""
    return [machine for machine in scale_set.live if machine.model != scale_set.model]


def upgrade_all(subscription: Subscription, scale_set: ScaleSet, machines: list[Machine], operation: Operation) -> None:
    """Bring machines to the newest model in place."""
    reference = (scale_set.profile.get("storageProfile") or {}).get("imageReference") or {}
    image = subscription.images.resolved(reference)
    for machine in machines:
        if machine.deleting:
            continue
        for other in subscription.world.operations.changing(machine):
            other.forget(machine)
        blueprint = scale_set.blueprint(machine.name, machine.instance_id, image)
        machine.upgrade(operation, blueprint, model=scale_set.model, size=scale_set.sku["name"])
