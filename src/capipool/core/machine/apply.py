"""Carry a plan out: the one place from which the Machine reconciler writes.

The finalizer comes before anything is touched, and goes after everything else is gone.
"""

from __future__ import annotations

from capipool.api.core import Machine
from capipool.client.client import Client
from capipool.core import writes
from capipool.core.machine.world import Plan
from capipool.core.writes import NodeDeletion
from capipool.machinery import errors


async def apply(client: Client, machine: Machine, plan: Plan, *, workload: Client | None) -> Machine:
    """Carry a plan out that was made for this machine as it was read. Returns the machine as it is then.

    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried.
    """
    going = machine.deleting and plan.machine.metadata != machine.metadata
    if not going:
        machine = await writes.write_body(client, machine, plan.machine)
    await writes.all_of(
        [*(writes.patch(client, p) for p in plan.objects), *(writes.delete(client, d) for d in plan.deletions)]
    )
    if workload is not None and plan.node_deletion is not None:
        await _delete_node(workload, plan.node_deletion)
    if going:
        return await writes.write_body(client, machine, plan.machine)
    if workload is not None and plan.node is not None:
        await writes.patch_node(workload, plan.node)
    return await writes.write_status(client, machine, plan.machine)


async def _delete_node(workload: Client, deletion: NodeDeletion) -> None:
    """A node of another UID is another node: ours is gone. A failure ends the run here, unless the time is up."""
    try:
        await writes.delete_node(workload, deletion)
    except errors.Conflict:
        return
