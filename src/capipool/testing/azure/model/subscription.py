"""All that a subscription holds. The tables are plain dictionaries by resource id in lower case."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.aks.offer import Offer
from capipool.testing.azure.model.failures import group_not_found
from capipool.testing.azure.model.images import Images
from capipool.testing.azure.model.skus import Skus
from capipool.testing.azure.model.world import World

if TYPE_CHECKING:
    from capipool.testing.azure.model.aks.cluster import ManagedCluster
    from capipool.testing.azure.model.machines import Machine
    from capipool.testing.azure.model.roles import Assignment
    from capipool.testing.azure.model.scalesets.scaleset import ScaleSet


@dataclass
class Group:
    """A resource group, which is there before anything can be made in it."""

    name: str
    location: str
    tags: dict[str, str] = field(default_factory=dict)
    state: str = "Succeeded"


class Subscription:
    """The state of one subscription."""

    def __init__(self, world: World, locations: tuple[str, ...]) -> None:
        self.world = world
        self.groups: dict[str, Group] = {}
        """By name in lower case."""
        self.scale_sets: dict[str, ScaleSet] = {}
        self.machines: dict[str, Machine] = {}
        """Virtual machines that belong to no scale set."""
        self.interfaces: dict[str, Raw] = {}
        """Network interfaces, as answered."""
        self.clusters: dict[str, ManagedCluster] = {}
        """AKS clusters."""
        self.aks = Offer()
        """What AKS offers."""
        self.roles: dict[str, Assignment] = {}
        """Role assignments."""
        self.principals: set[str] = set()
        """Principals of the directory that no managed identity stands for; see `roles.principals`."""
        self.skus = Skus(locations)
        self.images = Images()
        self._addresses = 0

    def group(self, name: str) -> Group:
        """A resource group by name, whatever the letter case. Raises ArmError where there is none."""
        if (found := self.groups.get(name.lower())) is None:
            raise group_not_found(name)
        return found

    def forget(self, resource_id: str) -> None:
        """The resource is gone, and what hung on its id with it."""
        for table in self.tables():
            table.pop(resource_id.lower(), None)

    def tables(self) -> tuple[dict[str, Any], ...]:
        """All tables by resource id."""
        return self.scale_sets, self.machines, self.interfaces, self.clusters

    def address(self, version: str) -> str:
        """A private address that nobody has yet."""
        self._addresses += 1
        high, low = divmod(self._addresses + 3, 256)
        return f"fd00::{self._addresses + 3:x}" if version == "IPv6" else f"10.1.{high}.{low}"

    def flexible(self, machine_id: str) -> tuple[ScaleSet, Machine] | None:
        """A machine of a Flexible scale set by its own id."""
        for scale_set in self.scale_sets.values():
            if scale_set.flexible:
                for machine in scale_set.machines.values():
                    if scale_set.machine_id(machine).lower() == machine_id.lower():
                        return scale_set, machine
        return None
