"""One scale set: its model, and the machines it has. Knows no operation; `writing` and `acting` change it."""

from __future__ import annotations

import copy

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError
from capipool.testing.azure.model.machines import Machine
from capipool.testing.azure.model.scalesets.upgrades import RollingUpgrade
from capipool.testing.azure.model.world import World

UNIFORM = "Uniform"
FLEXIBLE = "Flexible"
KIND = "Microsoft.Compute/virtualMachineScaleSets"


class ScaleSet:
    """A scale set. `properties` holds the model as written, secrets included."""

    def __init__(self, world: World, *, group: str, name: str, location: str, mode: str) -> None:
        self._world = world
        self.group = group
        self.name = name
        self.location = location
        self.mode = mode
        self.properties: Raw = {}
        self.sku: Raw = {}
        """Name and tier; the capacity is counted."""
        self.zones: list[str] = []
        self.tags: dict[str, str] = {}
        self.plan: Raw | None = None
        self.identity: Raw | None = None
        self.model = 0
        """Goes up with every change of what new machines look like."""
        self.machines: dict[str, Machine] = {}
        """By instance id, those that are being deleted included."""
        self.provisioning = "Creating"
        self.failure: ArmError | None = None
        self.created = world.clock.now()
        self.unique_id = world.guid()
        self.generation = 0
        """Goes up with every write; the etag."""
        self.upgrade: RollingUpgrade | None = None
        """The latest rolling upgrade."""
        self.repairs_suspended = False
        self._numbers = 0

    @property
    def id(self) -> str:
        """The resource id."""
        return f"{self._world.group_path(self.group)}/providers/{KIND}/{self.name}"

    @property
    def etag(self) -> str:
        """Changes with every write."""
        return f'"{self.generation}"'

    @property
    def flexible(self) -> bool:
        """Whether its machines are virtual machines of their own."""
        return self.mode == FLEXIBLE

    @property
    def upgrade_mode(self) -> str:
        """Manual, Automatic or Rolling."""
        return str((self.properties.get("upgradePolicy") or {}).get("mode") or "Manual")

    @property
    def profile(self) -> Raw:
        """What new machines look like."""
        found: Raw = self.properties.get("virtualMachineProfile") or {}
        return found

    @property
    def live(self) -> list[Machine]:
        """The machines that are not being deleted, the oldest first: what counts as capacity."""
        return [machine for machine in self.machines.values() if not machine.deleting]

    @property
    def capacity(self) -> int:
        """How many machines there are, or will be when everything that was begun is over."""
        return len(self.live)

    @property
    def deleting(self) -> bool:
        """Whether it is on its way out."""
        return self.provisioning == "Deleting"

    def machine_id(self, machine: Machine) -> str:
        """The id of a machine as its own resource."""
        if self.flexible:
            return f"{self._world.group_path(self.group)}/providers/Microsoft.Compute/virtualMachines/{machine.name}"
        return f"{self.id}/virtualMachines/{machine.instance_id}"

    def get(self, instance_id: str) -> Machine:
        """A machine by its instance id. Raises ArmError where it is none of this set's."""
        for key, machine in self.machines.items():
            if key.lower() == instance_id.lower():
                return machine
        raise ArmError(
            "InvalidParameter",
            f"The provided instanceId {instance_id} is not an active Virtual Machine Scale Set VM instanceId.",
            status=404,
            target="instanceId",
        )

    def new_machine(self, zone: str, image: Raw) -> Machine:
        """A machine of the newest model, listed from now on."""
        if self.flexible:
            name = f"{self.name}_{self._world.hexadecimal(8)}"
            instance_id = name
        else:
            instance_id = str(self._numbers)
            name = f"{self.name}_{instance_id}"
            self._numbers += 1
        body: Raw = {
            "location": self.location,
            "size": self.sku["name"],
            "properties": self.blueprint(name, instance_id, image),
            "tags": dict(self.tags),
            "plan": self.plan,
            "identity": self.identity,
        }
        machine = Machine(self._world, name=name, instance_id=instance_id, zone=zone, body=body)
        machine.model = self.model
        self.machines[instance_id] = machine
        return machine

    def blueprint(self, name: str, instance_id: str, image: Raw) -> Raw:
        """What a machine of the newest model looks like under a name."""
        made = copy.deepcopy(self.profile)
        prefix = (made.get("osProfile") or {}).get("computerNamePrefix", self.name)
        suffix = name.rsplit("_", 1)[-1][:6] if self.flexible else _base36(int(instance_id)).rjust(6, "0")
        made.setdefault("osProfile", {})["computerName"] = f"{prefix}{suffix}"
        made["osProfile"].pop("computerNamePrefix", None)
        storage = made.setdefault("storageProfile", {})
        if image:
            storage["imageReference"] = image
        configurations = (made.get("networkProfile") or {}).get("networkInterfaceConfigurations") or []
        if configurations:
            made["networkProfile"]["networkInterfaces"] = [
                {
                    "id": f"{self.id}/virtualMachines/{instance_id}/networkInterfaces/{c.get('name', '')}",
                    "properties": {"primary": bool((c.get("properties") or {}).get("primary", index == 0))},
                }
                for index, c in enumerate(configurations)
            ]
        return made


def _base36(number: int) -> str:
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"
    text = ""
    while number:
        number, rest = divmod(number, 36)
        text = digits[rest] + text
    return text
