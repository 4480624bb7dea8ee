"""Reconciles AWSManagedMachinePools: each is a node group of an EKS cluster that exists.

The SDK's engine is not used: it keeps instances, and EKS leaves none to keep. EKS itself picks who goes, drains (by the
budgets of its pods) when a group shrinks, is updated or deleted, surges, rolls, and repairs nodes; its Auto Scaling
group is EKS's own and not to be changed by others; no revision tells nodes of two Kubernetes versions apart, and
without a launch template nothing boots from bootstrap data. What is left is a group's own wish against EKS's state: one
update at a time, and a wait for it. `deciding` has all of the choices.

Level-triggered. The group's status says whether EKS is at something, so that whoever dies after an order finds it under
way; what an order was about is noted before it is given. Never waits, never repeats an order that is being carried out.
"""

from __future__ import annotations

import datetime as dt

from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups import statuses
from capipool.providers.aws.eks.nodegroups.deciding import Note
from capipool.providers.aws.eks.nodegroups.keeping import Keeper, Pass
from capipool.providers.aws.eks.nodegroups.removing import Remover
from capipool.providers.aws.eks.nodegroups.writes import Writes
from capipool.providers.aws.places import Places
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.sdk import Intervals, ProviderError
from capipool.sdk.inputs import is_paused
from capipool.sdk.managed import pools as managed

FINALIZER = "awsmanagedmachinepools.infrastructure.cluster.x-k8s.io"
CONVERGING, REST = dt.timedelta(seconds=15), dt.timedelta(minutes=1)
INTERVALS = Intervals(CONVERGING, REST)
"""How often a group is looked at: while something is under way, and when all is well."""


World = managed.World[AWSManagedMachinePool, AWSManagedControlPlane]


class AWSManagedMachinePoolReconciler:
    """Takes an AWSManagedMachinePool to what is wanted, a step at a time."""

    def __init__(
        self, manager: Manager, calls: Calls, *, default_region: str = "", intervals: Intervals = INTERVALS
    ) -> None:
        self._clock = manager.clock
        self._events = manager.events
        self._converging = intervals.converging or CONVERGING
        self._rest = intervals.rest or REST
        self._writes = Writes(manager.client)
        self._places = Places(manager, calls, default_region=default_region)
        self.keeper = Keeper(manager, self._writes, self._places, rest=self._rest)
        self._remover = Remover(self.keeper, self._places, manager.events)
        self.objects = manager.caches.of(AWSManagedMachinePool)
        self.around = managed.Surroundings(manager.caches, AWSManagedMachinePool, AWSManagedControlPlane)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat, and to be cut off anywhere."""
        obj = self.objects.get(key)
        if obj is None:
            return DONE
        world = self.around.of(obj)
        if is_paused(obj, world.cluster):
            return DONE
        now = Pass(part=statuses.NODEGROUP)
        try:
            again = await self._step(world, now)
            return RequeueAfter(again) if again is not None else DONE
        except ProviderError as error:
            await self._writes.status(obj, statuses.of_failures(obj, {now.part: error}, self._clock.now()))
            if not error.quiet:
                self._events.event(obj, "Warning", error.reason, str(error))
            return RequeueAfter(min(error.delay or self._converging, max(self._rest, self._converging)))

    async def _step(self, world: World, now: Pass) -> dt.timedelta | None:
        """Returns when to come again; None waits for news. Raises ProviderError, ApiError."""
        obj, owner, plane = world.obj, world.owner, world.plane
        if obj.deleting:
            return await self._delete(obj)
        if owner is None or world.cluster is None or owner.deleting:
            return None  # the MachinePool's controller sets the owner; its coming is watched
        if plane is None or not plane.status.ready:
            said = self.around.missing(plane)
            note = Note("WaitingForEKSControlPlane", said, "Info")
            await self._writes.status(obj, statuses.waiting(obj, note, self._clock.now()))
            return None
        if FINALIZER not in obj.metadata.finalizers:
            await self._writes.finalizers(obj, [*obj.metadata.finalizers, FINALIZER])
            return dt.timedelta(0)
        settled = await self.keeper.keep(obj, owner, world.cluster, plane=plane, now=now)
        for error in now.failures.values():
            if not error.quiet:
                self._events.event(obj, "Warning", error.reason, str(error))
        waits = [error.delay for error in now.failures.values() if error.delay is not None]
        return min([*waits, self._rest]) if settled or waits else self._converging

    async def _delete(self, obj: AWSManagedMachinePool) -> dt.timedelta | None:
        if FINALIZER not in obj.metadata.finalizers:
            return None
        note = await self._remover.remove(obj)
        if note is None:
            await self._writes.finalizers(obj, [f for f in obj.metadata.finalizers if f != FINALIZER])
            return None
        await self._writes.status(obj, statuses.waiting(obj, note, self._clock.now()) | {"ready": False})
        return self._rest if note.severity == "Error" else self._converging
