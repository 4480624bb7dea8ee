"""Leader election over a Lease, as client-go does it, so that Go and Python candidates can stand against each other.

A candidate trusts no clock but its own: a lease has run out when its holder has not renewed it for as long as it lasts,
counted from when this candidate saw it change. Used by the manager.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from dataclasses import dataclass

from capipool.client.client import Client
from capipool.machinery import clock as clocks
from capipool.machinery import errors, objects
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Model, Object, ObjectMeta
from capipool.machinery.resource import Resource
from capipool.runtime.logs import Logger

_RELEASES = 3
"""Attempts to release: one may meet the last renewal, which was broken off on its way."""

_log = Logger("capipool.runtime.election")


class LeaseSpec(Model):
    """Who holds a lease, and until when. Times are `MicroTime`s, which need six digits: kept as text."""

    holder_identity: str | None = None
    lease_duration_seconds: int | None = None
    acquire_time: str | None = None
    renew_time: str | None = None
    lease_transitions: int | None = None


class Lease(Object):
    """As much of `coordination.k8s.io/v1` Lease as election needs."""

    RESOURCE = Resource("coordination.k8s.io", "v1", "Lease", "leases")

    spec: LeaseSpec = LeaseSpec()


@dataclass(frozen=True, slots=True)
class Timing:
    """client-go's numbers, in seconds. `lease` > `renew` > 1.2 * `retry` must hold."""

    lease: float = 15.0
    """How long others wait after the last renewal before they take over."""
    renew: float = 10.0
    """How long a leader tries to renew before it gives up."""
    retry: float = 2.0
    """Between two tries; up to a fifth longer by chance."""

    def __post_init__(self) -> None:
        if not self.lease > self.renew > 1.2 * self.retry > 0:
            raise ValueError(f"election: lease ({self.lease}) > renew ({self.renew}) > 1.2 * retry ({self.retry}) > 0")


class Election:
    """One candidate for one lease. `identity` must be unlike any other candidate's, also of this host's."""

    def __init__(
        self,
        client: Client,
        *,
        name: str,
        namespace: str,
        identity: str,
        clock: Clock,
        rng: random.Random,
        timing: Timing | None = None,
    ) -> None:
        self.leading = asyncio.Event()
        """Set while this candidate leads."""
        self.leader = ""
        """Who leads, as last seen."""
        self.waits_for = ""
        """Why this candidate does not lead; empty while it does."""
        self._client = client
        self._name = name
        self._namespace = namespace
        self._identity = identity
        self._clock = clock
        self._rng = rng
        self._timing = timing or Timing()
        self._seen: Lease | None = None
        self._seen_at = 0.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Stand for election, lead, and renew. Returns when leadership is lost, or when `stopping` is set."""
        told = ""
        while not await self._try():
            if self.waits_for != told:
                told = self.waits_for
                _log.info("waiting to lead", lease=self._lease_name, why=told)
            if await self._pause(stopping):
                return
        self.leading.set()
        _log.info("leading", lease=self._lease_name, identity=self._identity)
        try:
            await self._hold()
            _log.error("leadership lost", lease=self._lease_name, leader=self.leader)
        finally:
            self.leading.clear()

    async def release(self) -> None:
        """Give up a lease that is held, so that somebody else can lead at once. Failing to is no failure."""
        if self.leader != self._identity:
            return
        try:
            async with asyncio.timeout(self._timing.renew):
                for _ in range(_RELEASES):
                    if await self._released():
                        return
        except (errors.ApiError, TimeoutError) as error:
            _log.warning("lease not released", lease=self._lease_name, why=str(error))

    async def _released(self) -> bool:
        """Give up the lease as it is now: a renewal that was broken off may have changed it. False to try again."""
        held = await self._client.get(Lease, self._name, self._namespace)
        self._saw(held)
        if self.leader != self._identity:
            return True
        now = clocks.format_micro_time(self._clock.now())
        spec = objects.replace_part(
            held.spec, holder_identity="", lease_duration_seconds=1, renew_time=now, acquire_time=now
        )
        try:
            self._saw(await self._client.update(objects.replace(held, spec=spec)))
        except errors.Conflict:
            return False
        return True

    @property
    def head_start(self) -> dt.timedelta:
        """How long after losing the lease nobody else can hold it yet: what winding down may take."""
        return dt.timedelta(seconds=max(self._timing.lease - self._timing.renew - 1.0, 0.0))

    @property
    def _lease_name(self) -> str:
        return f"{self._namespace}/{self._name}"

    async def _hold(self) -> None:
        """Renew until that has not succeeded for too long."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._timing.renew
        while True:
            try:
                async with asyncio.timeout_at(deadline):
                    if await self._try():
                        deadline = loop.time() + self._timing.renew
                    elif self.leader != self._identity:
                        return
                    await asyncio.sleep(self._timing.retry)
            except TimeoutError:
                return

    async def _pause(self, stopping: asyncio.Event) -> bool:
        """Wait for the next try. Returns whether to stop instead."""
        seconds = self._timing.retry * (1 + 0.2 * self._rng.random())
        try:
            async with asyncio.timeout(seconds):
                await stopping.wait()
        except TimeoutError:
            return False
        return True

    async def _try(self) -> bool:
        """Take or renew the lease once. Returns whether it is held after that."""
        try:
            held = await self._take()
        except errors.ApiError as error:
            self.waits_for = str(error)
            return False
        self.waits_for = "" if held else f"{self.leader} leads"
        return held

    async def _take(self) -> bool:
        try:
            lease = await self._client.get(Lease, self._name, self._namespace)
        except errors.NotFound:
            meta = ObjectMeta(name=self._name, namespace=self._namespace)
            self._saw(await self._client.create(objects.new(Lease, metadata=meta, spec=self._claim(None))))
            return True
        self._saw(lease)
        if self._is_held_by_another(lease):
            return False
        self._saw(await self._client.update(objects.replace(lease, spec=self._claim(lease.spec))))
        return True

    def _saw(self, lease: Lease) -> None:
        if self._seen is None or self._seen.spec != lease.spec:
            self._seen_at = asyncio.get_running_loop().time()
        self._seen = lease
        self.leader = lease.spec.holder_identity or ""

    def _is_held_by_another(self, lease: Lease) -> bool:
        if not lease.spec.holder_identity or lease.spec.holder_identity == self._identity:
            return False
        lasts = lease.spec.lease_duration_seconds or self._timing.lease
        return asyncio.get_running_loop().time() < self._seen_at + lasts

    def _claim(self, before: LeaseSpec | None) -> LeaseSpec:
        """The lease as this candidate holds it. Who holds it already keeps its time of taking over."""
        now = clocks.format_micro_time(self._clock.now())
        mine = before is not None and before.holder_identity == self._identity
        transitions = (before.lease_transitions or 0) if before is not None else 0
        return LeaseSpec(
            holder_identity=self._identity,
            lease_duration_seconds=round(self._timing.lease),
            acquire_time=before.acquire_time if mine and before is not None else now,
            renew_time=now,
            lease_transitions=transitions if mine or before is None else transitions + 1,
        )


__all__ = ["Election", "Lease", "LeaseSpec", "Timing"]
