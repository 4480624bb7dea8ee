"""Fixtures of the end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import process
from tests.e2e.process import Up


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Up]:
    """A server with everything running, stopped afterwards as an operator would."""
    server = process.start(tmp_path / "data")
    yield server
    if server.process.poll() is None:
        assert server.terminate() == 0, "SIGTERM must end the server with exit code 0"
