"""How calls reach an API server: over HTTPS, or straight into one that lives in the same process.

The client is written against this protocol alone. It does not know of the API server, and the API server does not
know of it: whoever composes the process joins them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from capipool.machinery.calls import Call, Reply, WatchEvent


class Transport(Protocol):
    """One API server, seen as one user."""

    @property
    def initial_events(self) -> bool:
        """Whether the server may be asked to begin a watch with the objects there are (`sendInitialEvents`)."""
        ...

    async def call(self, call: Call) -> Reply:
        """Make one call. Raises ApiError; ServiceUnavailable or Timeout where the server was not reached."""
        ...

    def watch(self, call: Call) -> AsyncIterator[Sequence[WatchEvent]]:
        """Follow changes, in batches as they come. Ends when the server ends it; raises ApiError when it breaks."""
        ...

    async def get_path(self, path: str) -> bytes:
        """Read a document that is no resource: discovery, `/version`, `/openapi`. Raises ApiError."""
        ...

    async def close(self) -> None:
        """Let go of connections. Calls after this fail. Idempotent."""
        ...
