"""One virtual machine: of a Uniform scale set, of a Flexible one, or alone. Its states, and what it was booted with."""

from __future__ import annotations

import datetime as dt
from enum import StrEnum

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.operations import Operation
from capipool.testing.azure.model.world import World


class Provisioning(StrEnum):
    """Azure's `provisioningState`."""

    CREATING = "Creating"
    UPDATING = "Updating"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    DELETING = "Deleting"


class Power(StrEnum):
    """Azure's power states, by their codes; NONE before a machine has run."""

    NONE = ""
    STARTING = "starting"
    RUNNING = "running"
    STOPPED = "stopped"
    DEALLOCATED = "deallocated"


class Machine:
    """A machine. `properties` holds what it was made with, secrets included: that is what it booted with."""

    def __init__(self, world: World, *, name: str, instance_id: str, zone: str, body: Raw) -> None:
        self._world = world
        self.name = name
        self.instance_id = instance_id
        """The number within a Uniform scale set; the name otherwise."""
        self.zone = zone
        self.location: str = body["location"]
        self.size: str = body["size"]
        self.properties: Raw = body["properties"]
        self.tags: dict[str, str] = body.get("tags", {})
        self.plan: Raw | None = body.get("plan")
        self.identity: Raw | None = body.get("identity")
        self.model = 0
        """Which model of its scale set it has."""
        self.id = world.guid()
        self.created = world.clock.now()
        self.provisioning = Provisioning.CREATING
        self.power = Power.NONE
        self.changed = self.created
        """When its state changed last."""
        self.failure: ArmError | None = None
        self.protection: Raw = {}
        self.extensions: dict[str, Raw] = {}
        self.health = "Healthy"
        """What an application health extension says, where there is one."""
        self.generation = 1
        """Goes up with every write of the machine as a resource of its own; the etag."""
        self.boots = 0
        """How often it has booted from a fresh disk."""
        self.custom_data = ""
        """The custom data that its last boot from a fresh disk saw, in base64; never shown over HTTP."""

    @property
    def etag(self) -> str:
        """Changes with every write."""
        return f'"{self.generation}"'

    @property
    def spot(self) -> bool:
        """Whether it may be evicted."""
        return str(self.properties.get("priority", "")).lower() in ("spot", "low")

    @property
    def evicted_to(self) -> str:
        """What becomes of it on eviction: `Deallocate`, Azure's default, or `Delete`."""
        return str(self.properties.get("evictionPolicy") or "Deallocate")

    @property
    def deleting(self) -> bool:
        """Whether it is on its way out."""
        return self.provisioning is Provisioning.DELETING

    def protected(self, field: str) -> bool:
        """Whether its protection policy says so: `protectFromScaleIn`, `protectFromScaleSetActions`."""
        return bool(self.protection.get(field))

    def become(self, provisioning: Provisioning, power: Power | None = None) -> None:
        """Change its state."""
        self.provisioning = provisioning
        if power is not None:
            self.power = power
        self.changed = self._world.clock.now()

    def boot(self, operation: Operation, delay: dt.timedelta | None = None) -> None:
        """Bring it to running as a part of an operation: from nothing, or from a fresh disk."""
        creating = self.power is Power.NONE
        self.become(Provisioning.CREATING if creating else Provisioning.UPDATING)
        self.failure = None
        timing = self._world.timing
        operation.after(timing.boot if delay is None else delay, self._booted, self)

    def _booted(self, operation: Operation) -> None:
        doom, fault = operation.doom, self._world.faults.take_boot()
        if fault is not None:
            error = ArmError(fault.code, fault.message)
            self.fail(error.code, error.message)
            operation.error = operation.error or error
        elif doom is not None and self.power is Power.NONE:
            self.fail(doom.code, doom.message)
        else:
            self.boots += 1
            self.custom_data = str(self.properties.get("osProfile", {}).get("customData") or "")
            self._install()
            self.become(Provisioning.SUCCEEDED, Power.RUNNING)

    def upgrade(self, operation: Operation, properties: Raw, *, model: int, size: str) -> None:
        """Take a newer model in place; another image means a fresh disk."""
        before, self.properties, self.model, self.size = self.properties, properties, model, size
        self.failure = None
        if image(before) != image(properties):
            self.boot(operation, self._world.timing.upgrade)
            return
        power = self.power
        self.become(Provisioning.UPDATING)
        operation.after(self._world.timing.upgrade, lambda _: self._upgraded(power), self)

    def _upgraded(self, power: Power) -> None:
        self._install()
        self.become(Provisioning.SUCCEEDED, power)

    def _install(self) -> None:
        """Extensions of the model run at every boot from a fresh disk; those put on this machine alone stay."""
        profile = self.properties.get("extensionProfile") or {}
        for extension in profile.get("extensions") or []:
            made = {**extension.get("properties", {}), "provisioningState": "Succeeded"}
            self.extensions[extension["name"]] = made

    def turn(self, operation: Operation, power: Power) -> None:
        """Change the power state as a part of an operation."""
        self.become(Provisioning.UPDATING)
        operation.after(self._world.timing.operation, lambda _: self.become(Provisioning.SUCCEEDED, power), self)

    def fail(self, code: str = "VMExtensionProvisioningError", message: str = "") -> None:
        """Be Failed, as after a bad update; a machine that ran goes on running."""
        self.failure = ArmError(code, message)
        self.become(Provisioning.FAILED)


def image(properties: Raw) -> Raw:
    """The image reference of a machine or of a scale set's machines."""
    reference: Raw = (properties.get("storageProfile") or {}).get("imageReference") or {}
    return {key: value for key, value in reference.items() if key != "exactVersion"}
