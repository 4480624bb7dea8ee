"""Carry a plan out: the one place from which a MachinePool's reconciler writes.

Every write is idempotent and made only where something differs; one that replaces a list holds for the version read
alone. The order makes death at any await harmless: the finalizer comes before anything is touched, nodes go before the
pool forgets them, and the pool's own finalizer goes last.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from typing import Any

from capipool.api.builtin import Node
from capipool.api.core import Machine, MachinePool
from capipool.client.client import Client
from capipool.core.machinepool import machines
from capipool.core.machinepool.world import MachineStatusPatch, NodeDeletion, ObjectDeletion, ObjectPatch, Plan
from capipool.machinery import errors, objects
from capipool.machinery.objects import Raw, replace_part
from capipool.machinery.patch import merge
from capipool.workload.nodesync import NodePatch

NODE_WRITES_AT_ONCE = 16
"""Nodes of one pool that are written to at the same time."""


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
        pool = await _written(write_body(client, pool, plan.pool), pool, wrote)
    await _all(
        [
            *(_patch_object(client, p) for p in plan.objects),
            *(_delete_object(client, d) for d in plan.deletions),
            *(_apply_machine(client, m) for m in plan.machines),
            *(_patch_machine(client, m) for m in plan.machine_statuses),
        ]
    )
    await _delete_nodes(workload, plan)
    if going:
        return await write_body(client, pool, plan.pool)
    pool = await _written(write_status(client, pool, plan.pool), pool, wrote)
    if workload is not None:
        await _all([_patch_node(workload, p) for p in plan.nodes])
    return pool


async def _written(write: Awaitable[MachinePool], before: MachinePool, wrote: Wrote) -> MachinePool:
    after = await write
    if after is not before:
        wrote(after)
    return after


async def write_body(client: Client, pool: MachinePool, wanted: MachinePool) -> MachinePool:
    """Write metadata and spec where they differ, for the version read. Returns the pool as written."""
    if pool.metadata == wanted.metadata and pool.spec == wanted.spec:
        return pool
    patch = body_patch(pool, wanted)
    if patch is None:
        return pool
    meta = pool.metadata
    return await client.patch(
        MachinePool, meta.name, meta.namespace, patch=patch, resource_version=meta.resource_version
    )


async def write_status(client: Client, pool: MachinePool, wanted: MachinePool) -> MachinePool:
    """Write the status where it differs, for the version read.

    `pool` may be newer than what `wanted` was made from, by our own write of its spec: what was decided holds for that
    generation too.
    """
    patch = status_patch(pool, wanted)
    if patch is None:
        return pool
    meta = pool.metadata
    return await client.patch(
        MachinePool,
        meta.name,
        meta.namespace,
        patch={"status": patch},
        subresource="status",
        resource_version=meta.resource_version,
    )


def body_patch(pool: MachinePool, wanted: MachinePool) -> Raw | None:
    """The merge patch from one pool's metadata and spec to another's; None where they are the same."""
    parts = {
        "metadata": merge.diff(objects.part_to_raw(pool.metadata), objects.part_to_raw(wanted.metadata)),
        "spec": merge.diff(objects.part_to_raw(pool.spec), objects.part_to_raw(wanted.spec)),
    }
    return {key: part for key, part in parts.items() if part} or None


def status_patch(pool: MachinePool, wanted: MachinePool) -> Raw | None:
    """The merge patch from a pool's status to the wanted one; None where they are the same."""
    status = wanted.status
    decided, there = wanted.metadata.generation, pool.metadata.generation
    if there != decided:
        moved = tuple(
            replace_part(c, observed_generation=there) if c.observed_generation == decided else c
            for c in status.conditions
        )
        observed = there if status.observed_generation == decided else status.observed_generation
        status = replace_part(status, conditions=moved, observed_generation=observed)
    if status == pool.status:
        return None
    patch: Raw | None = merge.diff(objects.part_to_raw(pool.status), objects.part_to_raw(status))
    return patch


async def _patch_object(client: Client, patch: ObjectPatch) -> None:
    await client.patch(
        patch.resource, patch.key.name, patch.key.namespace, patch=patch.patch, resource_version=patch.resource_version
    )


async def _delete_object(client: Client, deletion: ObjectDeletion) -> None:
    key = deletion.key
    await _unless_gone(client.delete(deletion.resource, key.name, key.namespace, uid=deletion.uid))


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
    await _unless_gone(write)


async def _delete_nodes(workload: Client | None, plan: Plan) -> None:
    """Delete nodes; a failure ends the run here, unless their time is up."""
    if workload is None or not plan.node_deletions:
        return
    try:
        await _all([_delete_node(workload, d) for d in plan.node_deletions])
    except* errors.ApiError:
        if not plan.forgive_node_failures:
            raise


async def _delete_node(workload: Client, deletion: NodeDeletion) -> None:
    """A node of another UID is another node: ours is gone."""
    try:
        await _unless_gone(workload.delete(Node, deletion.name, uid=deletion.uid))
    except errors.Conflict:
        return


async def _patch_node(workload: Client, patch: NodePatch) -> None:
    await _unless_gone(workload.patch(Node, patch.name, patch=patch.patch, resource_version=patch.resource_version))


async def _unless_gone(write: Awaitable[Any]) -> None:
    """A write to an object that is gone has nothing left to do."""
    try:
        await write
    except errors.NotFound:
        return


async def _all(writes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Make all writes, some at a time, and raise what failed only then: one failure does not stop the others."""
    writes = list(writes)
    if len(writes) == 1:
        await writes[0]
        return
    if not writes:
        return
    slots = asyncio.Semaphore(NODE_WRITES_AT_ONCE)

    async def limited(write: Coroutine[Any, Any, None]) -> None:
        async with slots:
            await write

    results = await asyncio.gather(*(limited(w) for w in writes), return_exceptions=True)
    failed = [r for r in results if isinstance(r, BaseException)]
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise BaseExceptionGroup("several writes failed", failed)
