"""Things in AWS by their names: one describe for those of many pools, and only when somebody needs it fresher.

A pool at rest takes a picture that another's look has brought; one that converges has it taken anew. Whoever writes
forgets what was seen, so that nobody reads what was before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.providers.aws.places import Place

BATCH = 50
"""Names in one describe."""

Describe = Callable[[Place, list[str]], Awaitable[dict[str, Raw]]]
"""Looks for things by name, as many as `BATCH`; returns those that are there. Raises ProviderError."""


@dataclass(slots=True)
class _Shelf:
    wanted: set[str] = field(default_factory=set)
    seen: dict[str, tuple[float, Raw | None]] = field(default_factory=dict)
    """By name: when it was asked for (loop time, seconds), and the answer; None where there is no such thing."""
    written: dict[str, float] = field(default_factory=dict)
    """By name: when it was written last. What was asked for earlier is not believed, whenever its answer came."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Inventory:
    """Remembers things of one kind by place and name."""

    def __init__(self, describe: Describe) -> None:
        self._describe = describe
        self._shelves: dict[tuple[str, str], _Shelf] = {}

    async def get(self, place: Place, name: str, *, max_age: float) -> Raw | None:
        """A thing, as it was at most `max_age` seconds ago; None where there is none. Raises ProviderError."""
        shelf = self._shelves.setdefault(place.key, _Shelf())
        shelf.wanted.add(name)
        asked = asyncio.get_running_loop().time()
        async with shelf.lock:
            known = shelf.seen.get(name)
            if known is None or known[0] < asked - max_age or known[0] <= shelf.written.get(name, 0.0):
                await self._refresh(place, shelf, name, everybody=max_age > 0)
            return shelf.seen[name][1]

    def forget(self, place: Place, name: str) -> None:
        """It was written: the next look goes to AWS."""
        if (shelf := self._shelves.get(place.key)) is not None:
            shelf.written[name] = asyncio.get_running_loop().time()

    def drop(self, place: Place, name: str) -> None:
        """Nobody wants to know of it any more."""
        if (shelf := self._shelves.get(place.key)) is not None:
            shelf.wanted.discard(name)
            shelf.seen.pop(name, None)
            shelf.written.pop(name, None)

    async def _refresh(self, place: Place, shelf: _Shelf, name: str, *, everybody: bool) -> None:
        """Ask once. The call costs the same with others in it: those that were not seen for longest come along."""
        names = [name]
        if everybody:
            others = sorted(shelf.wanted - {name}, key=lambda n: (shelf.seen[n][0] if n in shelf.seen else 0.0, n))
            names += others[: BATCH - 1]
        now = asyncio.get_running_loop().time()
        found = await self._describe(place, names)
        shelf.seen.update({each: (now, found.get(each)) for each in names})
