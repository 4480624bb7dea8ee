"""The certificates that a control plane machine brings along: which secrets hold them, and where their files go.

Names and places are kubeadm's and Cluster API's. Only `generate` is not pure: it makes keys.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from capipool.api.builtin import Secret
from capipool.providers.kubeadm.rendering.boot import File

CRT, KEY = "tls.crt", "tls.key"
DEFAULT_DIRECTORY = "/etc/kubernetes/pki"
_LIFETIME = dt.timedelta(days=3650)
_CLOCK_SKEW = dt.timedelta(minutes=5)
_PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


class Certificate(msgspec.Struct, frozen=True, kw_only=True):
    """One certificate (or key pair) of a cluster. The secret is `<cluster>-<suffix>`."""

    suffix: str
    cert_path: str
    key_path: str
    external: bool = False
    """Brought by the user, so never generated."""

    def secret_name(self, cluster: str) -> str:
        """The name of the secret that holds it."""
        return f"{cluster}-{self.suffix}"


CLUSTER_CA = "ca"


def of_control_plane(cluster_configuration: Mapping[str, Any]) -> tuple[Certificate, ...]:
    """What a control plane machine needs, by a KubeadmConfig's clusterConfiguration."""
    directory = cluster_configuration.get("certificatesDir") or DEFAULT_DIRECTORY
    pairs = [
        Certificate(suffix=CLUSTER_CA, cert_path=f"{directory}/ca.crt", key_path=f"{directory}/ca.key"),
        Certificate(suffix="sa", cert_path=f"{directory}/sa.pub", key_path=f"{directory}/sa.key"),
        Certificate(
            suffix="proxy", cert_path=f"{directory}/front-proxy-ca.crt", key_path=f"{directory}/front-proxy-ca.key"
        ),
    ]
    external = (cluster_configuration.get("etcd") or {}).get("external")
    if not external:
        etcd = Certificate(suffix="etcd", cert_path=f"{directory}/etcd/ca.crt", key_path=f"{directory}/etcd/ca.key")
        return (*pairs, etcd)
    client = {"suffix": "apiserver-etcd-client", "cert_path": external["certFile"], "key_path": external["keyFile"]}
    return (
        *pairs,
        Certificate(suffix="etcd", cert_path=external["caFile"], key_path="", external=True),
        Certificate(**client, external=True),
    )


def is_complete(certificate: Certificate, secret: Secret | None) -> bool:
    """Whether the secret holds what the machine needs of it."""
    if secret is None or not secret.data.get(CRT):
        return False
    return not certificate.key_path or bool(secret.data.get(KEY))


def files(certificate: Certificate, secret: Secret) -> list[File]:
    """The files on the machine."""
    result = [_file(certificate.cert_path, secret.data[CRT], "0640")]
    if certificate.key_path:
        result.append(_file(certificate.key_path, secret.data[KEY], "0600"))
    return result


def _file(path: str, content: bytes, permissions: str) -> File:
    return File(path=path, content=content, owner="root:root", permissions=permissions)


def generate(certificate: Certificate, *, now: dt.datetime, algorithm: str = "") -> dict[str, bytes]:
    """A new CA, or for `sa` a key pair, as the data of its secret. Takes up to a second: run it in a thread.

    `algorithm` is clusterConfiguration's encryptionAlgorithm; empty is kubeadm's default, RSA-2048.
    """
    key = _key(algorithm or "RSA-2048")
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    if certificate.suffix == "sa":
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        return {CRT: public, KEY: pem}
    name = "front-proxy-ca" if certificate.suffix == "proxy" else "kubernetes"
    return {CRT: _self_signed(key, name, now), KEY: pem}


def _key(algorithm: str) -> _PrivateKey:
    family, _, parameter = algorithm.partition("-")
    if family == "ECDSA":
        return ec.generate_private_key(ec.SECP384R1() if parameter == "P384" else ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=int(parameter))


def _self_signed(key: _PrivateKey, common_name: str, now: dt.datetime) -> bytes:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    usage = x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=True,
        crl_sign=True,
        key_encipherment=True,
        content_commitment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM)
