"""What the composition root takes of Azure's pools to run them: their controllers."""

from __future__ import annotations

from capipool import sdk
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.pools.provider import AzurePoolProvider
from capipool.providers.azure.pools.secrets import CloudConfigReconciler
from capipool.runtime.manager import Manager
from capipool.sdk import Intervals
from capipool.workload.connections import Connections


def setup(
    manager: Manager,
    connections: Connections,
    calls: Calls,
    identities: Identities,
    *,
    concurrency: int = 20,
    watch_filter: str = "",
    intervals: Intervals | None = None,
) -> None:
    """Add the controllers of AzureMachinePool to a manager. `calls` must have `identities.credential`.

    `intervals` is for who cannot wait: how often Azure is asked.
    """
    provider = AzurePoolProvider(manager, calls, identities, intervals=intervals)
    sdk.setup(manager, connections, provider, concurrency=concurrency, watch_filter=watch_filter)
    files = CloudConfigReconciler(manager, identities)
    files.add_to(manager.controller("azuremachinepool-files", files, concurrency=4))
