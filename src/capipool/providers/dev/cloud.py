"""The development cloud itself: keeps scaling groups at their number, boots, fails and takes away instances.

Runs as a controller of DevScalingGroups. It knows no MachinePools and no nodes: the pool engine is its customer, and
`kubelets` is what runs on its instances. All it remembers are its objects, so it goes on after a restart.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections import Counter
from collections.abc import Iterable, Sequence

from capipool.machinery import clock, errors
from capipool.machinery.clock import Clock
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev import launching
from capipool.providers.dev.api.cloud import DevInstance, DevScalingGroup, Fault, InstancePhase
from capipool.providers.dev.api.machinepool import Zone
from capipool.runtime import reconcile
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk.engine.picture import InstanceState

SCALE_IN_DELAY = dt.timedelta(seconds=5)
"""How long the cloud leaves a group over its number before it chooses victims itself, as scaling groups are slow to do:
who changed the number may name them within that time."""
RETRY_LAUNCH = dt.timedelta(seconds=5)
"""How often a zone without room is asked again."""
_AT_ONCE = 64


def state(instance: DevInstance, terminating: Iterable[str], now: dt.datetime) -> InstanceState:
    """Where an instance is in its life."""
    if instance.deleting or instance.metadata.name in terminating:
        return InstanceState.TERMINATING
    if instance.status.phase == InstancePhase.FAILED:
        return InstanceState.FAILED
    return InstanceState.RUNNING if clock.parse_time(instance.spec.runs_at) <= now else InstanceState.PENDING


class Cloud:
    """Reconciles scaling groups."""

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self._clock: Clock = manager.clock
        self._rng: random.Random = manager.rng
        self._events = manager.events
        self.groups = manager.caches.of(DevScalingGroup)
        self.instances = manager.caches.of(DevInstance)
        self._over: dict[ObjectKey, dt.datetime] = {}
        """Since when groups have more instances than their number."""

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch groups and instances."""
        controller.watch(self.groups, lambda old, new: [] if new is None or _same(old, new) else [new.key])
        controller.watch(self.instances, _group_of)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Bring one group a step towards its number."""
        group = self.groups.get(key)
        if group is None or group.deleting:
            self._over.pop(key, None)
            return reconcile.DONE
        now = self._clock.now()
        members = self.instances.owned_by(group.metadata.uid)
        await self._take_away(group, members)
        await self._fail(members, now)
        live = [m for m in members if not _goes(m, group)]
        problem = await self._launch(group, live, now)
        if problem != group.status.problem:
            await self._say(group, problem)
        await self._scale_in(group, live, now)
        return self._next(group, live, now, problem)

    async def _take_away(self, group: DevScalingGroup, members: Sequence[DevInstance]) -> None:
        """Delete what was ordered to go, and what somebody has interrupted."""
        going = [m for m in members if _goes(m, group) and not m.deleting]
        for member in going:
            if Fault.INTERRUPT in member.metadata.annotations:
                self._events.event(group, "Normal", "Interrupted", f"the cloud takes {member.metadata.name} back")
        await self._all(self._delete(m) for m in going)

    async def _fail(self, members: Sequence[DevInstance], now: dt.datetime) -> None:
        """Have instances fail at the moment at which they would be up."""
        due = [m for m in members if _fails(m) and m.status.phase != InstancePhase.FAILED and _runs_at(m) <= now]
        await self._all(self._mark_failed(m) for m in due)

    async def _launch(self, group: DevScalingGroup, live: Sequence[DevInstance], now: dt.datetime) -> str:
        """Launch what is missing, evenly over the zones. Returns why that is not possible, if it is not."""
        missing = group.spec.replicas - len(live)
        if missing <= 0:
            return ""
        placed = place(group.spec.zones, Counter(m.spec.zone for m in live), missing, self._rng)
        await self._all(self._client.create(launching.instance(group, zone, now=now, rng=self._rng)) for zone in placed)
        short = missing - len(placed)
        return f"no zone has room for {short} more instance{'' if short == 1 else 's'}" if short else ""

    async def _scale_in(self, group: DevScalingGroup, live: Sequence[DevInstance], now: dt.datetime) -> None:
        """Choose victims like a scaling group: only when nobody has named any for a while; the newest first."""
        surplus = len(live) - group.spec.replicas
        if surplus <= 0:
            self._over.pop(group.key, None)
            return
        since = self._over.setdefault(group.key, now)
        if now - since < SCALE_IN_DELAY:
            return
        newest = sorted(live, key=lambda m: (_runs_at(m), m.metadata.name), reverse=True)[:surplus]
        await self._all(self._delete(m) for m in newest)
        self._over.pop(group.key, None)

    def _next(self, group: DevScalingGroup, live: Sequence[DevInstance], now: dt.datetime, problem: str) -> Result:
        delays = [_runs_at(m) - now for m in live if _fails(m) and m.status.phase != InstancePhase.FAILED]
        if problem:
            delays.append(RETRY_LAUNCH)
        if (since := self._over.get(group.key)) is not None:
            delays.append(since + SCALE_IN_DELAY - now)
        return RequeueAfter(max(min(delays), dt.timedelta(milliseconds=1))) if delays else reconcile.DONE

    async def _say(self, group: DevScalingGroup, problem: str) -> None:
        meta = group.metadata
        patch = {"status": {"problem": problem or None}}
        await self._client.patch(DevScalingGroup, meta.name, meta.namespace, patch=patch, subresource="status")

    async def _mark_failed(self, member: DevInstance) -> None:
        meta = member.metadata
        patch = {"status": {"phase": InstancePhase.FAILED.value, "message": "the machine did not boot, as ordered"}}
        try:
            await self._client.patch(DevInstance, meta.name, meta.namespace, patch=patch, subresource="status")
        except errors.NotFound:
            return

    async def _delete(self, member: DevInstance) -> None:
        try:
            await self._client.delete(DevInstance, member.metadata.name, member.metadata.namespace)
        except errors.NotFound:
            return

    async def _all(self, calls: Iterable[object]) -> None:
        """Make calls side by side, a bounded number at a time."""
        waiting = list(calls)
        for start in range(0, len(waiting), _AT_ONCE):
            await asyncio.gather(*waiting[start : start + _AT_ONCE])  # type: ignore[call-overload]


def place(zones: Sequence[Zone], taken: Counter[str], count: int, rng: random.Random) -> list[str]:
    """Choose a zone for each of `count` instances: each time the emptiest with room. Fewer where room runs out."""
    crowd, chosen = Counter(taken), []
    for _ in range(count):
        free = [z for z in zones if z.capacity is None or crowd[z.name] < z.capacity]
        if not free:
            break
        least = min(crowd[z.name] for z in free)
        zone = rng.choice([z.name for z in free if crowd[z.name] == least])
        crowd[zone] += 1
        chosen.append(zone)
    return chosen


def _goes(member: DevInstance, group: DevScalingGroup) -> bool:
    meta = member.metadata
    return member.deleting or meta.name in group.spec.terminating or Fault.INTERRUPT in meta.annotations


def _fails(member: DevInstance) -> bool:
    return member.spec.fails or member.metadata.annotations.get(Fault.BOOT) == "fail"


def _runs_at(member: DevInstance) -> dt.datetime:
    return clock.parse_time(member.spec.runs_at)


def _same(old: DevScalingGroup | None, new: DevScalingGroup) -> bool:
    return old is not None and old.spec == new.spec and old.deleting == new.deleting


def _group_of(old: DevInstance | None, new: DevInstance | None) -> Iterable[ObjectKey]:
    instance = new or old
    return [ObjectKey(instance.metadata.namespace, instance.spec.group)] if instance is not None else ()
