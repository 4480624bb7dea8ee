"""Auto Scaling groups as AWS has them: one describe for all pools of a region, and only when somebody needs it fresher.

A pool at rest takes a picture that another's look has brought; one that converges has it taken anew. Whoever writes
forgets what was seen, so that nobody reads what was before.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.providers.aws.calls import Calls

BATCH = 50
"""Names in one describe; AWS takes no more on one page."""


@dataclass(slots=True)
class _Region:
    wanted: set[str] = field(default_factory=set)
    seen: dict[str, tuple[float, Raw | None]] = field(default_factory=dict)
    """By name: when it was asked for (loop time, seconds), and the answer; None where there is no such group."""
    written: dict[str, float] = field(default_factory=dict)
    """By name: when it was written last. What was asked for earlier is not believed, whenever its answer came."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Inventory:
    """Remembers groups by region and name."""

    def __init__(self, calls: Calls) -> None:
        self._calls = calls
        self._regions: dict[str, _Region] = {}

    async def get(self, region: str, name: str, *, max_age: float) -> Raw | None:
        """A group, as it was at most `max_age` seconds ago; None where there is none. Raises ProviderError."""
        place = self._regions.setdefault(region, _Region())
        place.wanted.add(name)
        asked = asyncio.get_running_loop().time()
        async with place.lock:
            known = place.seen.get(name)
            if known is None or known[0] < asked - max_age or known[0] <= place.written.get(name, 0.0):
                await self._refresh(region, place, name, everybody=max_age > 0)
            return place.seen[name][1]

    def forget(self, region: str, name: str) -> None:
        """It was written: the next look goes to AWS."""
        if (place := self._regions.get(region)) is not None:
            place.written[name] = asyncio.get_running_loop().time()

    def drop(self, region: str, name: str) -> None:
        """Nobody wants to know of it any more."""
        if (place := self._regions.get(region)) is not None:
            place.wanted.discard(name)
            place.seen.pop(name, None)
            place.written.pop(name, None)

    async def _refresh(self, region: str, place: _Region, name: str, *, everybody: bool) -> None:
        names = [name, *sorted(place.wanted - {name})] if everybody else [name]
        for start in range(0, len(names), BATCH):
            batch = names[start : start + BATCH]
            now = asyncio.get_running_loop().time()
            answer = await self._calls.call(
                region, "autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=batch, MaxRecords=100
            )
            found = {group["AutoScalingGroupName"]: group for group in answer["AutoScalingGroups"]}
            place.seen.update({each: (now, found.get(each)) for each in batch})
