"""Durations as Go writes them, read exactly."""

from fractions import Fraction

import pytest

from capipool.machinery import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        ("5m0s", 300),
        ("1m30s", 90),
        ("1.5h", 5400),
        ("500ms", Fraction(1, 2)),
        ("2us", Fraction(2, 10**6)),
        ("2µs", Fraction(2, 10**6)),
        ("1.1s", Fraction(11, 10)),
        (".5s", Fraction(1, 2)),
        ("-30s", -30),
        ("+1h", 3600),
    ],
)
def test_a_duration_is_read_in_seconds(text: str, seconds: Fraction) -> None:
    assert durations.parse(text) == seconds


@pytest.mark.parametrize("text", ["", "5", "soon", "1s!", "5 m", "1d", "--1s", "s", "٣s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        durations.parse(text)
