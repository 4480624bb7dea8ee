"""Carry a plan out: the one place from which the MachineSet reconciler writes.

The finalizer comes before anything is made, and goes after everything else is gone. Machines are marked before they are
deleted, so that their marks say why.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.core import Machine, MachineSet
from capipool.client.client import Client
from capipool.core import writes
from capipool.core.machineset import machines
from capipool.core.machineset.world import MachineMark, Part, Plan
from capipool.machinery import conditions, errors, objects
from capipool.machinery.objects import Raw, Unstructured


async def apply(client: Client, machine_set: MachineSet, plan: Plan, now: dt.datetime) -> MachineSet:
    """Carry a plan out that was made for this set as it was read. Returns the set as it is then.

    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried.
    """
    going = machine_set.deleting and plan.machine_set.metadata != machine_set.metadata
    if not going:
        machine_set = await writes.write_body(client, machine_set, plan.machine_set)
    await writes.all_of([_mark(client, mark, now) for mark in plan.marks])
    await writes.all_of(
        [
            *(_apply(client, raw) for raw in plan.machines),
            *(_create(client, part) for part in plan.parts),
            *(writes.patch(client, p) for p in plan.patches),
            *(writes.delete(client, d) for d in plan.deletions),
        ]
    )
    if going:
        return await writes.write_body(client, machine_set, plan.machine_set)
    return await writes.write_status(client, machine_set, plan.machine_set)


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
