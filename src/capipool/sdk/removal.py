"""Taking a node out of service before its instance goes: mark, cordon, drain; and back into service if plans change.

The mark is an annotation on the node, written in the same call that cordons it: so a removal survives a restart, its
time limit counts from its beginning, and anyone who looks at the node sees why it is cordoned.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

from capipool.api.builtin import Node
from capipool.machinery import clock, errors
from capipool.sdk.engine.plan import Cause
from capipool.workload import drain
from capipool.workload.connections import WorkloadCluster

REMOVING = "capipool.io/removing"
"""On a node: since when, and why, the pool engine takes it out of service."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a removal is. `done`: nothing on the node stands against terminating its instance."""

    done: bool
    message: str = ""
    retry_after: dt.timedelta | None = None


def since(node: Node) -> dt.datetime | None:
    """When the engine began to remove a node; None where it did not, or the mark is not one of ours."""
    moment, _, _ = node.metadata.annotations.get(REMOVING, "").partition(" ")
    try:
        return clock.parse_time(moment) if moment else None
    except ValueError:
        return None


async def step(
    workload: WorkloadCluster,
    node: Node,
    cause: Cause,
    *,
    rules: Sequence[drain.Rule],
    timeout_seconds: int | None,
    now: dt.datetime,
) -> Progress:
    """Take one step to empty a node. Idempotent. A node that is gone is done. Raises ApiError, DrainError."""
    began = since(node)
    if began is None:
        if not await _mark(workload, node, cause, now):
            return Progress(done=True)
        # The cache will show the mark, and the pool is looked at again; draining before would cordon a second time.
        return Progress(done=False, message=f"node {node.metadata.name} is being cordoned")
    options = drain.DrainOptions(rules=tuple(rules), started_at=began, timeout_seconds=timeout_seconds)
    result = await drain.drain(workload.client, workload.caches, node.metadata.name, options=options, now=now)
    if result.done:
        return Progress(done=True)
    return Progress(False, f"node {node.metadata.name}: {result.message}", result.retry_after)


async def spare(workload: WorkloadCluster, node: Node) -> None:
    """Put a node back into service. Idempotent. Raises ApiError."""
    patch = {"metadata": {"annotations": {REMOVING: None}}, "spec": {"unschedulable": None}}
    try:
        await workload.client.patch(Node, node.metadata.name, patch=patch)
    except errors.NotFound:
        return


async def _mark(workload: WorkloadCluster, node: Node, cause: Cause, now: dt.datetime) -> bool:
    said = f"{clock.format_time(now)} {cause.value}"
    patch = {"metadata": {"annotations": {REMOVING: said}}, "spec": {"unschedulable": True}}
    try:
        await workload.client.patch(Node, node.metadata.name, patch=patch)
    except errors.NotFound:
        return False
    return True
