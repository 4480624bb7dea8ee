"""The short way to an API server of the same process: no HTTP, no TLS, and the stored bytes themselves."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from capipool.apiserver.server import Server
from capipool.machinery.calls import Call, Reply, User, WatchEvent


class InProcessTransport:
    """One address space of a server, as one user. Implements `client.transport.Transport`."""

    initial_events = True

    def __init__(self, server: Server, space: str, user: User) -> None:
        self._server = server
        self._space = space
        self._user = user

    async def call(self, call: Call) -> Reply:
        """Make one call. Raises ApiError."""
        return await self._server.handle(self._space, self._user, call)

    def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        """Follow changes."""
        return self._server.watch(self._space, self._user, call)

    async def get_path(self, path: str) -> bytes:
        """Read a discovery document or `/version`. Raises NotFound."""
        return self._server.document(self._space, path)

    async def close(self) -> None:
        """Nothing to let go of: the server is not this transport's."""
