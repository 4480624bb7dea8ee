"""Durations as Go writes them (`5m0s`, `1.5h`), which AWS takes in whole seconds. Pure."""

from __future__ import annotations

from capipool.machinery import durations


def seconds(text: str) -> int:
    """The duration in seconds, rounded to the nearest. Raises ValueError."""
    return round(durations.parse(text))
