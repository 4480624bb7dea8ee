"""Many machines look at their instances, and EC2 is asked little: one call for all, fresher only for who needs it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Coroutine
from typing import Any

from botocore.exceptions import ClientError

from capipool.machinery.objects import Raw
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.machines.fleet import BATCH, Fleet
from capipool.providers.aws.places import Place
from capipool.sdk.errors import CloudUnavailable
from capipool.testing import virtual

REST, BUSY = 50.0, 4.0


class EC2:
    """Instances by id, and how often they were asked for."""

    def __init__(self, count: int) -> None:
        self.ids = [f"i-{n:04}" for n in range(count)]
        self.asked: list[int] = []
        self.blind = False
        """Whether filters find nothing, as they may for a moment."""
        self.away = False

    def describe_instances(self, **said: Any) -> Raw:
        if "InstanceIds" in said:
            return self._by_id(said["InstanceIds"])
        (wanted,) = said["Filters"]
        self.asked.append(len(wanted["Values"]))
        if self.away:
            raise TimeoutError
        found = [] if self.blind else [id for id in wanted["Values"] if id in self.ids]
        half = len(found) // 2  # on two pages
        page, more = (found[half:], {}) if "NextToken" in said else (found[:half], {"NextToken": "2"})
        return {"Reservations": [{"Instances": [self._shown(id) for id in page]}], **more}

    def _by_id(self, ids: list[str]) -> Raw:
        if missing := [id for id in ids if id not in self.ids]:
            raise ClientError({"Error": {"Code": "InvalidInstanceID.NotFound", "Message": missing[0]}}, "x")
        return {"Reservations": [{"Instances": [self._shown(id) for id in ids]}]}

    def _shown(self, id: str) -> Raw:
        return {"InstanceId": id, "State": {"Name": "running"}}


def bed(count: int) -> tuple[EC2, Fleet, Place]:
    ec2 = EC2(count)
    calls = Calls(rng=random.Random(1), make_client=lambda service, region: ec2, rate=1000)
    return ec2, Fleet(), Place(calls=calls, region="r")


def on_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        virtual.run(test())

    run.__name__ = test.__name__
    return run


@on_virtual_time
async def test_a_hundred_machines_at_rest_cost_a_call_a_minute() -> None:
    ec2, fleet, place = bed(100)
    for id in ec2.ids:
        await fleet.get(place, id, max_age=REST)
    ec2.asked.clear()
    for _ in range(10):
        await asyncio.sleep(60)
        found = await asyncio.gather(*(fleet.get(place, id, max_age=REST) for id in ec2.ids))
        assert all(found)
    assert ec2.asked == [100, 100] * 10  # each on two pages


@on_virtual_time
async def test_one_that_is_busy_is_asked_for_with_as_many_others_as_one_call_takes() -> None:
    ec2, fleet, place = bed(BATCH + 50)
    for id in ec2.ids:
        await fleet.get(place, id, max_age=float("inf"))
    ec2.asked.clear()
    await asyncio.sleep(5)
    await fleet.get(place, ec2.ids[0], max_age=BUSY)
    assert ec2.asked == [BATCH, BATCH]
    await fleet.get(place, ec2.ids[1], max_age=BUSY)  # the longest unseen came along
    assert ec2.asked == [BATCH, BATCH]


@on_virtual_time
async def test_what_was_written_is_looked_at_again() -> None:
    ec2, fleet, place = bed(2)
    await fleet.get(place, "i-0000", max_age=REST)
    ec2.asked.clear()
    fleet.forget(place, "i-0000")
    await asyncio.sleep(0.1)
    await fleet.get(place, "i-0000", max_age=REST)
    assert len(ec2.asked) == 2


@on_virtual_time
async def test_an_empty_answer_is_no_proof_that_an_instance_is_gone() -> None:
    ec2, fleet, place = bed(1)
    ec2.blind = True
    assert await fleet.get(place, "i-0000", max_age=0) is not None
    await asyncio.sleep(1)
    ec2.ids.clear()
    assert await fleet.get(place, "i-0000", max_age=0) is None


@on_virtual_time
async def test_a_look_that_failed_has_failed_for_all_who_waited() -> None:
    ec2, fleet, place = bed(20)
    ec2.away = True
    found = await asyncio.gather(*(fleet.get(place, id, max_age=REST) for id in ec2.ids), return_exceptions=True)
    assert {type(error) for error in found} == {CloudUnavailable}
    assert len(ec2.asked) == 1
    ec2.away = False
    await asyncio.sleep(1)
    assert await fleet.get(place, "i-0000", max_age=REST)


@on_virtual_time
async def test_a_machine_that_is_gone_is_not_asked_for_any_more() -> None:
    ec2, fleet, place = bed(2)
    for id in ec2.ids:
        await fleet.get(place, id, max_age=0)
    fleet.drop(place.key, "i-0001")
    await asyncio.sleep(1)
    ec2.asked.clear()
    await fleet.get(place, "i-0000", max_age=0)
    assert ec2.asked == [1, 1]


@on_virtual_time
async def test_regions_are_asked_each_for_its_own() -> None:
    ec2, fleet, place = bed(2)
    other = Place(calls=place.calls, region="elsewhere")
    await fleet.get(place, "i-0000", max_age=0)
    await fleet.get(other, "i-0001", max_age=0)
    assert ec2.asked == [1, 1, 1, 1]
