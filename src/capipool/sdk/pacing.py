"""How often a provider may call its cloud: a limit of its own, so that the cloud need not set one. Pure.

Used by providers where their calls are made, one bucket for whatever the cloud counts calls by. Sleeps and raises
nothing: what to do with a wait is the caller's.
"""

from __future__ import annotations

import math


class Bucket:
    """Lets so many calls a second through, and a burst at first. All moments in seconds of one clock."""

    def __init__(self, *, rate: float, burst: int, patience: float = math.inf) -> None:
        """`patience`: how many seconds the caller waits for a turn at most."""
        self._rate = rate
        self._burst = burst
        self._patience = patience
        self._free_at = 0.0
        self.closed_until = 0.0
        """The cloud wants no calls before."""

    def reserve(self, now: float) -> float:
        """Take a turn; return in how many seconds it comes. One beyond the caller's patience is not taken."""
        start = max(self._free_at, now - self._burst / self._rate)
        delay = max(start + 1 / self._rate - now, self.closed_until - now, 0.0)
        if delay <= self._patience:
            self._free_at = start + 1 / self._rate
        return delay
