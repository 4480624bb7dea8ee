"""Deletion of a Cluster as a state machine: workers, then the control plane, then infrastructure. Pure.

Nothing that workers need goes before they are gone: instances leave with their cloud and their API server still there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capipool.api.constants import Label, Reason
from capipool.core.cluster.world import ControlPlane, InfraCluster, World
from capipool.core.references import Absent
from capipool.core.writes import ObjectDeletion
from capipool.machinery.objects import Object

WAITING_FOR_WORKERS = "WaitingForWorkersDeletion"
WAITING_FOR_CONTROL_PLANE = "WaitingForControlPlaneDeletion"
WAITING_FOR_INFRASTRUCTURE = "WaitingForInfrastructureDeletion"


@dataclass(frozen=True, slots=True)
class DeletionStep:
    """Where a deletion is, and what it does next. With `done` the finalizer goes."""

    reason: str
    message: str = ""
    deletions: tuple[ObjectDeletion, ...] = ()
    done: bool = False


def decide(world: World) -> DeletionStep:
    """The next step of deleting a Cluster."""
    masters = [m for m in world.machines if Label.MACHINE_CONTROL_PLANE in m.metadata.labels]
    return (
        _objects(world.workers, WAITING_FOR_WORKERS)
        or _provider(world.control_plane, WAITING_FOR_CONTROL_PLANE)
        or _objects(masters, WAITING_FOR_CONTROL_PLANE)
        or _provider(world.infra, WAITING_FOR_INFRASTRUCTURE)
        or DeletionStep(Reason.DELETION_COMPLETED, done=True)
    )


def _objects(found: Iterable[Object], reason: str) -> DeletionStep | None:
    """Delete objects of our own kinds and wait until all are gone; None once they are."""
    there = list(found)
    if not there:
        return None
    deletions = tuple(ObjectDeletion(o.RESOURCE, o.key, o.metadata.uid) for o in there if not o.deleting)
    shown = [f"{o.RESOURCE.kind} {o.metadata.name}" for o in there[:3]]
    more = f" and {len(there) - 3} more" if len(there) > 3 else ""
    return DeletionStep(reason, f"waiting for {', '.join(shown)}{more} to be deleted", deletions)


def _provider(found: InfraCluster | ControlPlane | Absent | None, reason: str) -> DeletionStep | None:
    """Delete a provider's object and wait until it is gone; None once it is."""
    if found is None or (isinstance(found, Absent) and found.is_gone):
        return None
    if isinstance(found, Absent):
        return DeletionStep(reason, found.message)
    obj = found.object
    message = f"waiting for {obj.kind} {obj.metadata.name} to be deleted"
    if obj.deleting:
        waits = f" (it waits for {', '.join(obj.metadata.finalizers)})" if obj.metadata.finalizers else ""
        return DeletionStep(reason, message + waits)
    return DeletionStep(reason, message, (ObjectDeletion(found.resource, obj.key, obj.metadata.uid),))
