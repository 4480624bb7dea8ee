"""AzureMachinePool as a provider for the pool engine: a virtual machine scale set, by Azure's own calls."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import Collection
from typing import ClassVar

from capipool.api.constants import Label
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure import failures, ids
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.operations import DELETE, PATCH, POST, Operation
from capipool.providers.azure.pools import machines, marks, rollouts, statuses
from capipool.providers.azure.pools.finding import PLACE, Finding
from capipool.providers.azure.pools.inventory import Inventory
from capipool.providers.azure.pools.model import content
from capipool.providers.azure.pools.pending import Pending
from capipool.providers.azure.pools.place import Place, is_flexible
from capipool.providers.azure.pools.roles import Roles
from capipool.providers.azure.pools.scalesets import ScaleSets
from capipool.providers.azure.pools.seen import Seen
from capipool.providers.azure.pools.setbacks import Setbacks
from capipool.providers.azure.pools.writing import Context, Writer
from capipool.runtime.manager import Manager
from capipool.sdk import (
    Group,
    GroupChanged,
    InstanceGroupNotFound,
    InstanceState,
    Intervals,
    InvalidConfiguration,
    Launch,
    NotOwned,
    OperationInProgress,
    Pool,
    PoolProvider,
    ProviderError,
    Report,
    RolloutMode,
    Strategy,
    inputs,
)

NUDGE = dt.timedelta(minutes=1)
"""How long Azure is given to launch what is missing."""
SERVICE = "scalesets"
"""What upstream calls the part that begins operations on scale sets."""
_LIVE = (InstanceState.PENDING, InstanceState.RUNNING, InstanceState.FAILED)


class AzurePoolProvider(machines.Described, PoolProvider[AzureMachinePool]):
    """Pools as virtual machine scale sets, Uniform and Flexible."""

    kind: ClassVar = AzureMachinePool
    finalizer: ClassVar = "machinepool.cluster.x-k8s.io"
    intervals = Intervals(converging=dt.timedelta(seconds=10), rest=dt.timedelta(minutes=1))

    def __init__(
        self, manager: Manager, calls: Calls, identities: Identities, *, intervals: Intervals | None = None
    ) -> None:
        """`intervals`: how often Azure is asked, if not as usual."""
        if intervals is not None:
            self.intervals = intervals
        self._client = manager.client
        self._clock = manager.clock
        self._finding = Finding(manager.caches, identities)
        self._sets = ScaleSets(calls)
        self._inventory = Inventory(self._sets)
        self._pending = Pending(manager.client)
        self._setbacks = Setbacks()
        self._role_setbacks = Setbacks()
        self._nudged: dict[ObjectKey, dt.datetime] = {}
        self._roles = Roles(calls, manager.client)
        self._writer = Writer(manager, calls, self._sets, self._pending, self._setbacks)

    # --- what the specs say

    def launch_content(self, pool: Pool[AzureMachinePool]) -> Raw:
        """The model of the scale set, normalised, with images and sizes as the spec names them."""
        return content(self._finding.scope(pool))

    def strategy(self, pool: Pool[AzureMachinePool]) -> Strategy:
        """Upstream's rolling update, or what the annotation says. Nodes are drained before a pool goes."""
        return rollouts.strategy(pool.object)

    # --- looking

    async def observe(self, pool: Pool[AzureMachinePool]) -> Group:
        """The scale set and its instances. Operations that were begun are asked for first."""
        place = self._finding.place(pool)
        await self._follow(pool.object, place)
        cluster, at_rest = pool.cluster.metadata.name, self._inventory.at_rest(pool)
        began = asyncio.get_running_loop().time()
        group = await self._picture(pool, place, await self._owned(pool.object, place, cluster, at_rest=at_rest))
        if at_rest and not self._inventory.at_rest(pool) and not self._inventory.listed_since(place, began):
            # The list was older than the instances: of such a one only rest is believed.
            group = await self._picture(pool, place, await self._owned(pool.object, place, cluster))
        return group

    async def _follow(self, obj: AzureMachinePool, place: Place) -> None:
        """Ask for the operations of a pool; what failed is remembered with its reason."""
        now = self._clock.now()
        for operation in self._pending.of(obj):
            if not self._pending.is_due(obj, operation, now):
                continue
            progress = await self._sets.ask(place, operation)
            if progress.running:
                if progress.again is not None:
                    self._pending.put_off(obj, operation, now + progress.again)
                continue
            if operation.type != POST or not operation.wanted:
                self._pending.drop(obj, operation)
            self._inventory.forget(place)
            if progress.error is not None:
                self._setbacks.note(obj.key, progress.error, about=operation.revision or operation.type, now=now)
            elif operation.type != POST:
                self._setbacks.forget(obj.key)

    async def _picture(self, pool: Pool[AzureMachinePool], place: Place, raw: Raw) -> Group:
        obj = pool.object
        native = rollouts.mode(obj) is RolloutMode.NATIVE
        listed = await self._sets.instances(place, flexible=is_flexible(obj) and not native)
        seen = Seen(raw, tuple(listed), native=native, going=self._going(obj))
        those = seen.instances(flexible=is_flexible(obj))
        live = [i for i in those if i.state in _LIVE]
        outdated = any(i.revision != seen.history.current for i in live)
        rolling = await self._sets.rolling(place) if native and outdated else {}
        desired, now = max(seen.capacity, self._promised(obj)), self._clock.now()
        if len(live) == desired and not outdated and all(i.state is InstanceState.RUNNING for i in live):
            self._setbacks.settle(obj.key, now=now)
        group = Group(
            desired=desired,
            revision=seen.history.current,
            instances=those,
            operation=self._operation(obj, seen, rolling),
            problem=self._setbacks.current(obj.key, now) or self._role_setbacks.current(obj.key, now),
            rollout=rollouts.describe(rolling),
            native=seen,
        )
        self._inventory.note(pool, group)
        return group

    def _going(self, obj: AzureMachinePool) -> frozenset[str]:
        """Instances that Azure took on to delete."""
        return frozenset(id for o in self._pending.of(obj) if o.type == POST and o.path for id in o.ids)

    def _promised(self, obj: AzureMachinePool) -> int:
        """The capacity to come back to, after instances were deleted that are to be replaced."""
        return max((o.wanted for o in self._pending.of(obj) if o.type == POST), default=0)

    def _operation(self, obj: AzureMachinePool, seen: Seen, rolling: Raw) -> str:
        """What Azure does with the scale set as a whole. Its own rolling leaves room for other things."""
        if seen.state == "Deleting":
            return "deletion"
        if rollouts.is_running(rolling):
            return ""
        pending = self._pending.of(obj)
        whole = next((o for o in pending if o.about_all and o.path and (o.revision or o.type == DELETE)), None)
        if whole is not None:
            return "an update" if whole.type != DELETE else "deletion"
        if seen.state in ("Creating", "Updating", "Migrating") and not pending:
            return "creation" if seen.state == "Creating" else "an update"
        return ""

    async def _owned(self, obj: AzureMachinePool, place: Place, cluster: str, *, at_rest: bool = False) -> Raw:
        """The pool's own scale set. Raises InstanceGroupNotFound, NotOwned."""
        raw = await self._inventory.get(place, at_rest=at_rest)
        if raw is None:
            raise InstanceGroupNotFound(place.id.name)
        tags = raw.get("tags") or {}
        if not marks.is_ours(tags, cluster=cluster, key=str(obj.key)):
            raise NotOwned(place.id.name, owner=marks.owner(tags))
        return raw

    # --- how the scale set is to be

    async def ensure(self, pool: Pool[AzureMachinePool], launch: Launch, *, replicas: int, seen: Group | None) -> None:
        """Make the scale set, or give it what differs: its model, a fresh token, its policy, its tags, its roles."""
        context = self._context(pool, launch, anew=seen is None)
        place = context.place
        if seen is None:
            await self._annotate(pool.object, {PLACE: str(place.id)})
            try:
                await self._writer.create(context, replicas)
            except failures.Changed:
                raise GroupChanged(place.id.name, "it exists already") from None
            finally:
                self._inventory.forget(place)
            await self._name(pool.object, str(place.id))
            return
        before: Seen = seen.native
        if before.state == "Deleting":
            return
        try:
            await self._writer.update(context, before)
        except failures.Changed as error:
            raise GroupChanged(place.id.name, str(error)) from error
        finally:
            if self._writer.wrote(pool.object):
                self._inventory.forget(place)
        await self._restore(pool, place, before)
        await self._nudge(pool, place, before)
        await self._give_role(pool.object, place, before)
        await self._name(pool.object, str(before.raw["id"]))

    async def _give_role(self, obj: AzureMachinePool, place: Place, seen: Seen) -> None:
        """See to the role of the identity. Where that fails the pool says so, and goes on with everything else."""
        now = self._clock.now()
        if self._role_setbacks.is_held(obj.key, now=now):
            return
        try:
            await self._roles.ensure(obj, place, seen.raw)
        except ProviderError as error:
            self._role_setbacks.note(obj.key, error, about="role", now=now)
        else:
            self._role_setbacks.forget(obj.key)

    async def _name(self, obj: AzureMachinePool, resource_id: str) -> None:
        """Say which scale set it is. Azure answers in any letter case: the same one stays as it was said first."""
        if not ids.same(obj.spec.provider_id, resource_id):
            await self._patch(obj, {"spec": {"providerID": ids.provider_id(resource_id)}})

    async def _restore(self, pool: Pool[AzureMachinePool], place: Place, seen: Seen) -> None:
        """Put back the capacity that fell with instances which are to be replaced."""
        for operation in self._pending.of(pool.object):
            if operation.type != POST or not operation.wanted:
                continue
            live = {i.id for i in seen.instances(flexible=is_flexible(pool.object)) if i.state in _LIVE}
            if seen.capacity >= operation.wanted:
                if not operation.path or not live & set(operation.ids):
                    self._pending.drop(pool.object, operation)
            elif not self._busy(pool.object):
                await self._resize(pool, place, operation.wanted, seen)

    async def _nudge(self, pool: Pool[AzureMachinePool], place: Place, seen: Seen) -> None:
        """Say the capacity once more where instances are missing: Azure tries once to launch, and then lets it be."""
        obj, now = pool.object, self._clock.now()
        live = sum(i.state in _LIVE for i in seen.instances(flexible=is_flexible(obj)))
        idle = seen.state in ("Succeeded", "Failed", "Canceled") and not self._pending.of(obj)
        if live >= seen.capacity or not idle or inputs.is_externally_scaled(pool.machine_pool):
            return
        if self._setbacks.is_held(obj.key, now=now) or now < self._nudged.get(obj.key, now):
            return
        self._nudged[obj.key] = now + NUDGE
        await self._resize(pool, place, seen.capacity, seen)

    # --- instances

    async def set_desired(self, pool: Pool[AzureMachinePool], desired: int, *, seen: Group) -> None:
        """Set the capacity, unless that would need a victim, or more was refused just now."""
        place = self._finding.place(pool)
        now = await self._now(pool, place)
        live = sum(i.state in _LIVE for i in now.instances(flexible=is_flexible(pool.object)))
        if live > desired:
            raise GroupChanged(place.id.name, f"it has {live} instances, more than {desired}")
        if now.capacity == desired and (live == desired or self._busy(pool.object)):
            return
        self._wait_for_others(pool.object, place)
        if desired > live:
            self._setbacks.hold_launches(pool.object.key, now=self._clock.now())
        await self._resize(pool, place, desired, now)

    async def _resize(self, pool: Pool[AzureMachinePool], place: Place, capacity: int, seen: Seen) -> None:
        body: Raw = {"sku": {**seen.sku, "capacity": capacity}}
        about = Operation(type=PATCH, service=SERVICE, group=place.id.group, name=place.id.name, wanted=capacity)
        await self._writer.begin(pool.object, about, lambda: self._sets.patch(place, body, etag=seen.etag))
        self._inventory.forget(place)

    async def terminate(self, pool: Pool[AzureMachinePool], ids: Collection[str], *, decrement: bool) -> None:
        """Delete instances by name: the capacity falls with them, and is put back where it is to stay.

        What is to be put back is noted before anything is deleted, so that no death in between costs an instance.
        """
        place = self._finding.place(pool)
        now = await self._now(pool, place)
        those = now.instances(flexible=is_flexible(pool.object))
        going = sorted({i.id for i in those if i.state is not InstanceState.TERMINATING} & set(ids))
        if not going:
            return
        self._wait_for_others(pool.object, place)
        wanted = 0 if decrement else max(now.capacity, self._promised(pool.object))
        about = Operation(
            type=POST, service=SERVICE, group=place.id.group, name=place.id.name, wanted=wanted, ids=tuple(going)
        )
        if not decrement:
            await self._pending.add(pool.object, about)
        numbers = now.numbers(going)
        try:
            await self._writer.begin(
                pool.object, about, lambda: self._sets.delete_instances(place, numbers), instead=about
            )
        except InvalidConfiguration as error:
            raise GroupChanged(place.id.name, str(error)) from error  # one of them went meanwhile
        finally:
            self._inventory.forget(place)
        if not decrement:
            await self._resize(pool, place, wanted, await self._now(pool, place))

    async def roll(self, pool: Pool[AzureMachinePool], launch: Launch, *, seen: Group) -> None:
        """Have Azure bring every instance to the model that the scale set has; one that is under way goes on.

        One towards another model was superseded when this one was written.
        """
        place, before = self._finding.place(pool), seen.native
        status = await self._sets.rolling(place)
        if before.history.current != launch.revision or rollouts.is_running(status) or self._busy(pool.object):
            return
        now = self._clock.now()
        key, title = pool.object.key, f"rolling to {launch.revision}"
        if (error := rollouts.fault(status)) is not None:
            started = str((status.get("runningStatus") or {}).get("startTime"))
            self._setbacks.note_once(key, error, about=title, mark=started, now=now)
        self._setbacks.hold(key, about=title, now=now)
        about = Operation(
            type=POST, service=SERVICE, group=place.id.group, name=place.id.name, revision=launch.revision
        )
        await self._writer.begin(pool.object, about, lambda: self._sets.roll(place))
        self._inventory.forget(place)

    # --- the end

    async def delete(self, obj: AzureMachinePool) -> None:
        """Delete the roles, then the scale set with its instances. An update that is under way does not hold it up."""
        place = self._finding.of_object(obj)
        if place is None:
            raise InstanceGroupNotFound(obj.metadata.name)  # it was never made: its place is noted before
        await self._roles.delete(obj, place)
        for operation in self._pending.of(obj):
            if operation.type == DELETE:
                await self._follow(obj, place)
        raw = await self._owned(obj, place, obj.metadata.labels.get(Label.CLUSTER_NAME, ""))
        if (raw.get("properties") or {}).get("provisioningState") == "Deleting" or self._is_deleting(obj):
            return
        self._setbacks.hold(obj.key, about=DELETE, now=self._clock.now())
        about = Operation(type=DELETE, service=SERVICE, group=place.id.group, name=place.id.name)
        await self._writer.begin(obj, about, lambda: self._sets.delete(place))
        self._inventory.forget(place)

    def _is_deleting(self, obj: AzureMachinePool) -> bool:
        return any(o.type == DELETE for o in self._pending.of(obj))

    def gone(self, obj: AzureMachinePool) -> None:
        """The object is gone, whoever let it go: nothing is remembered of it."""
        self._pending.forget(obj)
        self._setbacks.drop(obj.key)
        self._role_setbacks.drop(obj.key)
        self._nudged.pop(obj.key, None)
        self._inventory.drop(obj.key, self._finding.noted(obj))
        self._roles.forget(obj)
        self._writer.forget(obj)

    # --- what is written, and where

    def status(self, pool: Pool[AzureMachinePool], report: Report) -> Raw:
        """The status by the contract of v1beta1, as upstream writes it."""
        made = statuses.status(pool, report, kind=self.machine_kind.RESOURCE.kind)
        return made | {"longRunningOperationStates": self._pending.raw(pool.object)}

    def deletion_status(self, obj: AzureMachinePool, report: Report) -> Raw:
        """The same while the pool goes."""
        return statuses.deletion(obj, report) | {"longRunningOperationStates": self._pending.raw(obj)}

    async def _now(self, pool: Pool[AzureMachinePool], place: Place) -> Seen:
        """The scale set as it is at this moment."""
        raw = await self._owned(pool.object, place, pool.cluster.metadata.name)
        native = rollouts.mode(pool.object) is RolloutMode.NATIVE
        listed = await self._sets.instances(place, flexible=is_flexible(pool.object))
        return Seen(raw, tuple(listed), native=native, going=self._going(pool.object))

    def _busy(self, obj: AzureMachinePool) -> bool:
        return any(o.about_all and o.path for o in self._pending.of(obj))

    def _wait_for_others(self, obj: AzureMachinePool, place: Place) -> None:
        """Nothing is asked of a scale set while it takes on another model: the newer order would undo the older."""
        whole = next((o for o in self._pending.of(obj) if o.about_all and o.path and o.revision), None)
        if whole is not None and rollouts.mode(obj) is not RolloutMode.NATIVE:
            again = self.intervals.converging or dt.timedelta(seconds=10)
            raise OperationInProgress(place.id.name, "an update", again=again)

    def _context(self, pool: Pool[AzureMachinePool], launch: Launch, *, anew: bool) -> Context:
        return Context(pool, launch, self._finding.place(pool, anew=anew), self._finding.scope(pool))

    async def _annotate(self, obj: AzureMachinePool, annotations: dict[str, str]) -> None:
        if any(obj.metadata.annotations.get(key) != value for key, value in annotations.items()):
            await self._patch(obj, {"metadata": {"annotations": annotations}})

    async def _patch(self, obj: AzureMachinePool, patch: Raw) -> None:
        await self._client.patch(AzureMachinePool, obj.metadata.name, obj.metadata.namespace, patch=patch)
