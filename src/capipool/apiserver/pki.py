"""The API server's own certificate authority, and what it signs: EC P-256 keys in the data directory, mode 0600.

Files that are there and good are used as they are; the library that makes new ones is imported only then.
"""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from capipool.machinery.calls import ADMIN, User

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

_CA_DAYS = 3650
_LEAF_DAYS = 365
_RENEW_DAYS = 30
_HOSTS = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Pair:
    """A certificate and its key, PEM."""

    certificate: bytes
    key: bytes = field(repr=False)


class _Ticket(msgspec.Struct):
    """What is known of a certificate beside it, so that a start need not parse it."""

    not_after: dt.datetime
    subject: list[str]
    issuer: str
    """A fingerprint: what another authority signed is of no use."""


class Authority:
    """The certificates of one data directory."""

    def __init__(self, directory: Path, *, now: dt.datetime) -> None:
        self._directory = directory
        self._now = now
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fingerprint = ""
        self.ca = self._kept("ca", ["capipool"], lambda: make_ca(now), days=_CA_DAYS)
        self._fingerprint = hashlib.sha256(self.ca.certificate).hexdigest()

    def server(self, hosts: Iterable[str] = ()) -> Pair:
        """The server's certificate, valid for this machine's loopback and for more hosts."""
        names = sorted({*_HOSTS, *(h for h in hosts if h not in ("", "0.0.0.0", "::"))})
        return self._kept("server", names, lambda: make_server(self.ca, names, self._now))

    def client(self, name: str, user: User = ADMIN) -> Pair:
        """A client certificate, kept under a name: the common name is the user, organisations are groups."""
        return self._kept(name, [user.name, *user.groups], lambda: make_client(self.ca, user, self._now))

    def tls(self, hosts: Iterable[str] = ()) -> ssl.SSLContext:
        """What to serve with: the server's certificate, and client certificates of this authority welcome."""
        self.server(hosts)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._file("server", "crt"), self._file("server", "key"))
        context.load_verify_locations(cadata=self.ca.certificate.decode())
        context.verify_mode = ssl.CERT_OPTIONAL
        context.set_alpn_protocols(["http/1.1"])
        return context

    def _file(self, name: str, suffix: str) -> Path:
        return self._directory / f"{name}.{suffix}"

    def _kept(self, name: str, subject: list[str], make: Any, days: int = _LEAF_DAYS) -> Pair:
        """The pair in the files, or a new one where there is none, or it soon expires, or names others."""
        try:
            ticket = msgspec.json.decode(self._file(name, "json").read_bytes(), type=_Ticket)
            wanted = (subject, self._fingerprint)
            lasting = ticket.not_after > self._now + dt.timedelta(days=_RENEW_DAYS)
            if (ticket.subject, ticket.issuer) == wanted and lasting:
                return Pair(self._file(name, "crt").read_bytes(), self._file(name, "key").read_bytes())
        except (OSError, msgspec.DecodeError):
            pass  # not there, or not whole: made anew below
        pair: Pair = make()
        ticket = _Ticket(self._now + dt.timedelta(days=days), subject, self._fingerprint)
        _write(self._file(name, "key"), pair.key)
        _write(self._file(name, "crt"), pair.certificate)
        _write(self._file(name, "json"), msgspec.json.encode(ticket))
        return pair


def _write(path: Path, data: bytes) -> None:
    """Replace a file whole, readable for its owner alone from the first byte on."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def make_ca(now: dt.datetime) -> Pair:
    """A new self-signed authority."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("capipool")
    usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
    builder = _builder(name, name, key, now, _CA_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return _signed(builder, key, key)


def make_server(ca: Pair, hosts: Iterable[str], now: dt.datetime) -> Pair:
    """A server certificate for host names and addresses."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID

    names = [_general_name(host) for host in hosts]
    return _leaf(
        ca, _name("capipool-apiserver"), now, ExtendedKeyUsageOID.SERVER_AUTH, x509.SubjectAlternativeName(names)
    )


def make_client(ca: Pair, user: User, now: dt.datetime) -> Pair:
    """A client certificate for a user."""
    from cryptography.x509.oid import ExtendedKeyUsageOID

    return _leaf(ca, _name(user.name, *user.groups), now, ExtendedKeyUsageOID.CLIENT_AUTH, None)


def _leaf(ca: Pair, subject: x509.Name, now: dt.datetime, purpose: Any, alternatives: Any) -> Pair:
    from cryptography import x509
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    issuer = x509.load_pem_x509_certificate(ca.certificate)
    signer = serialization.load_pem_private_key(ca.key, None)
    assert isinstance(signer, ec.EllipticCurvePrivateKey)
    key = ec.generate_private_key(ec.SECP256R1())
    builder = _builder(subject, issuer.subject, key, now, _LEAF_DAYS)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    usage = x509.KeyUsage(True, False, False, False, False, False, False, False, False)
    builder = builder.add_extension(usage, critical=True)
    builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = builder.add_extension(identifier, critical=False)
    if alternatives is not None:
        builder = builder.add_extension(alternatives, critical=False)
    return _signed(builder, key, signer)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, now: dt.datetime, days: int
) -> x509.CertificateBuilder:
    from cryptography import x509

    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))  # for clocks that are a little behind
        .not_valid_after(now + dt.timedelta(days=days))
    )


def _signed(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> Pair:
    from cryptography.hazmat.primitives import hashes, serialization

    certificate = builder.sign(signer, hashes.SHA256())
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return Pair(certificate.public_bytes(serialization.Encoding.PEM), pem)


def _name(common: str, *organizations: str) -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    groups = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in organizations]
    return x509.Name([*groups, x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _general_name(host: str) -> x509.GeneralName:
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def kubeconfig(
    *, server: str, ca: bytes, client: Pair | None = None, token: str = "", name: str = "capipool"
) -> dict[str, Any]:
    """A kubeconfig's content, for one cluster and one user. Holds secrets: write it for its owner's eyes only."""
    user: dict[str, str] = {}
    if client is not None:
        user["client-certificate-data"] = base64.b64encode(client.certificate).decode()
        user["client-key-data"] = base64.b64encode(client.key).decode()
    if token:
        user["token"] = token
    cluster = {"server": server, "certificate-authority-data": base64.b64encode(ca).decode()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
