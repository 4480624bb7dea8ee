"""How long things take, on the clock that the server was given: by default nothing waits, and nothing is instant.

With every duration at zero an operation is in progress in the answer that starts it, and over when somebody looks next.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

NONE = dt.timedelta()


@dataclass
class Timing:
    """May be changed at any time; holds for what begins afterwards."""

    operation: dt.timedelta = NONE
    """The least time that any long-running operation takes."""
    boot: dt.timedelta = NONE
    """From the wish for a machine to its running."""
    delete: dt.timedelta = NONE
    """How long a machine or a scale set is still listed as Deleting."""
    upgrade: dt.timedelta = NONE
    """What one batch of a rolling upgrade, or an upgrade in place, takes."""
    eviction: dt.timedelta = NONE
    """From the announcement of an eviction to the machine's end."""
    polls: int = 0
    """How many looks at an operation, or at its resource, find it in progress whatever the time."""
    retry_after: float = 1.0
    """Seconds that answers of operations in progress ask to wait; 0 leaves the header out. See `failures.patience`."""
