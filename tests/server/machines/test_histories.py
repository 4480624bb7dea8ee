"""Random operations on MachineDeployments of the development cloud, on virtual time, for any seed.

Whatever is done to them, and wherever the controllers' process dies: what `promises` says holds at every instant, what
is wanted is reached, and nothing is left behind. Set `CAPIPOOL_HISTORIES` to try more histories than the suite does,
and `CAPIPOOL_FIRST_HISTORY` to begin elsewhere than at seed 0. `python -m tests.server.machines.test_histories` prints.
A batch repeats from the seed that it begins with, whatever ran before it: what went wrong can be looked at again.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections import Counter

import pytest

from capipool.api.core import Machine
from capipool.testing import virtual
from tests.server.machines import history, lab

TOGETHER = 6
"""So many histories share a server, and the deaths of one process."""
COUNT = int(os.environ.get("CAPIPOOL_HISTORIES", "12"))
FIRST = int(os.environ.get("CAPIPOOL_FIRST_HISTORY", "0"))


async def _live(seeds: range) -> tuple[list[str], Counter[str]]:
    async with lab.laboratory(seeds.start) as made:
        broken, done = await history.live_together(made, seeds)
        done["deaths"] = made.deaths
        return broken, done


@pytest.mark.parametrize("first", range(FIRST, FIRST + COUNT, TOGETHER))
def test_promises_hold_and_the_end_is_reached_whatever_happens(first: int) -> None:
    broken, done = virtual.run(_live(range(first, first + TOGETHER)), limit=10**5)
    assert broken == []
    assert done["edit"] > 0


def test_what_happens_repeats_from_its_seed() -> None:
    once, again = (virtual.run(_told(3), limit=10**5) for _ in range(2))
    assert once == again
    assert len(once) > 50


async def _told(seed: int) -> list[str]:
    """Every change of a Machine in one history, and when it came."""
    told: list[str] = []
    async with lab.laboratory(seed) as made:

        def changed(_: Machine | None, new: Machine | None) -> None:
            if new is not None:
                what = [(c.type, c.status) for c in new.status.conditions]
                told.append(f"{made.uptime()} {new.key} {new.deleting} {what}")

        made.running.caches.of(Machine).subscribe(changed)
        broken, done = await history.live_together(made, range(seed, seed + 1))
        return [*told, *broken, str(sorted(done.items()))]


def main() -> None:
    """Live histories and say after each batch how many, what was done, and what was broken."""
    total, failures, began = Counter[str](), 0, time.monotonic()
    gc.disable()  # once a batch is enough
    for first in range(FIRST, FIRST + COUNT, TOGETHER):
        broken, done = virtual.run(_live(range(first, first + TOGETHER)), limit=10**5)
        gc.collect()
        total += done
        failures += len(broken)
        lived = first + TOGETHER - FIRST
        print(f"{lived} histories from {FIRST}: {time.monotonic() - began:.0f} s, {failures} broken, {dict(total)}")
        for line in broken:
            print(f"BROKEN in the batch from {first}: {line}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
