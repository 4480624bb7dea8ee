"""Numbers that may be given as a percentage of something: `3`, or `"25%"` (Kubernetes' `IntOrString`)."""

from __future__ import annotations

import re

_PERCENT = re.compile(r"([0-9]+)%")


def is_percentage(value: str) -> bool:
    """Whether a text is a percentage. A number in quotes is none."""
    return _PERCENT.fullmatch(value) is not None


def scaled(value: int | str, total: int, *, round_up: bool) -> int:
    """A number as it is, a percentage as its share of the total, in whole numbers. Raises ValueError on other text."""
    if isinstance(value, int):
        return value
    found = _PERCENT.fullmatch(value)
    if found is None:
        raise ValueError(f"{value!r} is neither a number nor a percentage such as 25%")
    share = int(found[1]) * total
    return -(-share // 100) if round_up else share // 100
