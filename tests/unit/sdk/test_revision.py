"""A fresh token never makes a new revision; any real change does."""

from __future__ import annotations

import random
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.sdk import revision

CONTENT = {"type": "m5", "disks": [{"size": 8}, {"size": 80}], "labels": {"a": "1", "b": "2"}}
tokens = st.builds(
    lambda id, secret: f"{id}.{secret}",
    st.text(string.ascii_lowercase + string.digits, min_size=6, max_size=6),
    st.text(string.ascii_lowercase + string.digits, min_size=16, max_size=16),
)


@given(tokens, tokens)
def test_data_that_differ_in_their_tokens_alone_have_the_same_digest(first: str, second: str) -> None:
    data = "token: {}\ncaCertHashes: [sha256:0123]\ndiscovery: '{}'"
    one, other = data.format(first, first).encode(), data.format(second, second).encode()
    assert revision.bootstrap_digest(one) == revision.bootstrap_digest(other)


@given(st.binary(), st.integers(0, 2**32))
def test_any_other_change_of_the_data_changes_the_digest(data: bytes, seed: int) -> None:
    at = random.Random(seed).randrange(len(data) + 1)
    changed = data[:at] + b"!" + data[at:]
    assert revision.bootstrap_digest(data) != revision.bootstrap_digest(changed)


def test_what_only_looks_like_a_part_of_a_token_is_kept() -> None:
    assert revision.mask_tokens(b"image abcdefg.0123456789abcdef") == b"image abcdefg.0123456789abcdef"
    assert revision.mask_tokens(b"v1.34.0 sha.0123456789abcdef0") == b"v1.34.0 sha.0123456789abcdef0"
    assert revision.mask_tokens(b"t=abcdef.0123456789abcdef;") == b"t=[token];"


def test_the_format_is_part_of_what_is_digested() -> None:
    assert revision.bootstrap_digest(b"{}", "ignition") != revision.bootstrap_digest(b"{}", "cloud-config")


def test_the_order_of_keys_means_nothing_and_that_of_lists_does() -> None:
    name = revision.revision(CONTENT, version="v1", bootstrap_digest="d")
    reordered = {"labels": {"b": "2", "a": "1"}, "disks": CONTENT["disks"], "type": "m5"}
    assert revision.revision(reordered, version="v1", bootstrap_digest="d") == name
    turned = {**CONTENT, "disks": [{"size": 80}, {"size": 8}]}
    assert revision.revision(turned, version="v1", bootstrap_digest="d") != name


@pytest.mark.parametrize(
    "changed",
    [
        {"content": {**CONTENT, "type": "m6"}, "version": "v1", "bootstrap_digest": "d"},
        {"content": CONTENT, "version": "v2", "bootstrap_digest": "d"},
        {"content": CONTENT, "version": "v1", "bootstrap_digest": "e"},
    ],
    ids=["content", "version", "bootstrap"],
)
def test_every_real_change_makes_a_new_revision(changed: dict[str, object]) -> None:
    name = revision.revision(CONTENT, version="v1", bootstrap_digest="d")
    assert revision.revision(**changed) != name  # type: ignore[arg-type]


def test_a_revision_is_the_same_in_every_process_and_release() -> None:
    """Instances carry it as a label: another algorithm would roll every pool there is."""
    assert revision.revision({"type": "m5"}, version="v1.34.0", bootstrap_digest="d") == "kkj4896xwr"
