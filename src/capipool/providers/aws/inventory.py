"""Things in AWS by their names: one describe for those of many pools or machines, only when somebody needs it fresher.

One at rest takes a picture that another's look has brought; one that converges has it taken anew. Whoever writes
forgets what was seen, so that nobody reads what was before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.providers.aws.places import Place
from capipool.sdk.errors import ProviderError

BATCH = 50
"""Names in one describe, unless said otherwise."""

Describe = Callable[[Place, list[str]], Awaitable[dict[str, Raw]]]
"""Looks for things by name, somebody waits for the first; returns those that are there. Raises ProviderError."""

_NEVER = float("-inf")


@dataclass(slots=True)
class _Shelf:
    seen: dict[str, tuple[float, Raw | None]] = field(default_factory=dict)
    """By name: when it was asked for (loop time, seconds), and the answer; None where there is no such thing."""
    written: dict[str, float] = field(default_factory=dict)
    """By name: when it was written last. What was asked for earlier is not believed, whenever its answer came."""
    failed: tuple[float, ProviderError] | None = None
    """When a look failed last (loop time, seconds), and how: whoever waited for it meanwhile does not look again."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Inventory:
    """Remembers things of one kind by account, region and name."""

    def __init__(self, describe: Describe, *, batch: int = BATCH) -> None:
        self._describe = describe
        self._batch = batch
        self._shelves: dict[tuple[str, str], _Shelf] = {}

    async def get(self, place: Place, name: str, *, max_age: float) -> Raw | None:
        """A thing, as it was at most `max_age` seconds ago; None where there is none. Raises ProviderError."""
        shelf = self._shelf(place)
        asked = asyncio.get_running_loop().time()
        shelf.seen.setdefault(name, (_NEVER, None))
        async with shelf.lock:
            at, found = shelf.seen.setdefault(name, (_NEVER, None))
            if at < asked - max_age or at <= shelf.written.get(name, _NEVER):
                found = await self._look(place, shelf, name, asked=asked, everybody=max_age > 0)
            return found

    def note(self, place: Place, name: str, found: Raw) -> None:
        """Remember a thing as an answer has just shown it."""
        self._shelf(place).seen[name] = (asyncio.get_running_loop().time(), found)

    def forget(self, place: Place, name: str) -> None:
        """It was written: the next look goes to AWS."""
        self._shelf(place).written[name] = asyncio.get_running_loop().time()

    def drop(self, key: tuple[str, str], name: str) -> None:
        """Nobody wants to know of it any more. `key`: the place's."""
        if (shelf := self._shelves.get(key)) is not None:
            shelf.seen.pop(name, None)
            shelf.written.pop(name, None)

    def _shelf(self, place: Place) -> _Shelf:
        return self._shelves.setdefault(place.key, _Shelf())

    async def _look(self, place: Place, shelf: _Shelf, name: str, *, asked: float, everybody: bool) -> Raw | None:
        if shelf.failed is not None and shelf.failed[0] >= asked:
            raise shelf.failed[1]
        try:
            return await self._refresh(place, shelf, name, everybody=everybody)
        except ProviderError as error:
            shelf.failed = (asyncio.get_running_loop().time(), error)
            raise

    async def _refresh(self, place: Place, shelf: _Shelf, name: str, *, everybody: bool) -> Raw | None:
        """Ask once. The call costs the same with others in it: those that were not seen for longest come along."""
        names = [name]
        if everybody:
            others = sorted((known for known in shelf.seen if known != name), key=lambda known: shelf.seen[known][0])
            names += others[: self._batch - 1]
        now = asyncio.get_running_loop().time()
        found = await self._describe(place, names)
        for each in names:
            if each in shelf.seen:  # nobody dropped it meanwhile
                shelf.seen[each] = (now, found.get(each))
        return found.get(name)
