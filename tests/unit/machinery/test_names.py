"""Names are what Kubernetes takes for names."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.machinery import names


@pytest.mark.parametrize(
    ("name", "label", "subdomain"),
    [("a", True, True), ("a-b", True, True), ("a.b", False, True), ("-a", False, False), ("A", False, False),
     ("", False, False), ("a" * 64, False, True), ("a" * 254, False, False), ("a..b", False, False),
     ("a\n", False, False)],
)  # fmt: skip
def test_dns_names(name: str, label: bool, subdomain: bool) -> None:
    assert names.is_dns_label(name) is label
    assert names.is_dns_subdomain(name) is subdomain


@pytest.mark.parametrize(
    ("key", "good"),
    [("app", True), ("example.com/App_1", True), ("/app", False), ("Example.com/app", False), ("a/", False)],
)
def test_label_keys(key: str, good: bool) -> None:
    assert names.is_qualified_name(key) is good


@given(st.text("abc-", min_size=1, max_size=80), st.integers())
def test_generated_names_fit_and_keep_their_base(base: str, seed: int) -> None:
    name = names.generate(base, random.Random(seed))
    assert len(name) <= 63
    assert name.startswith(base[:58])
    assert len(name) == len(base[:58]) + 5


def test_a_short_hash_is_the_same_everywhere() -> None:
    assert names.short_hash("aws:///eu-west-1a/i-1") == names.short_hash("aws:///eu-west-1a/i-1")
    assert len({names.short_hash(str(i)) for i in range(10_000)}) == 10_000
