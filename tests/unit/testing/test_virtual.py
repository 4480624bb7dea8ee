"""Virtual time jumps, stands still for threads, and never hangs."""

from __future__ import annotations

import asyncio
import datetime as dt
import time

import pytest

from capipool.testing import virtual


def test_a_day_of_waiting_takes_no_time() -> None:
    async def main() -> dt.datetime:
        clock = virtual.clock()
        clock.now()
        await asyncio.sleep(86_400 * 3)
        return clock.now()

    began = time.perf_counter()
    assert virtual.run(main(), limit=dt.timedelta(days=4)) == virtual.START + dt.timedelta(days=3)
    assert time.perf_counter() - began < 1


def test_timers_fire_in_their_order_and_each_at_its_time() -> None:
    async def main() -> list[tuple[float, int]]:
        loop, fired = asyncio.get_running_loop(), []
        for delay in (30, 10, 20):
            loop.call_later(delay, lambda d=delay: fired.append((loop.time(), d)))
        await asyncio.sleep(40)
        return fired

    assert virtual.run(main()) == [(10.0, 10), (20.0, 20), (30.0, 30)]


def test_what_waits_for_what_never_comes_is_stuck_rather_than_hanging() -> None:
    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(virtual.Stuck):
        virtual.run(main())


def test_a_test_that_does_not_end_runs_out_of_virtual_time() -> None:
    async def main() -> None:
        for _ in range(1000):
            await asyncio.sleep(1)

    with pytest.raises(virtual.TimeRanOut):
        virtual.run(main(), limit=100)


def test_time_stands_still_while_a_thread_works() -> None:
    async def main() -> float:
        asyncio.get_running_loop().call_later(1, lambda: None)
        await asyncio.to_thread(time.sleep, 0.02)
        return asyncio.get_running_loop().time()

    assert virtual.run(main()) == 0


def test_exceptions_come_out_as_they_are() -> None:
    async def main() -> None:
        await asyncio.sleep(1)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        virtual.run(main())
