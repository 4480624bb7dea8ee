"""Changes of many objects lead to few passes over them."""

import asyncio
import datetime as dt

import pytest

from capipool.core import gathering
from capipool.machinery.resource import ObjectKey
from capipool.runtime.controller import Controller
from capipool.runtime.reconcile import DONE, Result
from capipool.testing import virtual

KEY = ObjectKey("default", "workers")


class Passes:
    """Counts."""

    def __init__(self) -> None:
        self.at: list[float] = []

    async def reconcile(self, key: ObjectKey) -> Result:
        """One pass."""
        self.at.append(asyncio.get_running_loop().time())
        return DONE


async def passes(count: int, changes: int, seconds: float) -> list[float]:
    """When passes over so many machines are made, of which so many change one after the other within some seconds."""
    made = Passes()
    controller = Controller("test", made)
    controller.start()
    for _ in range(changes):
        gathering.enqueue(controller, [KEY], lambda _: count)
        await asyncio.sleep(seconds / changes)
    await asyncio.sleep(10)
    await controller.stop(dt.timedelta(0))
    return made.at


@pytest.mark.parametrize(("count", "most"), [(3, 1000), (100, 51), (1000, 6)])
def test_passes_are_fewer_the_more_there_is_to_look_at(count: int, most: int) -> None:
    made = virtual.run(passes(count, 1000, 5.0))
    assert 1 <= len(made) <= most


def test_one_change_of_a_few_is_looked_at_after_milliseconds() -> None:
    assert virtual.run(passes(3, 1, 1.0)) == [pytest.approx(0.003)]


def test_nobody_waits_for_longer_than_the_most() -> None:
    assert gathering.delay(10**6) == gathering.MOST
