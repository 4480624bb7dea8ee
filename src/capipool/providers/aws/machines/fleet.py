"""Instances as EC2 has them: one describe for all machines of an account and region, when somebody needs it fresher.

Knows nothing of machines but their instances' ids and tags; what was seen is kept as of groups (`inventory`).
"""

from __future__ import annotations

from collections.abc import Sequence

from capipool.machinery.objects import Raw
from capipool.providers.aws.inventory import Inventory
from capipool.providers.aws.machines import marks
from capipool.providers.aws.places import Place
from capipool.sdk.errors import Missing

BATCH = 200
"""Values that a filter takes."""
_GONE = ("terminated", "shutting-down")


class Fleet:
    """Remembers instances by account, region and id."""

    def __init__(self) -> None:
        self._inventory = Inventory(_look, batch=BATCH)

    async def get(self, place: Place, id: str, *, max_age: float) -> Raw | None:
        """An instance, as it was at most `max_age` seconds ago; None where there is none. Raises ProviderError."""
        return await self._inventory.get(place, id, max_age=max_age)

    async def find(self, place: Place, mark: str) -> Raw | None:
        """The instance that was made for a machine and is not gone, by its tag. Raises ProviderError."""
        found = await _describe(place, [{"Name": f"tag:{marks.MACHINE}", "Values": [mark]}])
        there = [instance for instance in found if state(instance) not in _GONE]
        for instance in there:
            self.note(place, instance)
        return min(there, key=lambda i: (str(i.get("LaunchTime", "")), i["InstanceId"])) if there else None

    def note(self, place: Place, instance: Raw) -> None:
        """Remember an instance as an answer has just shown it."""
        self._inventory.note(place, instance["InstanceId"], instance)

    def forget(self, place: Place, id: str) -> None:
        """It was written: the next look goes to EC2."""
        self._inventory.forget(place, id)

    def drop(self, key: tuple[str, str], id: str) -> None:
        """Nobody wants to know of it any more. `key`: the place's."""
        self._inventory.drop(key, id)


async def _look(place: Place, ids: list[str]) -> dict[str, Raw]:
    """Instances by id. That the one somebody waits for is not there has to be sure."""
    there = {i["InstanceId"]: i for i in await _describe(place, [{"Name": "instance-id", "Values": ids}])}
    if ids[0] not in there and (sure := await _by_id(place, ids[0])) is not None:
        there[ids[0]] = sure
    return there


async def _describe(place: Place, filters: Sequence[Raw]) -> list[Raw]:
    found: list[Raw] = []
    async for page in place.pages("ec2", "describe_instances", Filters=list(filters)):
        found += [instance for reservation in page["Reservations"] for instance in reservation["Instances"]]
    return found


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
