"""Who a client is to its server: the part of credentials that needs no library, and no program to run."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from capipool.client.kubeconfig import Endpoint


@dataclass(frozen=True, slots=True)
class Identity:
    """What a request shows: an `Authorization` header, a client certificate, or neither."""

    authorization: str = field(default="", repr=False)
    cert: bytes = b""
    key: bytes = field(default=b"", repr=False)


class Credentials(Protocol):
    """Where the identity comes from. Asked before every request, so it must be quick when nothing has changed."""

    async def identity(self) -> Identity:
        """Who to be now. Raises ApiError (Unauthorized) where that cannot be found out."""
        ...

    def expire(self) -> bool:
        """The server does not know the identity: find it out anew when next asked. False where that cannot help."""
        ...


class Fixed:
    """An identity that stays as it is."""

    def __init__(self, identity: Identity) -> None:
        self._identity = identity

    async def identity(self) -> Identity:
        """The identity."""
        return self._identity

    def expire(self) -> bool:
        """It will not change."""
        return False


class TokenFile:
    """A token out of a file that somebody else renews: read anew every so often, and when it was refused."""

    def __init__(self, read: Callable[[], bytes], base: Identity, *, seconds: float = 60.0) -> None:
        self._read = read
        self._base = base
        self._seconds = seconds
        self._until = 0.0
        self._current: Identity | None = None

    async def identity(self) -> Identity:
        """The identity with the token as it was within the last minute."""
        now = asyncio.get_running_loop().time()
        if self._current is None or now >= self._until:
            token = (await asyncio.to_thread(self._read)).decode().strip()
            self._current = Identity(f"Bearer {token}", self._base.cert, self._base.key)
            self._until = now + self._seconds
        return self._current

    def expire(self) -> bool:
        """Read the file again."""
        self._current = None
        return True


def fixed(endpoint: Endpoint) -> Fixed:
    """The identity that a kubeconfig holds itself: certificate, token, or user name and password."""
    authorization = ""
    if endpoint.token:
        authorization = f"Bearer {endpoint.token}"
    elif endpoint.username:
        pair = f"{endpoint.username}:{endpoint.password}".encode()
        authorization = f"Basic {base64.b64encode(pair).decode()}"
    return Fixed(Identity(authorization, endpoint.cert, endpoint.key))
