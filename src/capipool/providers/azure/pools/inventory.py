"""Scale sets as Azure has them: one list of a resource group for all its pools at rest, one look for one that is not.

Whoever writes forgets what was seen, so that nobody reads what was before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.ids import ScaleSetID
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
        self._rooms: dict[tuple[str, ...], _Room] = {}
        """By subscription, resource group, cloud and identity; a change of the identity changes nothing of it."""
        self._rest: dict[ObjectKey, tuple[int, int]] = {}
        """The generations of what was wanted of pools that were found at rest."""

    def at_rest(self, pool: Pool[AzureMachinePool]) -> bool:
        """Whether nothing was going on when the pool was seen last, and nothing else is wanted since."""
        return self._rest.get(pool.key) == _wanted(pool)

    def listed_since(self, place: Place, moment: float) -> bool:
        """Whether what is known of a resource group is no older than a moment of the loop's time."""
        return self._room(place).asked >= moment

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
        room, name = self._room(place), place.id.name.lower()
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
        room = self._room(place)
        room.written[place.id.name.lower()] = asyncio.get_running_loop().time()

    def drop(self, key: ObjectKey, known: ScaleSetID | None) -> None:
        """Nobody wants to know of it any more. The other pools of its resource group are listed anew."""
        self._rest.pop(key, None)
        if known is not None:
            about = (known.subscription, known.group.lower())
            self._rooms = {where: room for where, room in self._rooms.items() if where[:2] != about}

    def _room(self, place: Place) -> _Room:
        identity = place.caller.identity.partition("@")[0]
        where = (place.id.subscription, place.id.group.lower(), place.caller.environment, identity)
        return self._rooms.setdefault(where, _Room())


def _wanted(pool: Pool[AzureMachinePool]) -> tuple[int, int]:
    return (pool.object.metadata.generation, pool.machine_pool.metadata.generation)
