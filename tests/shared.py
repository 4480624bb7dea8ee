"""What tests use that is not part of the repository: the data beside it that they compare with, and kubectl."""

import os
import shutil
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("CAPIPOOL_SHARED") or REPOSITORY.parent / "shared")

needs_kubectl = pytest.mark.skipif(
    shutil.which("kubectl") is None,
    reason="kubectl is not installed (Debian: kubernetes-client); CI installs it, so that there this is never skipped",
)
"""Marks tests that drive the real program. A developer without it runs all others."""


def shared(path: str) -> Path:
    """A file or folder of the shared data; skips the test, saying so, where it is not there."""
    found = SHARED / path
    if not found.exists():
        pytest.skip(f"the shared data has no {path} here (set CAPIPOOL_SHARED to its folder)")
    return found
