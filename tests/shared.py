"""Where the data lies that tests compare with: beside the repository, and not part of it."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CAPIPOOL_SHARED") or REPOSITORY.parent / "shared")


def shared(path: str) -> Path:
    """A file or folder of the shared data; skips the test, saying so, where it is not there."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"the shared data has no {path} here (set CAPIPOOL_SHARED to its folder)")
    return found
