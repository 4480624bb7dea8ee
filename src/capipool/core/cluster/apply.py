"""Carry a plan for a Cluster out: the one place from which its reconciler writes.

The finalizer comes before anything is touched, and goes after everything else is gone.
"""

from __future__ import annotations

from capipool.api.core import Cluster
from capipool.client.client import Client
from capipool.core import writes
from capipool.core.cluster.world import Plan


async def apply(client: Client, cluster: Cluster, plan: Plan) -> Cluster:
    """Carry a plan out that was made for this Cluster as it was read. Returns the Cluster as it is then.

    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried.
    """
    if cluster.deleting and plan.cluster.metadata != cluster.metadata:
        return await writes.write_body(client, cluster, plan.cluster)
    cluster = await writes.write_body(client, cluster, plan.cluster)
    await writes.all_of(
        [*(writes.patch(client, p) for p in plan.objects), *(writes.delete(client, d) for d in plan.deletions)]
    )
    return await writes.write_status(client, cluster, plan.cluster)
