"""Who a request comes from: client certificates and bearer tokens. Nobody is let in without one of them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from capipool.machinery.calls import User

SPACE_GROUP = "capipool:cluster:"
"""A user in a group of this prefix may use that one address space, and no other."""


class Authenticator:
    """Knows bearer tokens; certificates are verified by TLS."""

    def __init__(self, tokens: Mapping[str, User] | None = None) -> None:
        self._users: dict[bytes, User] = {}
        for token, user in (tokens or {}).items():
            self.add_token(token, user)

    def add_token(self, token: str, user: User) -> None:
        """Let a token's bearer in. Only a hash is kept, so that neither memory nor timing gives tokens away."""
        self._users[_hash(token.encode())] = user

    def user(self, peer: User | None, authorization: bytes) -> User | None:
        """Who makes a request: whom the token names, or else whom the certificate does. None: nobody known."""
        if not authorization:
            return peer
        scheme, _, token = authorization.partition(b" ")
        if scheme.lower() != b"bearer":
            return None
        return self._users.get(_hash(token.strip()))

    def may_use(self, user: User, space: str) -> bool:
        """Whether a user may use an address space: everybody any, but who is bound to some only those."""
        bound = [g.removeprefix(SPACE_GROUP) for g in user.groups if g.startswith(SPACE_GROUP)]
        return not bound or space in bound

    def by_token(self, token: str) -> User | None:
        """Whom a token names."""
        return self._users.get(_hash(token.encode()))


def _hash(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def from_certificate(certificate: Mapping[str, Any]) -> User | None:
    """The user of a verified client certificate: common name, and organisations as groups."""
    pairs = [pair for rdn in certificate.get("subject", ()) for pair in rdn]
    name = next((value for key, value in pairs if key == "commonName"), "")
    groups = tuple(value for key, value in pairs if key == "organizationName")
    return User(name, groups) if name else None
