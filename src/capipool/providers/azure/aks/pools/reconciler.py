"""Reconciles AzureManagedMachinePools: each is an agent pool of an AKS cluster that exists.

The SDK's engine is not used: it keeps instances, and AKS leaves none to keep. AKS itself picks who goes, drains (by the
budgets of its pods) when a pool shrinks, is upgraded or deleted, surges, rolls, and upgrades nodes in place; nodes boot
without bootstrap data, and no revision tells two of them apart. What is left is a pool's own wish against AKS's state:
one `Put` that says everything, and a wait for its operation. `decide` has all of the choices.

Level-triggered. `provisioningState` says whether AKS is at something, so that whoever dies after an order finds it
under way; the operation in the status says how it ended. Never waits, never repeats an order that is carried out.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.core import MachinePool
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.aks import places
from capipool.providers.azure.aks.cloud import AKS
from capipool.providers.azure.aks.deciding import NODE_GROUP_ANNOTATION, SUBNET_ANNOTATION
from capipool.providers.azure.aks.places import PoolPlace
from capipool.providers.azure.aks.pools import decide, ownership, scaling, statuses
from capipool.providers.azure.aks.pools.decide import Note, Picture, Pool
from capipool.providers.azure.aks.pools.deletion import Deletion
from capipool.providers.azure.aks.pools.nodes import Nodes
from capipool.providers.azure.aks.pools.orders import Orders
from capipool.providers.azure.aks.pools.progress import Last, Progress
from capipool.providers.azure.aks.pools.writes import Writes
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.failures import Changed
from capipool.providers.azure.identities.finding import Identities
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.sdk import Intervals, NotOwned, ProviderError, conditions
from capipool.sdk.inputs import is_externally_scaled, is_paused
from capipool.sdk.managed import pools as managed

FINALIZER = "azurecluster.infrastructure.cluster.x-k8s.io"
"""Upstream's: it has the same for all of its kinds."""
CONVERGING, REST = dt.timedelta(seconds=15), dt.timedelta(minutes=2)
INTERVALS = Intervals(CONVERGING, REST)
"""How often a pool is looked at: while something is under way, and when all is well."""


World = managed.World[AzureManagedMachinePool, AzureManagedControlPlane]


