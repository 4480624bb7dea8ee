"""The reconciler of any pool kind: observe the group and its nodes, decide, apply, and say in the status how it is.

Runs in a `runtime.Controller` made by `sdk.setup`. Knows clouds only through `PoolProvider`. Level-triggered: every
pass begins from what is there, so it may die at any await.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

from capipool.api.core import Cluster, MachinePool
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.clock import Clock
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Object, Raw
from capipool.machinery.resource import ObjectKey
from capipool.runtime import reconcile
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import engine, inputs, observe
from capipool.sdk.apply import Applier, Outcome
from capipool.sdk.engine.crowd import outdated
from capipool.sdk.engine.plan import Plan, Wait
from capipool.sdk.engine.strategy import allowance
from capipool.sdk.errors import GroupChanged, InstanceGroupNotFound, InvalidConfiguration, NotOwned, ProviderError
from capipool.sdk.inputs import Found, Inputs
from capipool.sdk.machines import plan as machine_plans
from capipool.sdk.machines.apply import Keeper
from capipool.sdk.machines.census import Census
from capipool.sdk.observe import World
from capipool.sdk.provider import DescribesMachines, Group, Pool, PoolProvider, PushesChanges
from capipool.sdk.report import Report
from capipool.workload.connections import Connections

ObjectT = TypeVar("ObjectT", bound=Object)

PATIENCE = dt.timedelta(seconds=2)
"""A new object that waits for its cluster or its bootstrap data is given so long before its status says so: most waits
are over by then, and a pool costs a write less."""
_SOON = dt.timedelta(milliseconds=200)
_TAKEN = dt.timedelta(minutes=1)
"""How often a name that somebody else's object has is looked at: nothing tells of objects that are no pool's."""


class PoolReconciler(Generic[ObjectT]):
    """Reconciles the pool objects of one provider."""

    def __init__(self, provider: PoolProvider[ObjectT], manager: Manager, connections: Connections) -> None:
        self._provider = provider
        self._client: Client = manager.client
        self._clock: Clock = manager.clock
        self._events = manager.events
        self._connections = connections
        self.inputs = Inputs(provider, manager.client, manager.caches)
        self.objects = manager.caches.of(provider.kind)
        self._applier = Applier(provider, manager.client, manager.caches, manager.events)
        self.machines: Keeper | None = None
        """Keeps the objects that stand for instances, where the provider shows them so."""
        if isinstance(provider, DescribesMachines):
            self.machines = Keeper(provider, manager.client, manager.caches)
        self.pools_of_instances: dict[tuple[ObjectKey, str], ObjectKey] = {}
        """Which pool an instance belongs to, by cluster and provider ID: how a change of a node finds its pool."""
        self._instances_of_pools: dict[ObjectKey, frozenset[tuple[ObjectKey, str]]] = {}
        self._outrun: set[ObjectKey] = set()
        """Pools whose last pass found the group changed by somebody else."""

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one pool. Raises ApiError where only backoff helps."""
        obj = self.objects.get(key)
        if obj is None:
            self._forget(key)
            return reconcile.DONE
        owner = self.inputs.owner(obj)
        cluster = self.inputs.cluster(obj, owner)
        if obj.deleting:
            return await self._delete(obj, owner, cluster)
        if owner is None or cluster is None or owner.deleting:
            return reconcile.DONE  # the MachinePool's controller sets the owner; its coming is watched
        pool = Pool(obj, owner, cluster)
        if inputs.is_paused(obj, cluster):
            await self._report(pool, self._blank(obj, paused=True))
            return reconcile.DONE
        return await self._live(pool)

    # --- a pool that is wanted

    async def _live(self, pool: Pool[ObjectT]) -> Result:
        try:
            found = await self.inputs.find(pool)
            if isinstance(found, Wait):
                return await self._wait(pool, found)
            if self._provider.finalizer not in pool.object.metadata.finalizers:
                await self._set_finalizer(pool.object, present=True)
            world, new = await self._observe(found)
        except ProviderError as error:
            await self._report(pool, self._blank(pool.object, waits=(_wait_for(error),)))
            return self._after(pool, error)
        plan = engine.decide(world.picture)
        outcome = await self._applier.apply(world, plan)
        await self._follow_desired(world)
        await self._write_provider_ids(world)
        await self._keep_machines(world, outcome)
        if new and plan.waits and isinstance(self._provider, PushesChanges) and not outcome.failures:
            return self._next(pool, world, plan, outcome)  # its instances are announced in a moment: one write for both
        await self._report(pool, self._summarise(world, plan, outcome))
        return self._next(pool, world, plan, outcome)

    async def _wait(self, pool: Pool[ObjectT], wait: Wait) -> Result:
        """Nothing can be done yet. What is waited for is watched."""
        created = pool.object.metadata.creation_timestamp
        age = self._clock.now() - created if created is not None else PATIENCE
        if age < PATIENCE and not _conditions(pool.object):
            return RequeueAfter(PATIENCE - age)
        await self._report(pool, self._blank(pool.object, waits=(wait,)))
        return reconcile.DONE

    async def _observe(self, found: Found[ObjectT]) -> tuple[World[ObjectT], bool]:
        """Look at the group, see to its being there and its template, and join it with the nodes.

        Also returns whether the group was made just now.
        """
        pool = found.pool
        strategy = self._strategy(pool)
        seen = await self._look(pool)
        wanted = engine.Picture(
            now=self._clock.now(),
            replicas=1 if pool.machine_pool.spec.replicas is None else pool.machine_pool.spec.replicas,
            desired=0,
            revision="",
            strategy=strategy,
        ).wanted
        if seen is None or not seen.operation:
            await self._provider.ensure(pool, found.launch, replicas=wanted, seen=seen)
        group = seen if seen is not None else await self._provider.observe(pool)
        self._remember(pool.key, pool.cluster.key, [i.provider_id for i in group.instances])
        return self._world(found, group, strategy), seen is None

    def _world(self, found: Found[ObjectT], group: Group, strategy: engine.Strategy) -> World[ObjectT]:
        census = self.machines.take(found.pool, group) if self.machines is not None else Census()
        return observe.world(found, group, strategy, self._connections, census=census, now=self._clock.now())

    def _strategy(self, pool: Pool[ObjectT]) -> engine.Strategy:
        """The provider's, which can be counted with. Raises InvalidConfiguration."""
        strategy = self._provider.strategy(pool)
        try:
            allowance(strategy, 1)
        except ValueError as error:
            raise InvalidConfiguration("maxSurge or maxUnavailable", detail=str(error)) from error
        return strategy

    async def _look(self, pool: Pool[ObjectT]) -> Group | None:
        try:
            return await self._provider.observe(pool)
        except InstanceGroupNotFound:
            return None

    def _next(self, pool: Pool[ObjectT], world: World[ObjectT], plan: Plan, outcome: Outcome) -> Result:
        """When to come again: at once after a failure that says so, else when something can have changed."""
        if failed := [*outcome.failures, *outcome.unkept]:
            return self._after(pool, failed[0])
        self._outrun.discard(pool.key)
        if world.group.problem is not None:
            outcome.again(world.group.problem.delay)
        if plan.recheck is not None:
            outcome.again(max(plan.recheck - world.picture.now, dt.timedelta(milliseconds=1)))
        busy = outcome.acted or not plan.idle or bool(outcome.waits)
        intervals = self._provider.intervals
        outcome.again(intervals.converging if busy else intervals.rest)
        return reconcile.DONE if outcome.retry_after is None else RequeueAfter(outcome.retry_after)

    def _after(self, pool: Pool[ObjectT], error: Exception) -> Result:
        """Come again when the error says, or raise it for the runtime's backoff."""
        if isinstance(error, GroupChanged):
            return self._after_change(pool.key)
        if not isinstance(error, ProviderError):
            raise error
        if error.delay is None:
            raise _unavailable(error) from error
        if not error.quiet:
            self._events.event(pool.object, "Warning", error.reason, str(error))
        return RequeueAfter(error.delay)

    def _after_change(self, key: ObjectKey) -> Result:
        """Soon, for most races are over by then; one that is not costs calls like anything that converges."""
        again, converging = key in self._outrun, self._provider.intervals.converging
        self._outrun.add(key)
        return RequeueAfter(converging if again and converging is not None else _SOON)

    async def _follow_desired(self, world: World[ObjectT]) -> None:
        """Where somebody else scales, the MachinePool's number follows the cloud's."""
        machine_pool = world.found.pool.machine_pool
        if not world.picture.externally_scaled or machine_pool.spec.replicas == world.group.desired:
            return
        patch = {"spec": {"replicas": world.group.desired}}
        meta = machine_pool.metadata
        await self._client.patch(MachinePool, meta.name, meta.namespace, patch=patch)

    async def _keep_machines(self, world: World[ObjectT], outcome: Outcome) -> None:
        """Have an object for each instance, where the provider shows them so."""
        if self.machines is None:
            return
        facts = machine_plans.Facts(
            pool=world.found.pool,
            instances=world.group.instances,
            nodes=world.nodes,
            outdated=frozenset(m.id for m in outdated(world.picture)),
            census=world.census,
            now=world.picture.now,
            ended=frozenset(outcome.ended),
        )
        outcome.unkept += await self.machines.keep(facts)
        outcome.waits += [_taken(self.machines, name) for name in world.census.taken]
        outcome.again(_TAKEN if world.census.taken else None)

    # --- the end of a pool

    async def _delete(self, obj: ObjectT, owner: MachinePool | None, cluster: Cluster | None) -> Result:
        """Drain where that is wanted and possible, delete the group, and let the object go when it is gone."""
        if self._provider.finalizer not in obj.metadata.finalizers:
            return reconcile.DONE
        if cluster is not None and inputs.is_paused(obj, cluster):
            return reconcile.DONE
        if owner is not None and cluster is not None and not cluster.deleting:
            draining = await self._drain(Pool(obj, owner, cluster))
            if draining is not None:
                return draining
        try:
            await self._provider.delete(obj)
        except (InstanceGroupNotFound, NotOwned):
            if self.machines is not None:
                await self.machines.clear(obj)
            await self._set_finalizer(obj, present=False)
            self._forget(obj.key)
            return reconcile.DONE
        except ProviderError as error:
            await self._report_deletion(obj, str(error))
            if error.delay is None:
                raise _unavailable(error) from error
            return RequeueAfter(error.delay)
        await self._report_deletion(obj, "the cloud is deleting the instance group")
        return RequeueAfter(self._provider.intervals.converging or _SOON)

    async def _drain(self, pool: Pool[ObjectT]) -> Result | None:
        """Drain all nodes before the group goes; None when there is nothing (more) to drain."""
        try:
            strategy = self._strategy(pool)
            group = await self._look(pool) if strategy.drain_on_delete and strategy.drain else None
            if group is None or self._connections.get(pool.cluster.key) is None:
                return None
            found = await self.inputs.find(pool)
        except ProviderError:
            return None  # deleting says what is wrong, and may still work
        if isinstance(found, Wait):
            return None
        outcome = await self._applier.drain_all(self._world(found, group, strategy))
        if outcome.failures:
            raise outcome.failures[0]
        if not outcome.waits:
            return None
        await self._report_deletion(pool.object, "; ".join(w.message for w in outcome.waits))
        return RequeueAfter(outcome.retry_after or _SOON)

    async def _set_finalizer(self, obj: ObjectT, *, present: bool) -> None:
        """Guarded by the version that was read: finalizers are replaced as a whole."""
        others = [f for f in obj.metadata.finalizers if f != self._provider.finalizer]
        wanted = [*others, self._provider.finalizer] if present else others
        patch = {"metadata": {"finalizers": wanted}}
        try:
            await self._client.patch(
                self._provider.kind,
                obj.metadata.name,
                obj.metadata.namespace,
                patch=patch,
                resource_version=obj.metadata.resource_version,
            )
        except errors.NotFound:
            if present:
                raise

    # --- what is written

    async def _write_provider_ids(self, world: World[ObjectT]) -> None:
        """Say which instances there are; those that failed or go are no machines any more.

        One that the cloud holds is: Cluster API deletes the node of one that is not listed, and it is to be drained.
        """
        obj = world.found.pool.object
        there = (engine.InstanceState.PENDING, engine.InstanceState.RUNNING)
        wanted = sorted(i.provider_id for i in world.group.instances if i.state in there or i.held)
        spec: Any = obj.spec  # type: ignore[attr-defined]
        if wanted == sorted(spec.provider_id_list):
            return
        patch = {"spec": {"providerIDList": wanted}}
        await self._client.patch(self._provider.kind, obj.metadata.name, obj.metadata.namespace, patch=patch)

    def _summarise(self, world: World[ObjectT], plan: Plan, outcome: Outcome) -> Report:
        failures = [_wait_for(error) for error in outcome.failures]
        failures += [Wait("MachineObjectFailed", str(error)) for error in outcome.unkept]
        problem = [_wait_for(world.group.problem)] if world.group.problem is not None and plan.waits else []
        rollout = [Wait("RollingOut", world.group.rollout)] if world.group.rollout else []
        return self._blank(
            world.found.pool.object,
            group=world.group,
            nodes=world.instance_nodes(),
            waits=(*failures, *problem, *outcome.waits, *plan.waits, *rollout),
            outdated=len(outdated(world.picture)),
        )

    def _blank(self, obj: ObjectT, **fields: Any) -> Report:
        status: Any = obj.status  # type: ignore[attr-defined]
        return Report(
            now=self._clock.now(),
            generation=obj.metadata.generation,
            before=_conditions(obj),
            was_provisioned=bool(status.initialization.provisioned) if hasattr(status, "initialization") else False,
            **fields,
        )

    async def _report_deletion(self, obj: ObjectT, message: str) -> None:
        report = self._blank(obj, deleting=message)
        await self._write_status(obj, self._provider.deletion_status(obj, report))

    async def _report(self, pool: Pool[ObjectT], report: Report) -> None:
        await self._write_status(pool.object, self._provider.status(pool, report))

    async def _write_status(self, obj: ObjectT, status: Raw) -> None:
        """Write what differs, in one call, and nothing when nothing does."""
        patch = machine_plans.status_difference(obj, status)
        if patch is None:
            return
        try:
            await self._client.patch(
                self._provider.kind,
                obj.metadata.name,
                obj.metadata.namespace,
                patch={"status": patch},
                subresource="status",
            )
        except errors.NotFound:
            return  # it went meanwhile, and takes its status along

    def _forget(self, key: ObjectKey) -> None:
        """The pool is gone."""
        self._remember(key, None, ())
        self._outrun.discard(key)
        if self.machines is not None:
            self.machines.forget(key)

    def _remember(self, key: ObjectKey, cluster: ObjectKey | None, provider_ids: Sequence[str]) -> None:
        """Note whose instances these are."""
        now = frozenset((cluster, id) for id in provider_ids) if cluster is not None else frozenset()
        before = self._instances_of_pools.get(key, frozenset())
        if now == before:
            return
        for gone in before - now:
            self.pools_of_instances.pop(gone, None)
        self.pools_of_instances.update(dict.fromkeys(now, key))
        if now:
            self._instances_of_pools[key] = now
        else:
            self._instances_of_pools.pop(key, None)


def _conditions(obj: Object) -> Sequence[Condition]:
    status: Any = obj.status  # type: ignore[attr-defined]
    return tuple(c for c in status.conditions if isinstance(c, Condition))


def _taken(machines: Keeper, name: str) -> Wait:
    kind = machines.records.resource.kind
    said = f"{kind} {name} exists already and is not this pool's: delete it, so that its instance is shown as a Machine"
    return Wait("MachineObjectNotOwned", said)


def _unavailable(error: ProviderError) -> errors.ApiError:
    """What the runtime retries with backoff, and logs in a line: a failure that is foreseen needs no traceback."""
    return errors.ServiceUnavailable(str(error))


def _wait_for(error: Exception) -> Wait:
    reason = error.reason if isinstance(error, ProviderError) else "WorkloadClusterFailed"
    return Wait(reason, str(error))
