"""How many unhealthy machines are too many: then the fault is not the machines', and replacing them would not help.

Pure. Machines whose health is not known yet count as unhealthy here, so that a storm of new machines is no reason to
replace more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from capipool.api.v1beta2.machinehealthcheck import RemediationTrigger
from capipool.machinery import percentages

_RANGE = re.compile(r"\[([0-9]+)-([0-9]+)\]")


@dataclass(frozen=True, slots=True)
class Allowance:
    """Whether machines may be remediated now, and how many more may become unhealthy before none may."""

    allowed: bool
    remaining: int = 0


def allowance(trigger: RemediationTrigger, *, expected: int, healthy: int) -> Allowance:
    """What is allowed with so many machines healthy of those expected. A range counts before a maximum.

    Raises ValueError for a range that cannot be read. A maximum that cannot be read allows nothing.
    """
    unhealthy = expected - healthy
    if trigger.unhealthy_in_range:
        low, high = parse_range(trigger.unhealthy_in_range)
        return Allowance(True, high - unhealthy) if low <= unhealthy <= high else Allowance(False)
    try:
        most = max_unhealthy(trigger.unhealthy_less_than_or_equal_to, expected)
    except ValueError:
        return Allowance(False)
    return Allowance(True, most - unhealthy) if unhealthy <= most else Allowance(False)


def max_unhealthy(limit: int | str | None, expected: int) -> int:
    """The largest number of unhealthy machines; no limit is all of them, a percentage is rounded down.

    Raises ValueError on text that is no percentage.
    """
    return expected if limit is None else percentages.scaled(limit, expected, round_up=False)


def parse_range(text: str) -> tuple[int, int]:
    """Read `[2-5]`. Raises ValueError."""
    found = _RANGE.fullmatch(text)
    low, high = (int(found[1]), int(found[2])) if found is not None else (1, 0)
    if low > high:
        raise ValueError(f"{text!r} is not a range such as [1-3]")
    return low, high
