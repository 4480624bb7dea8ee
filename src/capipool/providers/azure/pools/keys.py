"""A key that nobody has: Azure wants one on every Linux machine, and pools without one are not logged in to."""

from __future__ import annotations

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519


def throw_away() -> str:
    """A line of `authorized_keys` whose private key is thrown away at once."""
    public = ed25519.Ed25519PrivateKey.generate().public_key()
    line = public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    return line.decode()
