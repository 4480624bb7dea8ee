"""The nodes of workload clusters, followed while each is connected. Used by the reconcilers that look at nodes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from capipool.api.builtin import Node
from capipool.machinery.resource import ObjectKey
from capipool.workload.connections import Connections, WorkloadCluster


def follow(
    connections: Connections,
    *,
    node_changed: Callable[[ObjectKey, Node | None, Node | None], None],
    connection_changed: Callable[[ObjectKey], None],
) -> None:
    """Tell of changes of nodes, with the key of their Cluster, and of Clusters that are connected now, or no longer.

    On connecting, the nodes there are come first, as (None, node).
    """
    stops: dict[ObjectKey, Callable[[], None]] = {}

    def changed(cluster: ObjectKey, connected: WorkloadCluster | None) -> None:
        if (stop := stops.pop(cluster, None)) is not None:
            stop()
        if connected is not None:
            stops[cluster] = connected.nodes.cache.subscribe(partial(node_changed, cluster))
        connection_changed(cluster)

    connections.subscribe(changed)
