"""Go durations (`1h5m`, `1.9s`), which v1beta1 writes, and seconds, which v1beta2 does."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_SECONDS = 2**31 - 1

_UNITS = {
    "h": Fraction(3600),
    "m": Fraction(60),
    "s": Fraction(1),
    "ms": Fraction(1, 10**3),
    "us": Fraction(1, 10**6),
    "µs": Fraction(1, 10**6),
    "μs": Fraction(1, 10**6),
    "ns": Fraction(1, 10**9),
}
_PART = r"(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)"
_DURATION = re.compile(rf"([+-]?)(0|({_PART})+)")


def to_seconds(duration: str) -> int:
    """Whole seconds, cut off towards zero, and at most what 32 bits hold. Raises ValueError where it is no duration."""
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(f"{duration!r} is no duration such as 30s or 1h5m")
    total = sum((Fraction(number) * _UNITS[unit] for number, unit in re.findall(_PART, duration)), Fraction(0))
    seconds = min(int(total), MAX_SECONDS)
    return -seconds if found[1] == "-" else seconds


def from_seconds(seconds: int) -> str:
    """As Go writes it: `0s`, `10s`, `1m40s`, `1h0m0s`."""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    sign = "-" if seconds < 0 else ""
    if hours:
        return f"{sign}{hours}h{minutes}m{rest}s"
    return f"{sign}{minutes}m{rest}s" if minutes else f"{sign}{rest}s"
