"""How a joining machine finds and trusts its cluster: the address of its API server, and the hash of its CA. Pure."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from capipool.api.core import Cluster
from capipool.client import kubeconfig


class NoTrust(ValueError):
    """A certificate or kubeconfig cannot be read. The message says which, and nothing of what it holds."""


@lru_cache(maxsize=256)
def ca_hashes(pem: bytes) -> tuple[str, ...]:
    """The pins of each certificate of a bundle, as kubeadm takes them: `sha256:` and the hash of its public key.

    Raises NoTrust.
    """
    try:
        certificates = x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise NoTrust("the cluster's CA certificate is not valid PEM") from error
    return tuple(f"sha256:{hashlib.sha256(_public_key(c)).hexdigest()}" for c in certificates)


def _public_key(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def from_kubeconfig(data: bytes) -> tuple[str, bytes]:
    """`host:port` of the API server and the PEM of its CA, from a cluster's kubeconfig. Raises NoTrust."""
    try:
        endpoint = kubeconfig.parse(data)
    except kubeconfig.KubeconfigError as error:
        # NB: what the error says may hold parts of the file, which is a secret.
        raise NoTrust("the cluster's kubeconfig secret cannot be read") from error
    parts = urlsplit(endpoint.server)
    return _host_port(parts.hostname or "", parts.port or 443), endpoint.ca


def endpoint_of(cluster: Cluster) -> str:
    """`host:port` of the cluster's control plane endpoint; empty while it is not known."""
    endpoint = cluster.spec.control_plane_endpoint
    return _host_port(endpoint.host, endpoint.port) if endpoint.host and endpoint.port else ""


def _host_port(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
