"""Durations as Go writes them (`1h5m`, `1.9s`), and Kubernetes with it. Exact: whoever rounds says how. Pure."""

from __future__ import annotations

import re
from fractions import Fraction

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
_PART = r"([0-9]+\.?[0-9]*|\.[0-9]+)(h|ms|m|s|us|µs|μs|ns)"
_DURATION = re.compile(rf"([+-]?)(0|({_PART})+)")


def parse(text: str) -> Fraction:
    """The duration in seconds. Raises ValueError where it is none."""
    found = _DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no duration such as 30s or 1h5m")
    seconds = sum((Fraction(number) * _UNITS[unit] for number, unit in re.findall(_PART, text)), Fraction(0))
    return -seconds if found[1] == "-" else seconds
