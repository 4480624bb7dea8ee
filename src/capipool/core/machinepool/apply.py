"""Carry a plan out: the one place from which a MachinePool's reconciler writes.

Every write is idempotent and made only where something differs; one that replaces a list holds for the version read
alone. The order makes death at any await harmless: the finalizer comes before anything is touched, nodes go before the
pool forgets them, and the pool's own finalizer goes last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from capipool.api.core import Machine, MachinePool
from capipool.client.client import Client
from capipool.core import writes
from capipool.core.machinepool import machines
from capipool.core.machinepool.world import MachineStatusPatch, Plan
from capipool.machinery.objects import Raw

Wrote = Callable[[MachinePool], None]
"""Told of the pool as each write left it."""


async def apply(
    client: Client, pool: MachinePool, plan: Plan, *, workload: Client | None, wrote: Wrote = lambda _: None
) -> MachinePool:
    """Carry a plan out that was made for this pool as it was read. Returns the pool as it is then.

    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried.
    """
    going = pool.deleting and plan.pool.metadata != pool.metadata
    if not going:
        pool = await _written(writes.write_body(client, pool, plan.pool), pool, wrote)
    await writes.all_of(
        [
            *(writes.patch(client, p) for p in plan.objects),
            *(writes.delete(client, d) for d in plan.deletions),
            *(_apply_machine(client, m) for m in plan.machines),
            *(_patch_machine(client, m) for m in plan.machine_statuses),
        ]
    )
    if workload is not None:
        await writes.all_of([writes.delete_node(workload, d) for d in plan.node_deletions])
    if going:
        return await writes.write_body(client, pool, plan.pool)
    pool = await _written(writes.write_status(client, pool, plan.pool), pool, wrote)
    if workload is not None:
        await writes.all_of([writes.patch_node(workload, p) for p in plan.nodes])
    return pool


async def _written(write: Awaitable[MachinePool], before: MachinePool, wrote: Wrote) -> MachinePool:
    after = await write
    if after is not before:
        wrote(after)
    return after


async def _apply_machine(client: Client, machine: Raw) -> None:
    await client.apply(machine, resource=Machine.RESOURCE, field_manager=machines.FIELD_MANAGER, force=True)


async def _patch_machine(client: Client, patch: MachineStatusPatch) -> None:
    write = client.patch(
        Machine,
        patch.key.name,
        patch.key.namespace,
        patch=patch.patch,
        subresource="status",
        resource_version=patch.resource_version,
    )
    await writes.unless_gone(write)
