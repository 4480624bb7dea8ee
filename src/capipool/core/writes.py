"""Writes that reconcilers of core ask for as data, and how they are made. Used by each kind's `apply`.

Deleting what is gone is done; patching a list holds for the version read; of many writes, one failure does not stop the
others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Coroutine, Iterable
from dataclasses import dataclass
from typing import Any, TypeVar

from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineHealthCheck, MachinePool, MachineSet
from capipool.client.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.objects import Raw, replace_part
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey, Resource
from capipool.workload.nodesync import NodePatch

AT_ONCE = 16
"""Writes of one reconcile that are under way at the same time."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Something that keeps a step from going on, and that no waiting of ours mends: `reason` is for conditions."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class ObjectPatch:
    """A merge patch for an object, for the version read only."""

    resource: Resource
    key: ObjectKey
    patch: Raw
    resource_version: str


@dataclass(frozen=True, slots=True)
class ObjectDeletion:
    """Delete this very object: one of the same name but another UID is somebody else's."""

    resource: Resource
    key: ObjectKey
    uid: str


@dataclass(frozen=True, slots=True)
class NodeDeletion:
    """Delete this very Node. With `forgive` its owner goes even where that fails: the time is up."""

    name: str
    uid: str
    forgive: bool = False


ReconciledT = TypeVar("ReconciledT", Cluster, Machine, MachineDeployment, MachineHealthCheck, MachinePool, MachineSet)
"""Kinds that are written by these functions: typed, with conditions and an observed generation in their status."""


async def write_body(client: Client, obj: ReconciledT, wanted: ReconciledT) -> ReconciledT:
    """Write metadata and spec where they differ, for the version read. Returns the object as written."""
    if obj.metadata == wanted.metadata and obj.spec == wanted.spec:
        return obj
    parts = {
        "metadata": merge.diff(objects.part_to_raw(obj.metadata), objects.part_to_raw(wanted.metadata)),
        "spec": merge.diff(objects.part_to_raw(obj.spec), objects.part_to_raw(wanted.spec)),
    }
    changes = {key: part for key, part in parts.items() if part}
    if not changes:
        return obj
    meta = obj.metadata
    return await client.patch(
        type(obj), meta.name, meta.namespace, patch=changes, resource_version=meta.resource_version
    )


async def write_status(client: Client, obj: ReconciledT, wanted: ReconciledT) -> ReconciledT:
    """Write the status where it differs, for the version read. Returns the object as written.

    `obj` may be newer than what `wanted` was made from, by our own write of its spec: what was decided holds for that
    generation too.
    """
    changes = status_patch(obj, wanted)
    if changes is None:
        return obj
    meta = obj.metadata
    return await client.patch(
        type(obj),
        meta.name,
        meta.namespace,
        patch={"status": changes},
        subresource="status",
        resource_version=meta.resource_version,
    )


def status_patch(obj: ReconciledT, wanted: ReconciledT) -> Raw | None:
    """The merge patch from an object's status to the wanted one; None where they are the same."""
    status: Any = wanted.status
    decided, there = wanted.metadata.generation, obj.metadata.generation
    if there != decided:
        moved = tuple(
            replace_part(c, observed_generation=there) if c.observed_generation == decided else c
            for c in status.conditions
        )
        observed = there if status.observed_generation == decided else status.observed_generation
        status = replace_part(status, conditions=moved, observed_generation=observed)
    if status == obj.status:
        return None
    changes: Raw | None = merge.diff(objects.part_to_raw(obj.status), objects.part_to_raw(status))
    return changes


async def patch(client: Client, what: ObjectPatch) -> None:
    """Make the patch. Raises Conflict where the object changed since it was read."""
    key = what.key
    await client.patch(what.resource, key.name, key.namespace, patch=what.patch, resource_version=what.resource_version)


async def delete(client: Client, what: ObjectDeletion) -> None:
    """Ask for the deletion; done where it is gone already."""
    await unless_gone(client.delete(what.resource, what.key.name, what.key.namespace, uid=what.uid))


async def delete_node(workload: Client, what: NodeDeletion) -> None:
    """Delete a node; done where it is gone already. Raises Conflict where the name is another node's by now."""
    try:
        await unless_gone(workload.delete(Node, what.name, uid=what.uid))
    except errors.ApiError:
        if not what.forgive:
            raise


async def patch_node(workload: Client, what: NodePatch) -> None:
    """Make the patch; a node that is gone needs none. Raises Conflict where a version is named and it changed since."""
    write = workload.patch(Node, what.name, patch=what.patch, resource_version=what.resource_version)
    await unless_gone(write)


async def unless_gone(write: Awaitable[Any]) -> None:
    """A write to an object that is gone has nothing left to do."""
    try:
        await write
    except errors.NotFound:
        return


async def all_of(writes: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Make all writes, some at a time, and only then raise what failed: the error, or a group of several."""
    writes = list(writes)
    if not writes:
        return
    if len(writes) == 1:
        await writes[0]
        return
    slots = asyncio.Semaphore(AT_ONCE)

    async def limited(write: Coroutine[Any, Any, None]) -> None:
        async with slots:
            await write

    results = await asyncio.gather(*(limited(w) for w in writes), return_exceptions=True)
    failed = [r for r in results if isinstance(r, BaseException)]
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise BaseExceptionGroup(f"{len(failed)} of {len(writes)} writes failed", failed)
