"""What the development cloud needs from whoever runs it: API servers for workload clusters."""

from __future__ import annotations

from typing import Protocol


class WorkloadSpaces(Protocol):
    """Makes and drops API servers for workload clusters. The embedded server's address spaces, in one process."""

    async def ensure(self, namespace: str, name: str) -> bytes:
        """Return the kubeconfig of a workload cluster, whose API server is made if need be. Idempotent."""
        ...

    async def drop(self, namespace: str, name: str) -> None:
        """Delete a workload cluster with everything in it. Idempotent."""
        ...
