"""Carry a plan out: the one place from which the reconciler of health checks writes."""

from __future__ import annotations

import datetime as dt

from capipool.api.builtin import Node
from capipool.api.constants import Annotation
from capipool.api.core import Machine, MachineHealthCheck
from capipool.client.client import Client
from capipool.core import legacy, writes
from capipool.core.machinehealthcheck import external
from capipool.core.machinehealthcheck.pools import NodeMark
from capipool.core.machinehealthcheck.world import MachineMark, Plan, Request
from capipool.machinery import conditions, errors, objects
from capipool.machinery.objects import Raw, replace_part
from capipool.machinery.patch import merge


async def apply(
    client: Client, workload: Client | None, check: MachineHealthCheck, plan: Plan, now: dt.datetime
) -> MachineHealthCheck:
    """Carry a plan out that was made for this check as it was read. Returns the check as it is then.

    `workload` is the cluster whose nodes were judged; None where nobody was.

    Raises ApiError, or an ExceptionGroup of those where several writes failed; all other writes were tried. A machine
    is marked before it is deleted, so that its mark says why, and before remediation is asked for: from then on that
    mark is for others to change.
    """
    check = await writes.write_body(client, check, plan.check)
    await writes.all_of([_mark(client, mark, now) for mark in plan.machines])
    await writes.all_of(
        [
            *(_request(client, request, now) for request in plan.requests),
            *(writes.delete(client, deletion) for deletion in plan.deletions),
            *(_mark_node(workload, mark) for mark in plan.nodes if workload is not None),
        ]
    )
    return await writes.write_status(client, check, plan.check)


async def _mark(client: Client, mark: MachineMark, now: dt.datetime) -> None:
    """Put conditions on a machine, for the version read: its own reconciler writes the same list."""
    machine = mark.machine
    before = machine.status
    kept = tuple(c for c in before.conditions if c.type not in mark.dropped)
    old = before.deprecated.v1beta1
    old_kept = [c for c in old.conditions if c.type not in mark.dropped]
    old = replace_part(old, conditions=legacy.set_all(old_kept, mark.legacy, (), now))
    after = replace_part(
        before,
        conditions=conditions.set_all(kept, mark.conditions, now),
        deprecated=replace_part(before.deprecated, v1beta1=old),
    )
    patch = merge.diff(objects.part_to_raw(before), objects.part_to_raw(after))
    if patch is None:
        return
    meta = machine.metadata
    write = client.patch(
        Machine,
        meta.name,
        meta.namespace,
        patch={"status": patch},
        subresource="status",
        resource_version=meta.resource_version,
    )
    await writes.unless_gone(write)


async def _mark_node(workload: Client, mark: NodeMark) -> None:
    """Ask for an instance's remediation on its node, or take that back: on this very node, as it was judged."""
    meta = mark.node.metadata
    patch: Raw = {"metadata": {"uid": meta.uid, "annotations": {Annotation.REMEDIATE_MACHINE: mark.value}}}
    await writes.unless_gone(workload.patch(Node, meta.name, patch=patch))


async def _request(client: Client, request: Request, now: dt.datetime) -> None:
    """Ask for remediation, and say on the machine where that fails. Raises ApiError then.

    A request of this name is the machine's own, made a moment ago: the cache has not seen it yet.
    """
    try:
        await client.create(objects.from_raw(objects.Unstructured, request.raw), resource=request.resource)
    except errors.AlreadyExists:
        return
    except errors.ApiError as error:
        meta = request.machine.metadata
        machine = await client.get(Machine, meta.name, meta.namespace)
        await _mark(client, MachineMark(machine, (external.failed(error.message),), ()), now)
        raise
