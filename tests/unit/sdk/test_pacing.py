"""How often a provider may call its cloud."""

from capipool.sdk.pacing import Bucket


def test_a_bucket_lets_a_burst_through_and_then_so_many_a_second() -> None:
    bucket = Bucket(rate=2, burst=2)
    assert [bucket.reserve(100.0) for _ in range(5)] == [0.0, 0.0, 0.5, 1.0, 1.5]


def test_a_turn_beyond_the_patience_is_not_taken() -> None:
    bucket = Bucket(rate=2, burst=2, patience=0.5)
    assert [bucket.reserve(100.0) for _ in range(5)] == [0.0, 0.0, 0.5, 1.0, 1.0]


def test_no_turn_comes_before_the_moment_that_the_cloud_names() -> None:
    bucket = Bucket(rate=2, burst=2, patience=1.0)
    bucket.closed_until = 130.0
    assert bucket.reserve(100.0) == 30.0
    assert bucket.reserve(129.5) == 0.5
