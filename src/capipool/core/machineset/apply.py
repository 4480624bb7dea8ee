"""Carry a plan out: the one place from which the MachineSet reconciler writes.

The finalizer comes before anything is made, and goes after everything else is gone. Machines are marked before they are
deleted, so that their marks say why. A write that is refused does not keep the set from telling what it has seen: its
deployment rolls on by sets that have seen their latest sizes, and a new template may be what mends the refusal.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from capipool.api.core import Machine, MachineSet
from capipool.client.client import Client
from capipool.core import writes
from capipool.core.machineset import machines
from capipool.core.machineset.world import MachineMark, Part, Plan
from capipool.machinery import conditions, errors, objects
from capipool.machinery.objects import Raw, Unstructured


async def apply(
    client: Client, machine_set: MachineSet, plan: Plan, now: dt.datetime, *, refused: Callable[[str], None]
) -> MachineSet:
    """Carry a plan out that was made for this set as it was read. Returns the set as it is then.

    `refused` is told why a machine or a part of one cannot be made as the template has it.
    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried, and the
    status was written unless one may still be carried out.
    """
    going = machine_set.deleting and plan.machine_set.metadata != machine_set.metadata
    if not going:
        machine_set = await writes.write_body(client, machine_set, plan.machine_set)
    await writes.all_of([_mark(client, mark, now) for mark in plan.marks])
    work = [
        *(_told(_apply(client, raw), refused) for raw in plan.machines),
        *(_told(_create(client, part), refused) for part in plan.parts),
        *(writes.patch(client, p) for p in plan.patches),
        *(writes.delete(client, d) for d in plan.deletions),
    ]
    if going:
        await writes.all_of(work)
        return await writes.write_body(client, machine_set, plan.machine_set)
    failed = await _failed(work)
    machine_set = await writes.write_status(client, machine_set, plan.machine_set)
    if failed is not None:
        raise failed
    return machine_set


async def _told(write: Coroutine[Any, Any, None], refused: Callable[[str], None]) -> None:
    try:
        await write
    except (errors.BadRequest, errors.Forbidden, errors.Invalid) as error:
        refused(error.message)
        raise


async def _failed(work: Iterable[Coroutine[Any, Any, None]]) -> Exception | None:
    """Make all writes. Returns what failed; raises where one has no answer, and may be carried out later."""
    try:
        await writes.all_of(work)
    except errors.Timeout:
        raise
    except errors.ApiError as error:
        return error
    except ExceptionGroup as group:
        answered = group.subgroup(lambda e: isinstance(e, errors.ApiError) and not isinstance(e, errors.Timeout))
        if answered is None or len(answered.exceptions) < len(group.exceptions):
            raise
        return group
    return None


async def _apply(client: Client, raw: Raw) -> None:
    await client.apply(raw, resource=Machine.RESOURCE, field_manager=machines.FIELD_MANAGER, force=True)


async def _create(client: Client, part: Part) -> None:
    """A part of this name is the machine's, made a moment ago: the cache has not seen it yet."""
    try:
        await client.create(objects.from_raw(Unstructured, part.raw), resource=part.resource)
    except errors.AlreadyExists:
        return


async def _mark(client: Client, mark: MachineMark, now: dt.datetime) -> None:
    """Put conditions on a machine, for the version read: its own reconciler writes the same list."""
    before, meta = mark.machine.status.conditions, mark.machine.metadata
    after = conditions.set_all(before, mark.conditions, now)
    write = client.patch(
        Machine,
        meta.name,
        meta.namespace,
        patch={"status": {"conditions": [objects.part_to_raw(c) for c in after]}},
        subresource="status",
        resource_version=meta.resource_version,
    )
    await writes.unless_gone(write)
