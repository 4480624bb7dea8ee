"""Carries a plan out: desired number first, then who is spared, then who goes, each as far as it is ready to go.

One action that fails does not hold up the others: a cloud without room for more must not keep failed instances from
being replaced. What failed is raised at the end.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from capipool.api.core import MachineDrainRule
from capipool.client.client import Client
from capipool.machinery.errors import ApiError
from capipool.runtime.cache import Caches
from capipool.runtime.events import EventRecorder
from capipool.sdk import removal
from capipool.sdk.engine.picture import InstanceState
from capipool.sdk.engine.plan import Cause, Plan, Removal, Wait
from capipool.sdk.engine.strategy import RolloutMode
from capipool.sdk.errors import ProviderError
from capipool.sdk.machines import leaving
from capipool.sdk.observe import World
from capipool.sdk.provider import HoldsTerminations, PoolProvider, ProtectsInstances, RollsNatively
from capipool.workload import drain


@dataclass(slots=True)
class Outcome:
    """What came of a plan."""

    acted: bool = False
    """Whether the cloud was told something: look again soon."""
    waits: list[Wait] = field(default_factory=list)
    retry_after: dt.timedelta | None = None
    failures: list[Exception] = field(default_factory=list)
    unkept: list[Exception] = field(default_factory=list)
    """What failed about the objects that stand for instances."""
    ended: set[str] = field(default_factory=set)
    """Instances whose termination was ordered."""

    def again(self, delay: dt.timedelta | None) -> None:
        """Look again after so long, unless it is sooner already."""
        if delay is not None:
            self.retry_after = delay if self.retry_after is None else min(self.retry_after, delay)


class Applier:
    """Acts on the cloud through a provider, and on the nodes through the workload cluster's API."""

    def __init__(self, provider: PoolProvider[Any], client: Client, caches: Caches, events: EventRecorder) -> None:
        self._provider = provider
        self._client = client
        self._rules = caches.of(MachineDrainRule)
        self._events = events

    async def apply(self, world: World[Any], plan: Plan) -> Outcome:
        """Carry out one step. Safe to repeat, and to be cut off anywhere."""
        outcome = Outcome()
        if plan.desired is not None:
            outcome.acted = True
            await self._try(outcome, self._set_desired, world, plan.desired)
        for id in plan.spare:
            await self._try(outcome, self._spare, world, id)
        await self._remove(world, plan, outcome)
        if not world.group.operation:
            outcome.acted |= await self._try(outcome, self._roll, world)
        return outcome

    async def drain_all(self, world: World[Any]) -> Outcome:
        """Take one step to drain every node of a pool that is being deleted."""
        outcome = Outcome()
        for instance in world.group.instances:
            await self._try(outcome, self._drained, world, Removal(instance.id, Cause.DELETION), outcome)
        return outcome

    async def _try(self, outcome: Outcome, action: Any, *arguments: Any) -> bool:
        """Do one thing; a failure that is foreseen is kept for later. Returns whether the action said True."""
        try:
            return bool(await action(*arguments))
        except (ProviderError, ApiError, drain.DrainError) as error:
            outcome.failures.append(error)
            return False

    async def _set_desired(self, world: World[Any], desired: int) -> None:
        """Set the number. While it falls, everything that is there is protected, where the cloud can do that."""
        provider, pool = self._provider, world.found.pool
        if desired >= world.group.desired or not isinstance(provider, ProtectsInstances):
            await provider.set_desired(pool, desired, seen=world.group)
            return
        live = [i.id for i in world.group.instances if i.state is not InstanceState.TERMINATING and not i.protected]
        await provider.protect(pool, live, protected=True)
        try:
            await provider.set_desired(pool, desired, seen=world.group)
        finally:
            await provider.protect(pool, live, protected=False)

    async def _spare(self, world: World[Any], id: str) -> None:
        machine = world.shown(id).machine
        if machine is not None and world.shown(id).begun:
            await leaving.spare(self._client, machine)
        node = world.nodes.get(id)
        if world.workload is not None and node is not None and (machine is None or removal.since(node) is not None):
            await removal.spare(world.workload, node)

    async def _remove(self, world: World[Any], plan: Plan, outcome: Outcome) -> None:
        """Drain those that go, and terminate all that are ready to: in one call, or in two where some are replaced."""
        going = []
        for planned in plan.removals:
            drained = await self._try(outcome, self._drained, world, planned, outcome)
            if drained and planned.terminate:
                going.append(planned)
        for decrement in (True, False):
            those = [r for r in going if r.decrement is decrement]
            if those:
                outcome.acted = True
                outcome.ended.update(r.id for r in those)
                await self._try(outcome, self._terminate, world, those, decrement)
        await self._release_held(world, outcome)

    async def _terminate(self, world: World[Any], going: list[Removal], decrement: bool) -> None:
        await self._provider.terminate(world.found.pool, [r.id for r in going], decrement=decrement)
        titles = {i.id: i.name or i.id for i in world.group.instances}
        for cause in dict.fromkeys(r.cause for r in going):
            names = ", ".join(titles[r.id] for r in going if r.cause is cause)
            self._events.event(world.found.pool.object, "Normal", "Terminated", f"terminated {names} ({cause.value})")

    async def _drained(self, world: World[Any], planned: Removal, outcome: Outcome) -> bool:
        """Take one step to take an instance out of service; True when nothing is left to wait for."""
        shown = world.shown(planned.id)
        if shown.machine is None and not shown.drained:
            return await self._drained_here(world, planned, outcome)
        strategy, now = world.picture.strategy, world.picture.now
        progress = await leaving.step(self._client, shown, planned.cause, drain=strategy.drain, now=now)
        return _went_on(outcome, progress, "DeletingMachine")

    async def _drained_here(self, world: World[Any], planned: Removal, outcome: Outcome) -> bool:
        """The same for an instance without a Machine: its node is drained."""
        node = world.nodes.get(planned.id)
        if node is None or world.workload is None or not world.picture.strategy.drain:
            return True
        pool = world.found.pool
        template = pool.machine_pool.spec.template
        progress = await removal.step(
            world.workload,
            node,
            planned.cause,
            rules=drain.rules_for(
                self._rules.list(pool.key.namespace), template.metadata.labels, pool.cluster.metadata.labels
            ),
            timeout_seconds=template.spec.deletion.node_drain_timeout_seconds,
            now=world.picture.now,
        )
        return _went_on(outcome, progress, "DrainingNode")

    async def _release_held(self, world: World[Any], outcome: Outcome) -> None:
        """Drain the nodes of instances that the cloud takes back but holds, and let it go on."""
        if not isinstance(self._provider, HoldsTerminations):
            return
        for instance in world.group.instances:
            if instance.held and await self._try(
                outcome, self._drained, world, Removal(instance.id, Cause.INTERRUPTED), outcome
            ):
                outcome.acted = True
                await self._try(outcome, self._provider.release, world.found.pool, instance.id)

    async def _roll(self, world: World[Any]) -> bool:
        """Have the cloud roll, where it is to do that by itself and something is outdated. Whether it is."""
        if world.picture.strategy.mode is not RolloutMode.NATIVE or not isinstance(self._provider, RollsNatively):
            return False
        revision = world.found.launch.revision
        there = [i for i in world.group.instances if i.state is not InstanceState.TERMINATING]
        if all(i.revision in ("", revision) for i in there):
            return False
        await self._provider.roll(world.found.pool, world.found.launch, seen=world.group)
        return True


def _went_on(outcome: Outcome, progress: removal.Progress, reason: str) -> bool:
    """Note what a removal waits for; True where it waits for nothing."""
    if not progress.done:
        outcome.waits.append(Wait(reason, progress.message))
        outcome.again(progress.retry_after)
    return progress.done
