"""Listening: a socket, TLS, connections that come and go, and an end that leaves nobody hanging."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from capipool.apiserver.authn import Authenticator, from_certificate
from capipool.apiserver.http.application import Application
from capipool.apiserver.http.connection import Connection
from capipool.apiserver.server import Server
from capipool.machinery.calls import User

_SWEEP_SECONDS = 30.0
_IDLE_SECONDS = 300.0
"""Connections on which nothing happened for so long are closed; so are those that never finish a request."""
_GRACE_SECONDS = 5.0
"""How long requests under way have when the listener closes."""


class Listener:
    """A server that listens. `close` ends it."""

    def __init__(self, listening: asyncio.Server, connections: set[Connection], scheme: str) -> None:
        self._listening = listening
        self._connections = connections
        self.scheme = scheme
        self.host, self.port = listening.sockets[0].getsockname()[:2]
        self._sweeper = asyncio.get_running_loop().call_later(_SWEEP_SECONDS, self._sweep)

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    async def close(self, grace_seconds: float = _GRACE_SECONDS) -> None:
        """Take no more requests, end watches, let writes finish, hang up. Idempotent."""
        self._sweeper.cancel()
        self._listening.close()
        tasks = []
        for connection in tuple(self._connections):
            task = connection.end()
            if task is not None:
                tasks.append(task)
        if tasks:
            await asyncio.wait(tasks, timeout=grace_seconds)
        left = tuple(self._connections)
        for connection in left:
            connection.abort()
        for connection in left:
            await connection.lost.wait()

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = loop.call_later(_SWEEP_SECONDS, self._sweep)
        oldest = loop.time() - _IDLE_SECONDS
        for connection in tuple(self._connections):
            if connection.idle and connection.active_at < oldest:
                connection.end()


async def serve(
    server: Server,
    *,
    authenticator: Authenticator,
    tls: ssl.SSLContext | None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Listener:
    """Serve over HTTP until the listener is closed. Port 0 takes a free one. Raises OSError where it cannot listen.

    `tls` None serves in the clear: only for tests on loopback, where bearer tokens are the only credentials.
    """
    connections: set[Connection] = set()
    server.find_token = authenticator.by_token
    application = Application(server, authenticator)
    limit = server.context.settings.max_body_bytes
    listening = await asyncio.get_running_loop().create_server(
        lambda: Connection(application, _peer, connections, limit), host, port, ssl=tls, backlog=1024
    )
    return Listener(listening, connections, "https" if tls is not None else "http")


def _peer(transport: asyncio.BaseTransport) -> User | None:
    """Whom the client's certificate names; the TLS library has verified that our CA signed it."""
    certificate: dict[str, Any] | None = transport.get_extra_info("peercert")
    return from_certificate(certificate) if certificate else None
