"""What the composition root takes of Azure's pools to run them: their controllers."""

from __future__ import annotations

from capipool import sdk
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.pools.provider import AzurePoolProvider
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections


def setup(
    manager: Manager,
    connections: Connections,
    calls: Calls,
    identities: Identities,
    *,
    concurrency: int = 20,
    watch_filter: str = "",
) -> None:
    """Add the controllers of AzureMachinePool to a manager. `calls` must have `identities.credential`."""
    provider = AzurePoolProvider(manager, calls, identities)
    sdk.setup(manager, connections, provider, concurrency=concurrency, watch_filter=watch_filter)