class AzureManagedMachinePoolReconciler:
    """Takes an AzureManagedMachinePool to what is wanted, a step at a time."""

    def __init__(self, manager: Manager, aks: AKS, identities: Identities, *, intervals: Intervals = INTERVALS) -> None:
        self._clock = manager.clock
        self._events = manager.events
        self._aks = aks
        self._identities = identities
        self._converging = intervals.converging or CONVERGING
        self._rest = intervals.rest or REST
        self._writes = Writes(manager.client)
        self._nodes = Nodes(aks)
        self._orders = Orders(aks, self._writes, manager)
        self._deletion = Deletion(aks, self._writes, self._orders, manager)
        self.objects = manager.caches.of(AzureManagedMachinePool)
        self.around = managed.Surroundings(manager.caches, AzureManagedMachinePool, AzureManagedControlPlane)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat, and to be cut off anywhere."""
        obj = self.objects.get(key)
        if obj is None:
            self._orders.forget(key)
            return DONE
        world = self.around.of(obj)
        if is_paused(obj, world.cluster):
            return DONE
        try:
            return RequeueAfter(again) if (again := await self._step(world)) is not None else DONE
        except Changed as error:
            return RequeueAfter(error.delay or self._converging)
        except ProviderError as error:
            if not error.quiet:
                await self._writes.status(obj, statuses.of_error(obj, error, self._clock.now()))
                self._events.event(obj, "Warning", error.reason, str(error))
            return RequeueAfter(min(error.delay or self._converging, self._rest))

    async def _step(self, world: World) -> dt.timedelta | None:
        """Returns when to come again; None waits for news. Raises ProviderError, ApiError."""
        obj, owner, plane = world.obj, world.owner, world.plane
        if obj.deleting:
            return await self._delete(world)
        if owner is None or world.cluster is None or owner.deleting:
            return None  # the MachinePool's controller sets the owner; its coming is watched
        if plane is None or not plane.status.ready or NODE_GROUP_ANNOTATION not in plane.metadata.annotations:
            said = self.around.missing(plane)
            note = Note("WaitingForControlPlane", said, conditions.INFO)
            await self._writes.status(obj, statuses.waiting(obj, note, self._clock.now()))
            return None
        if FINALIZER not in obj.metadata.finalizers:
            await self._writes.finalizers(obj, [*obj.metadata.finalizers, FINALIZER])
            return dt.timedelta(0)
        return await self._keep(obj, owner, plane)

    async def _delete(self, world: World) -> dt.timedelta | None:
        obj = world.obj
        if FINALIZER not in obj.metadata.finalizers:
            return None
        place = self._place(obj, world.plane) if world.plane is not None else None
        may_stay = world.cluster is None or world.cluster.deleting
        progress = await self._deletion.step(obj, place, last_may_stay=may_stay)
        if progress is not None:
            return self._after(progress)
        self._nodes.forget(obj)
        await self._writes.finalizers(obj, [f for f in obj.metadata.finalizers if f != FINALIZER])
        return None

    async def _keep(
        self, obj: AzureManagedMachinePool, owner: MachinePool, plane: AzureManagedControlPlane
    ) -> dt.timedelta:
        """Look, decide, do one thing, and say how it is."""
        place = self._place(obj, plane)
        progress = await self._orders.ask(obj, place)
        pool = await self._orders.look(place)
        if pool is not None and not ownership.is_ours(obj, pool):
            raise NotOwned(f"{place.name} of the AKS cluster {place.cluster.name}", owner=ownership.owner(pool))
        step = decide.decide(await self._picture(obj, owner, plane, place, pool))
        if progress.operation is None and step.action is not None:
            progress = await self._orders.give(obj, place, step.action, last=Last(pool, progress.failure))
            pool = await self._orders.look(place) if progress.failure is None else pool
        await self._follow(obj, owner, pool)
        status = statuses.of_pool(obj, pool, notes=step.notes, progress=progress, now=self._clock.now())
        await self._report(obj, place, plane, status)
        if pool is None or pool.busy or progress.operation is not None or step.action is not None:
            return self._after(progress)
        self._orders.forget(obj.key)
        return self._rest

    def _place(self, obj: AzureManagedMachinePool, plane: AzureManagedControlPlane) -> PoolPlace:
        return places.of_cluster(plane, self._identities).pool(places.pool_name(obj))

    def _after(self, progress: Progress) -> dt.timedelta:
        """When to come again while something is under way, or is held up."""
        if progress.failure is not None:
            return min(progress.failure.delay or self._converging, self._rest)
        return max(progress.again or self._converging, self._converging)

    async def _picture(
        self,
        obj: AzureManagedMachinePool,
        owner: MachinePool,
        plane: AzureManagedControlPlane,
        place: PoolPlace,
        pool: Pool | None,
    ) -> Picture:
        settled = pool is not None and not pool.busy
        newest, last = "", False
        if settled and decide.asks_for_image(obj):
            newest = await self._aks.newest_image(place)
        if pool is not None and settled and decide.asks_for_others(obj, pool):
            last = decide.is_last_system(await self._aks.pools(place.cluster), place.name)
        elsewhere = obj.spec.scaling is None and is_externally_scaled(owner) and not scaling.is_marked(obj)
        replicas = 1 if owner.spec.replicas is None else owner.spec.replicas
        return Picture(
            obj=obj,
            pool=pool,
            replicas=None if elsewhere and pool is not None else replicas,
            version=owner.spec.template.spec.version.removeprefix("v"),
            auto_version=plane.status.auto_upgrade_version.removeprefix("v"),
            plane_version=plane.status.version.removeprefix("v"),
            subnet=plane.metadata.annotations.get(SUBNET_ANNOTATION, ""),
            gone=scaling.gone_tags(obj),
            newest_image=newest,
            last_system=last,
        )

    async def _follow(self, obj: AzureManagedMachinePool, owner: MachinePool, pool: Pool | None) -> None:
        """Who scales is said on the MachinePool, and where it is not the MachinePool its number follows."""
        await self._writes.managed_by(obj, owner, scaling.decide(obj, owner))
        scaled = obj.spec.scaling is not None or is_externally_scaled(owner)
        if pool is not None and scaled and not scaling.is_leaving(obj) and owner.spec.replicas != pool.count:
            await self._writes.replicas(owner, pool.count)
        if pool is not None and pool.state == "Succeeded":
            await self._writes.tags(obj, scaling.settled_tags(obj, pool.properties.get("tags") or {}))

    async def _report(
        self, obj: AzureManagedMachinePool, place: PoolPlace, plane: AzureManagedControlPlane, status: Raw
    ) -> None:
        """Write the status, and which nodes there are."""
        found = await self._nodes.of(obj, place, plane.metadata.annotations[NODE_GROUP_ANNOTATION])
        if found is not None:
            status = {**status, "replicas": len(found)}
            await self._writes.provider_ids(obj, found)
        await self._writes.status(obj, status)
