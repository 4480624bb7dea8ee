"""Go durations (`1h5m`, `1.9s`), which v1beta1 writes, and seconds, which v1beta2 does."""

from __future__ import annotations

from capipool.machinery import durations

MAX_SECONDS = 2**31 - 1


def to_seconds(duration: str) -> int:
    """Whole seconds, cut off towards zero, and at most what 32 bits hold. Raises ValueError where it is no duration."""
    return max(-MAX_SECONDS, min(int(durations.parse(duration)), MAX_SECONDS))


def from_seconds(seconds: int) -> str:
    """As Go writes it: `0s`, `10s`, `1m40s`, `1h0m0s`."""
    hours, rest = divmod(abs(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    sign = "-" if seconds < 0 else ""
    if hours:
        return f"{sign}{hours}h{minutes}m{rest}s"
    return f"{sign}{minutes}m{rest}s" if minutes else f"{sign}{rest}s"
