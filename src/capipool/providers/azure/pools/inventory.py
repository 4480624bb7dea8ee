"""Scale sets as Azure has them: one list of a resource group for all its pools at rest, one look for one that is not.

Whoever writes forgets what was seen, so that nobody reads what was before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.pools.place import Place
from capipool.providers.azure.pools.scalesets import ScaleSets
from capipool.sdk import Group, InstanceState, Pool

RESTING = 50.0
"""Seconds that what was seen of a scale set at rest may be old: a little under the interval."""


@dataclass(slots=True)
class _Room:
    """A resource group."""

    asked: float = -RESTING * 2
    """When it was listed last: loop time, in seconds."""
    found: dict[str, Raw] = field(default_factory=dict)
    """By name in lower case."""
    written: dict[str, float] = field(default_factory=dict)
    """When each was written last: what was listed before is not believed."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Inventory:
    """Remembers scale sets, and which pools are at rest."""

    def __init__(self, sets: ScaleSets) -> None:
        self._sets = sets
        self._rooms: dict[tuple[Caller, str], _Room] = {}
        self._rest: dict[ObjectKey, tuple[int, int]] = {}
        """The generations of what was wanted of pools that were found at rest."""

    def at_rest(self, pool: Pool[AzureMachinePool]) -> bool:
        """Whether nothing was going on when the pool was seen last, and nothing else is wanted since."""
        return self._rest.get(pool.key) == _wanted(pool)

    def note(self, pool: Pool[AzureMachinePool], group: Group) -> None:
        """Remember whether a pool is at rest."""
        there = [i for i in group.instances if i.state is InstanceState.RUNNING and i.revision == group.revision]
        if len(there) == len(group.instances) == group.desired and not group.operation and group.problem is None:
            self._rest[pool.key] = _wanted(pool)
        else:
            self._rest.pop(pool.key, None)

    async def get(self, place: Place, *, at_rest: bool = False) -> Raw | None:
        """A scale set; None where there is none. Raises ProviderError."""
        if not at_rest:
            return await self._sets.get(place)
        room = self._rooms.setdefault((place.caller, place.id.group.lower()), _Room())
        name = place.id.name.lower()
        asked = asyncio.get_running_loop().time()
        async with room.lock:
            if room.asked < max(asked - RESTING, room.written.get(name, room.asked)):
                now = asyncio.get_running_loop().time()
                listed = await self._sets.of_group(place)
                room.asked, room.found = now, {str(each["name"]).lower(): each for each in listed}
        found = room.found.get(name)
        return found if found is not None else await self._sets.get(place)  # no list alone says that it is gone

    def forget(self, place: Place) -> None:
        """It was written: the next look goes to Azure."""
        room = self._rooms.setdefault((place.caller, place.id.group.lower()), _Room())
        room.written[place.id.name.lower()] = asyncio.get_running_loop().time()

    def drop(self, key: ObjectKey, place: Place) -> None:
        """Nobody wants to know of it any more."""
        self._rest.pop(key, None)
        if (room := self._rooms.get((place.caller, place.id.group.lower()))) is not None:
            room.found.pop(place.id.name.lower(), None)
            room.written.pop(place.id.name.lower(), None)


def _wanted(pool: Pool[AzureMachinePool]) -> tuple[int, int]:
    return (pool.object.metadata.generation, pool.machine_pool.metadata.generation)
