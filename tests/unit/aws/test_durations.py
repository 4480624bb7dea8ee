"""Durations as Go writes them."""

import pytest

from capipool.providers.aws import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m0s", 300), ("1.5h", 5400), ("0", 0), ("-30s", -30), ("500ms", 0), ("90s", 90), ("1h0m30s", 3630)],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: int) -> None:
    assert durations.seconds(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "soon", "5 m", "5m!"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        durations.seconds(text)
