"""Which kubeconfigs lead back into this process."""

import random

import pytest

from capipool.apiserver.authn import Authenticator
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.dialing import Home
from capipool.client.kubeconfig import Endpoint
from capipool.testing import virtual


def space(server: str, ca: bytes, *, own: bytes) -> str | None:
    api = Server(journal=MemoryJournal(), clock=virtual.clock(), rng=random.Random(1))
    home = Home(api, Authenticator(), "https://127.0.0.1:7443", own, None)
    return home.space(Endpoint(server=server, ca=ca))


@pytest.mark.parametrize(
    ("server", "meant"),
    [
        ("https://127.0.0.1:7443", ""),
        ("https://127.0.0.1:7443/workload/default/c", "default/c"),
        ("https://127.0.0.1:9999/workload/default/c", "default/c"),
        ("https://127.0.0.1:7443/elsewhere", None),
    ],
)
def test_what_trusts_our_authority_is_ours_also_after_a_start_on_another_port(server: str, meant: str | None) -> None:
    assert space(server, b"ours", own=b"ours") == meant


def test_what_trusts_another_authority_is_not_ours() -> None:
    assert space("https://127.0.0.1:7443", b"theirs", own=b"ours") is None


def test_without_an_authority_the_address_decides() -> None:
    assert space("https://127.0.0.1:7443/workload/default/c", b"", own=b"") == "default/c"
    assert space("https://example.org/workload/default/c", b"", own=b"") is None
