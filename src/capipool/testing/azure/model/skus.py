"""Sizes of virtual machines: what a region offers, in which zones, and what is restricted for this subscription."""

from __future__ import annotations

from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.testing.azure.model.failures import ArmError

ZONES = ("1", "2", "3")


@dataclass
class Sku:
    """One size in one location. May be changed by tests."""

    name: str
    location: str
    zones: tuple[str, ...] = ZONES
    capabilities: dict[str, str] = field(default_factory=dict)
    restricted: bool = False
    """Whether the subscription may not use it in the location at all."""
    restricted_zones: tuple[str, ...] = ()
    """Zones where it may not."""

    def shown(self) -> Raw:
        """A row of the list."""
        size = self.name.removeprefix("Standard_")
        return {
            "resourceType": "virtualMachines",
            "name": self.name,
            "tier": "Standard",
            "size": size,
            "family": f"standard{size}Family",
            "locations": [self.location],
            "locationInfo": [{"location": self.location, "zones": list(self.zones), "zoneDetails": []}],
            "capabilities": [{"name": name, "value": value} for name, value in self.capabilities.items()],
            "restrictions": self._restrictions(),
        }

    def _restrictions(self) -> list[Raw]:
        made: list[Raw] = []
        reason = "NotAvailableForSubscription"
        if self.restricted:
            info: Raw = {"locations": [self.location]}
            made.append({"type": "Location", "values": [self.location], "restrictionInfo": info, "reasonCode": reason})
        if self.restricted_zones:
            info = {"locations": [self.location], "zones": list(self.restricted_zones)}
            made.append({"type": "Zone", "values": [self.location], "restrictionInfo": info, "reasonCode": reason})
        return made


class Skus:
    """What all locations offer. Starts with a few general sizes in each location asked for."""

    def __init__(self, locations: tuple[str, ...]) -> None:
        self.locations = locations
        self.all: list[Sku] = []
        for location in locations:
            self.all += [
                general("Standard_B2s", location, cpus=2, gigabytes=4),
                general("Standard_D2s_v3", location, cpus=2, gigabytes=8),
                general("Standard_D4s_v3", location, cpus=4, gigabytes=16),
                general("Standard_D8s_v3", location, cpus=8, gigabytes=32, UltraSSDAvailable="True"),
                general("Standard_D4ps_v5", location, cpus=4, gigabytes=16, CpuArchitectureType="Arm64"),
                general("Standard_B1s", location, cpus=1, gigabytes=1),
            ]

    def find(self, name: str, location: str) -> Sku | None:
        """A size in a location, whatever the letter case."""
        wanted = (name.lower(), normal(location))
        return next((s for s in self.all if (s.name.lower(), normal(s.location)) == wanted), None)

    def check(self, name: str, location: str, zones: list[str]) -> None:
        """Raises ArmError where a machine of that size cannot be had there."""
        sku = self.find(name, location)
        if sku is None:
            raise ArmError(
                "InvalidParameter",
                f"The value {name} provided for the VM size is not valid. Sizes of location {location}: "
                f"{', '.join(s.name for s in self.all if normal(s.location) == normal(location)) or 'none'}.",
                target="vmSize",
            )
        bad = [zone for zone in zones if zone not in sku.zones or zone in sku.restricted_zones]
        if sku.restricted or bad:
            where = f"location '{location}'" + (f", zones {', '.join(bad)}" if bad else "")
            raise ArmError(
                "SkuNotAvailable",
                f"The requested VM size for resource '{name}' is currently not available in {where}. "
                "Please try another size or deploy to a different location or different zone.",
            )


def general(name: str, location: str, *, cpus: int, gigabytes: int, **capabilities: str) -> Sku:
    """A general size with the capabilities that such sizes have."""
    usual = {
        "vCPUs": str(cpus),
        "MemoryGB": str(gigabytes),
        "MaxDataDiskCount": str(cpus * 4),
        "HyperVGenerations": "V1,V2",
        "CpuArchitectureType": "x64",
        "PremiumIO": "True",
        "AcceleratedNetworkingEnabled": str(cpus > 1),
        "EphemeralOSDiskSupported": "True",
        "EncryptionAtHostSupported": "True",
        "UltraSSDAvailable": "False",
        "LowPriorityCapable": "True",
    }
    return Sku(name, location, capabilities={**usual, **capabilities})


def normal(location: str) -> str:
    """A location's name as Azure compares it: `East US` is `eastus`."""
    return location.replace(" ", "").lower()
