"""How an instance leaves through its Machine: core drains it, waits for hooks and volumes, then deletes its object."""

from __future__ import annotations

import datetime as dt

from capipool.api.constants import Annotation, ConditionType
from capipool.api.core import Machine
from capipool.client.client import Client
from capipool.machinery import clock, conditions, errors
from capipool.machinery.objects import Raw
from capipool.sdk import removal
from capipool.sdk.engine.plan import Cause
from capipool.sdk.machines.census import Shown
from capipool.sdk.removal import Progress

LOOK_AGAIN = dt.timedelta(seconds=10)
"""A net under the watches, which tell of every step that a deletion takes."""


async def step(client: Client, shown: Shown, cause: Cause, *, drain: bool, now: dt.datetime) -> Progress:
    """Take one step to have the Machine of an instance deleted. Idempotent. Raises ApiError.

    Done once the object is being deleted: then the instance may be terminated. The mark on the Machine, written before
    it is deleted, tells this from a deletion that somebody else orders. Without `drain` core does not drain either.
    """
    machine = shown.machine
    if shown.drained or machine is None:
        return Progress(done=True)
    name = machine.metadata.name
    if machine.deleting:
        told = conditions.find(machine.status.conditions, ConditionType.DELETING)
        why = f": {told.message}" if told is not None and told.message else ""
        return Progress(False, f"Machine {name} is being deleted{why}", LOOK_AGAIN)
    try:
        await _mark(client, machine, cause, drain=drain, now=now)
        await client.delete(Machine, name, machine.metadata.namespace, uid=machine.metadata.uid)
    except errors.NotFound:
        return Progress(False, f"Machine {name} is gone", LOOK_AGAIN)
    return Progress(False, f"Machine {name} is being deleted", LOOK_AGAIN)


async def spare(client: Client, machine: Machine) -> None:
    """Take the mark off a Machine that is not deleted after all. Idempotent. Raises ApiError."""
    try:
        await _annotate(client, machine, {removal.REMOVING: None})
    except errors.NotFound:
        return


async def _mark(client: Client, machine: Machine, cause: Cause, *, drain: bool, now: dt.datetime) -> None:
    there = machine.metadata.annotations
    wanted: dict[str, str | None] = {}
    if removal.REMOVING not in there:
        wanted[removal.REMOVING] = f"{clock.format_time(now)} {cause.value}"
    if not drain and Annotation.EXCLUDE_NODE_DRAINING not in there:
        wanted[Annotation.EXCLUDE_NODE_DRAINING] = ""
    if wanted:
        await _annotate(client, machine, wanted)


async def _annotate(client: Client, machine: Machine, annotations: Raw) -> None:
    meta = machine.metadata
    await client.patch(Machine, meta.name, meta.namespace, patch={"metadata": {"annotations": annotations}})
