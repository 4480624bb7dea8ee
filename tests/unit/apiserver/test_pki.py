"""The certificate authority: kept, renewed in time, and for its owner's eyes only."""

from __future__ import annotations

import base64
import datetime as dt
from pathlib import Path

from cryptography import x509

from capipool.apiserver import authn, pki
from capipool.machinery.calls import ADMIN, User

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


def hosts(pair: pki.Pair) -> set[str]:
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return {str(name.value) for name in names}


def test_what_was_made_once_is_used_again(tmp_path: Path) -> None:
    first, second = (pki.Authority(tmp_path, now=NOW) for _ in range(2))
    assert first.ca == second.ca
    assert first.server() == second.server()
    assert first.client("admin") == second.client("admin")


def test_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    directory = tmp_path / "pki"
    authority = pki.Authority(directory, now=NOW)
    authority.server()
    assert directory.stat().st_mode & 0o077 == 0
    assert [f.name for f in directory.iterdir() if f.stat().st_mode & 0o077] == []
    assert "PRIVATE" not in repr(authority.ca)


def test_a_certificate_is_renewed_before_it_ends_and_by_the_same_authority(tmp_path: Path) -> None:
    first = pki.Authority(tmp_path, now=NOW)
    pair = first.server()
    later = pki.Authority(tmp_path, now=NOW + dt.timedelta(days=300))
    assert later.server() == pair
    late = pki.Authority(tmp_path, now=NOW + dt.timedelta(days=340))
    assert late.ca == first.ca
    assert late.server() != pair


def test_a_new_host_needs_a_new_certificate(tmp_path: Path) -> None:
    authority = pki.Authority(tmp_path, now=NOW)
    assert "127.0.0.1" in hosts(authority.server())
    assert {"pool.example.org", "10.0.0.1", "localhost"} <= hosts(authority.server(["pool.example.org", "10.0.0.1"]))


def test_files_that_are_not_whole_are_made_anew(tmp_path: Path) -> None:
    pki.Authority(tmp_path, now=NOW)
    (tmp_path / "ca.json").write_text("{")
    assert pki.Authority(tmp_path, now=NOW).ca.certificate.startswith(b"-----BEGIN")
    (tmp_path / "ca.key").unlink()
    assert pki.Authority(tmp_path, now=NOW).ca.key.startswith(b"-----BEGIN")


def test_leaves_of_an_authority_that_is_gone_are_made_anew(tmp_path: Path) -> None:
    old = pki.Authority(tmp_path, now=NOW)
    pair = old.server()
    (tmp_path / "ca.json").unlink()
    new = pki.Authority(tmp_path, now=NOW)
    assert new.ca != old.ca
    assert new.server() != pair


def test_a_client_certificate_names_its_user_and_groups(tmp_path: Path) -> None:
    pair = pki.Authority(tmp_path, now=NOW).client("jane", User("jane", ("one", "two")))
    subject = x509.load_pem_x509_certificate(pair.certificate).subject
    as_tls_tells = {"subject": tuple(((_LONG[a.rfc4514_attribute_name], a.value),) for a in subject)}
    assert authn.from_certificate(as_tls_tells) == User("jane", ("one", "two"))
    assert authn.from_certificate({"subject": ()}) is None


_LONG = {"CN": "commonName", "O": "organizationName"}


def test_a_kubeconfig_holds_all_that_a_client_needs() -> None:
    pair = pki.Pair(b"cert", b"key")
    config = pki.kubeconfig(server="https://127.0.0.1:1", ca=b"ca", client=pair, token="t")
    assert config["current-context"] == config["contexts"][0]["name"]
    assert config["clusters"][0]["cluster"]["server"] == "https://127.0.0.1:1"
    user = config["users"][0]["user"]
    assert base64.b64decode(user["client-key-data"]) == b"key"
    assert user["token"] == "t"


def test_tokens_name_users_and_certificates_stand_in_where_there_is_no_token() -> None:
    known = authn.Authenticator({"secret": ADMIN})
    jane = User("jane")
    assert known.user(None, b"Bearer secret") == ADMIN
    assert known.user(jane, b"bearer secret") == ADMIN
    assert known.user(jane, b"") == jane
    assert known.user(jane, b"Bearer wrong") is None  # a wrong credential is not the same as none
    assert known.user(None, b"") is None
    assert "secret" not in repr(vars(known))
