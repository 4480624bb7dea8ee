"""Deletion as a state machine: infrastructure first, then bootstrap data, then nodes, then the finalizer. Pure.

The stage follows from what is still there, so it may be interrupted and begun again anywhere. What is not found counts
as done, and nothing is ever created here.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.api.constants import Reason
from capipool.api.core import Machine, MachinePool
from capipool.core.bootstrap import BootstrapObject
from capipool.core.machinepool import nodes as pool_nodes
from capipool.core.machinepool.world import InfraObject, World
from capipool.core.references import Absent
from capipool.core.writes import NodeDeletion, ObjectDeletion
from capipool.runtime.reconcile import DONE, RequeueAfter, Result

DEFAULT_TIMEOUT_SECONDS = 10
"""`nodeDeletionTimeoutSeconds` where it is not set, as the API documents it."""


@dataclass(frozen=True, slots=True)
class DeletionStep:
    """Where a deletion is, and what it does next. With `done` the finalizer goes once all else is carried out."""

    reason: str
    message: str
    deletions: tuple[ObjectDeletion, ...] = ()
    node_deletions: tuple[NodeDeletion, ...] = ()
    done: bool = False
    result: Result = DONE


def decide(world: World, now: dt.datetime) -> DeletionStep:
    """The next step of deleting a pool."""
    if (step := _object_step(world.infra, Reason.WAITING_FOR_INFRASTRUCTURE_DELETION)) is not None:
        return step
    if world.bootstrap is not None:
        step = _object_step(world.bootstrap, Reason.WAITING_FOR_BOOTSTRAP_DELETION)
        if step is not None:
            return step
    return _nodes_step(world, now)


def timeout_passed(pool: MachinePool, now: dt.datetime) -> bool:
    """Whether the time for deleting nodes is up. It counts from the request to delete the pool; 0 is without end."""
    remaining = _remaining(pool, now)
    return remaining is not None and remaining <= dt.timedelta()


def _remaining(pool: MachinePool, now: dt.datetime) -> dt.timedelta | None:
    """Time left for deleting nodes; None where that is without end, or the pool is not being deleted."""
    since = pool.metadata.deletion_timestamp
    seconds = pool.spec.template.spec.deletion.node_deletion_timeout_seconds
    seconds = DEFAULT_TIMEOUT_SECONDS if seconds is None else seconds
    if since is None or seconds == 0:
        return None
    return since + dt.timedelta(seconds=seconds) - now


def _object_step(provider: InfraObject | BootstrapObject | Absent, reason: str) -> DeletionStep | None:
    """Delete a provider's object and wait until it is gone; None once it is."""
    if isinstance(provider, Absent):
        return None if provider.is_gone else DeletionStep(reason, provider.message)
    obj = provider.object
    name = f"{obj.kind} {obj.metadata.name}"
    if obj.deleting:
        waits = f" (it waits for {', '.join(obj.metadata.finalizers)})" if obj.metadata.finalizers else ""
        why = f": {told}" if isinstance(provider, InfraObject) and (told := _told(provider)) else waits
        return DeletionStep(reason, f"{name} is being deleted{why}")
    deletion = ObjectDeletion(provider.resource, obj.key, obj.metadata.uid)
    return DeletionStep(reason, f"{name} is being deleted", deletions=(deletion,))


def _told(infra: InfraObject) -> str:
    """What the provider itself says about its deletion."""
    return infra.explanations.get("Deleting", "")


def _nodes_step(world: World, now: dt.datetime) -> DeletionStep:
    machines = tuple(ObjectDeletion(Machine.RESOURCE, m.key, m.metadata.uid) for m in world.machines if not m.deleting)
    if world.nodes is None:
        return _without_workload_cluster(world, machines, now)
    found = pool_nodes.of_deleted_pool(world.pool, world.nodes)
    forgive = timeout_passed(world.pool, now)
    deletions = tuple(NodeDeletion(n.metadata.name, n.metadata.uid, forgive=forgive) for n in found)
    message = f"Nodes are being deleted: {_names(deletions)}" if deletions else ""
    return DeletionStep(
        Reason.DELETING_NODE if deletions else Reason.DELETION_COMPLETED,
        message,
        deletions=machines,
        node_deletions=deletions,
        done=True,
    )


def _without_workload_cluster(world: World, machines: tuple[ObjectDeletion, ...], now: dt.datetime) -> DeletionStep:
    """The workload cluster cannot be asked: wait for it, but not for ever, and not where it goes away itself."""
    pool = world.pool
    had_nodes = bool(pool.status.node_refs)
    going = world.cluster is None or world.cluster.deleting
    remaining = _remaining(pool, now)
    if not had_nodes or going or (remaining is not None and remaining <= dt.timedelta()):
        return DeletionStep(Reason.DELETION_COMPLETED, "", deletions=machines, done=True)
    message = f"Nodes cannot be deleted: the workload cluster is not connected: {world.nodes_unavailable}"
    return DeletionStep(
        Reason.DELETING_NODE,
        message,
        deletions=machines,
        result=RequeueAfter(remaining) if remaining is not None else DONE,
    )


def _names(deletions: tuple[NodeDeletion, ...]) -> str:
    shown = ", ".join(d.name for d in deletions[:3])
    return f"{shown}, ... ({len(deletions) - 3} more)" if len(deletions) > 3 else shown
