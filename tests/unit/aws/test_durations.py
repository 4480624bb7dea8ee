"""Durations as AWS takes them."""

import pytest

from capipool.providers.aws import durations


@pytest.mark.parametrize(("text", "seconds"), [("5m0s", 300), ("-30s", -30), ("400ms", 0), ("1.6s", 2)])
def test_a_duration_is_read_in_whole_seconds(text: str, seconds: int) -> None:
    assert durations.seconds(text) == seconds
