"""Instances as EC2 has them: one describe for all machines of an account and region, when somebody needs it fresher.

A machine at rest takes a picture that another's look has brought. Whoever writes forgets what was seen, so that nobody
reads what was before. Knows nothing of machines but their instances' ids.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from capipool.machinery.objects import Raw
from capipool.providers.aws.machines import marks
from capipool.providers.aws.places import Place
from capipool.sdk.errors import Missing, ProviderError

BATCH = 200
"""Values that a filter takes."""
_GONE = ("terminated", "shutting-down")


@dataclass(slots=True)
class _Shelf:
    seen: dict[str, tuple[float, Raw | None]] = field(default_factory=dict)
    """By id: when it was asked for (loop time, seconds), and the answer; None where there is no such instance."""
    written: dict[str, float] = field(default_factory=dict)
    """By id: when it was written last. What was asked for earlier is not believed, whenever its answer came."""
    failed: tuple[float, ProviderError] | None = None
    """When a look failed last (loop time, seconds), and how: whoever waited for it meanwhile does not look again."""
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


class Fleet:
    """Remembers instances by account, region and id."""

    def __init__(self) -> None:
        self._shelves: dict[tuple[str, str], _Shelf] = {}

    async def get(self, place: Place, id: str, *, max_age: float) -> Raw | None:
        """An instance, as it was at most `max_age` seconds ago; None where there is none. Raises ProviderError."""
        shelf = self._shelf(place)
        asked = asyncio.get_running_loop().time()
        shelf.seen.setdefault(id, (float("-inf"), None))
        async with shelf.lock:
            at, _ = shelf.seen.setdefault(id, (float("-inf"), None))
            if at < asked - max_age or at <= shelf.written.get(id, float("-inf")):
                await self._look(place, shelf, id, asked)
            return shelf.seen[id][1]

    async def find(self, place: Place, mark: str) -> Raw | None:
        """The instance that was made for a machine and is not gone, by its tag. Raises ProviderError."""
        found = await _describe(place, [{"Name": f"tag:{marks.MACHINE}", "Values": [mark]}])
        there = [instance for instance in found if state(instance) not in _GONE]
        for instance in there:
            self.note(place, instance)
        return min(there, key=lambda i: (str(i.get("LaunchTime", "")), i["InstanceId"])) if there else None

    def note(self, place: Place, instance: Raw) -> None:
        """Remember an instance as an answer has just shown it."""
        now = asyncio.get_running_loop().time()
        self._shelf(place).seen[instance["InstanceId"]] = (now, instance)

    def forget(self, place: Place, id: str) -> None:
        """It was written: the next look goes to EC2."""
        self._shelf(place).written[id] = asyncio.get_running_loop().time()

    def drop(self, key: tuple[str, str], id: str) -> None:
        """Nobody wants to know of it any more. `key`: the place's."""
        if (shelf := self._shelves.get(key)) is not None:
            shelf.seen.pop(id, None)
            shelf.written.pop(id, None)

    def _shelf(self, place: Place) -> _Shelf:
        return self._shelves.setdefault(place.key, _Shelf())

    async def _look(self, place: Place, shelf: _Shelf, id: str, asked: float) -> None:
        if shelf.failed is not None and shelf.failed[0] >= asked:
            raise shelf.failed[1]
        try:
            await self._refresh(place, shelf, id)
        except ProviderError as error:
            shelf.failed = (asyncio.get_running_loop().time(), error)
            raise

    async def _refresh(self, place: Place, shelf: _Shelf, id: str) -> None:
        """One call, for this one and as many others as it takes, those first that were not seen for the longest."""
        others = sorted((known for known in shelf.seen if known != id), key=lambda known: shelf.seen[known][0])
        batch = [id, *others[: BATCH - 1]]
        now = asyncio.get_running_loop().time()
        found = await _describe(place, [{"Name": "instance-id", "Values": batch}])
        there = {instance["InstanceId"]: instance for instance in found}
        if id not in there and (sure := await _by_id(place, id)) is not None:
            there[id] = sure
        for each in batch:
            if each in shelf.seen:
                shelf.seen[each] = (now, there.get(each))


async def _describe(place: Place, filters: Sequence[Raw]) -> list[Raw]:
    found: list[Raw] = []
    more: Raw = {}
    while True:
        answer = await place.call("ec2", "describe_instances", Filters=list(filters), **more)
        found += [instance for reservation in answer["Reservations"] for instance in reservation["Instances"]]
        if not answer.get("NextToken"):
            return found
        more = {"NextToken": answer["NextToken"]}


async def _by_id(place: Place, id: str) -> Raw | None:
    """One instance by its id: an empty answer to a filter is no proof that there is none."""
    try:
        answer = await place.call("ec2", "describe_instances", InstanceIds=[id])
    except Missing:
        return None
    return next((i for reservation in answer["Reservations"] for i in reservation["Instances"]), None)


def state(instance: Raw) -> str:
    """`pending`, `running`, `stopping`, `stopped`, `shutting-down` or `terminated`."""
    return str((instance.get("State") or {}).get("Name", ""))
