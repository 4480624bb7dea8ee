"""A scale set as it was read, with its instances: what `observe` finds and the others go by. Pure."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

from capipool.machinery.objects import Raw
from capipool.providers.azure.pools import instances
from capipool.providers.azure.pools.history import History
from capipool.sdk import Instance


@dataclass(frozen=True)
class Seen:
    """One look."""

    raw: Raw
    """The scale set; read before its instances."""
    listed: tuple[Raw, ...]
    native: bool = False
    """Whether Azure replaces instances by itself."""
    going: frozenset[str] = frozenset()
    """Ids of instances that Azure took on to delete."""

    @property
    def properties(self) -> Raw:
        """Of the scale set."""
        found: Raw = self.raw.get("properties") or {}
        return found

    @property
    def tags(self) -> dict[str, str]:
        """Of the scale set."""
        return dict(self.raw.get("tags") or {})

    @property
    def sku(self) -> Raw:
        """The size of its machines, without their number."""
        return {key: value for key, value in (self.raw.get("sku") or {}).items() if key in ("name", "tier")}

    @property
    def capacity(self) -> int:
        """How many instances it keeps."""
        return int((self.raw.get("sku") or {}).get("capacity") or 0)

    @property
    def state(self) -> str:
        """Azure's provisioning state."""
        return str(self.properties.get("provisioningState", ""))

    @property
    def etag(self) -> str:
        """Changes with every write; empty where Azure gives none."""
        return str(self.raw.get("etag") or "")

    @property
    def unique(self) -> str:
        """What no other scale set has, of the same name neither."""
        return str(self.properties.get("uniqueId") or "")

    def numbers(self, those: Collection[str]) -> list[str]:
        """How calls name these instances."""
        return [instances.instance_id(r) for r in self.listed if instances.id_of(r, self.unique) in those]

    @property
    def spot(self) -> bool:
        """Whether its machines can be evicted."""
        profile = self.properties.get("virtualMachineProfile") or {}
        return str(profile.get("priority", "")).lower() in ("spot", "low")

    @cached_property
    def history(self) -> History:
        """Which revision its instances are of."""
        return History.read(self.tags)

    def instances(self, *, flexible: bool) -> tuple[Instance, ...]:
        """For the engine."""
        return tuple(
            instances.instance(
                raw,
                self.history,
                unique=self.unique,
                flexible=flexible,
                spot=self.spot,
                trusts_model=self.native,
                going=self.going,
            )
            for raw in self.listed
        )
