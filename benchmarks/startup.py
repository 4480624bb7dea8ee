"""From `exec` to serving: how long until the ready line is printed, and what that costs in CPU."""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.e2e import process

ROUNDS = 7


def run() -> dict[str, Any]:
    """Start on a new directory and on one that exists already, several times."""
    with tempfile.TemporaryDirectory(prefix="capipool-bench-") as directory:
        first = [_start(Path(directory) / f"new-{n}") for n in range(ROUNDS)]
        again = [_start(Path(directory) / "new-0") for _ in range(ROUNDS)]
    return {"first_start_s": statistics.median(first), "next_start_s": statistics.median(again)}


def _start(data_dir: Path) -> float:
    began = time.monotonic()
    up = process.start(data_dir)
    seconds = time.monotonic() - began
    up.terminate()
    return round(seconds, 3)
