"""A failure at every request in turn: never a second pool, a second order, or an upgrade that is lost.

The real controllers make a pool, scale it, upgrade it and delete it. In one life every kind of request fails once at
each stage. Where the process dies, it dies at each write, before it or after it.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from capipool.api.core import MachinePool
from capipool.providers.azure.calls import Caller, Calls
from capipool.testing.azure import Arm
from tests.server.azure.aks import world as worlds
from tests.server.azure.aks.world import AKS, POOL, WRITE
from tests.server.azure.pools.lab import Skipping, calls
from tests.server.clouds.world import NS

WRITES = ("PUT", "DELETE")


class Faulty(Calls):
    """Calls that a history is told of, before each is sent and after its answer came."""

    history: History | None = None

    async def _guard(self, caller: Caller, title: str, send: Callable[[], Awaitable[Any]]) -> Any:
        history = self.history
        if history is None:
            return await super()._guard(caller, title, send)
        strikes = history.is_due(title)
        if strikes and not history.dies_after:
            await history.strike()
        answer = await super()._guard(caller, title, send)
        if strikes and history.dies_after:
            await history.strike()
        return answer


class History:
    """One life of a pool."""

    def __init__(self, fault: Callable[[Arm], None] | None, *, targets: tuple[str, ...], dies_after: bool) -> None:
        self.aks: AKS
        self.stage = ""
        self.struck: set[tuple[str, str]] = set()
        self.dies_after = dies_after
        self.dying = asyncio.Event()
        self._fault, self._targets = fault, targets

    def is_due(self, title: str) -> bool:
        """Whether this request is the first of its kind in this stage, and is to fail."""
        kind = "GET operation" if "/operations/" in title else re.sub(r"/subscriptions/[^/]+", "", title)
        about = (self.stage, kind)
        if about in self.struck or not kind.startswith(self._targets):
            return False
        self.struck.add(about)
        return True

    async def strike(self) -> None:
        if self._fault is not None:
            self._fault(self.aks.arm)
            return
        self.dying.set()
        await asyncio.Event().wait()  # until the process is cut off

    async def reach(self, stage: str, so: Callable[[], Awaitable[bool]], clock: Skipping) -> None:
        """Wait until a stage is over, while minutes go by and processes die."""

        async def over() -> bool:
            clock.ahead += dt.timedelta(seconds=20)
            self.aks.calls._buckets.clear()  # the time of a throttled caller goes by as well
            if self.dying.is_set():
                self.dying.clear()
                await self.aks.world.restart()
            assert set(self.aks.cluster.pools) <= {"system", POOL}
            return await so()

        self.stage = stage
        await self.aks.world.until(over, seconds=25, why=lambda: self.aks.world.described(POOL))


def _throttle(arm: Arm) -> None:
    arm.faults.throttle(retry_after=1)


def _deny(arm: Arm) -> None:
    arm.faults.refuse("*", "AuthorizationFailed")


def _lose_answer(arm: Arm) -> None:
    arm.faults.lose_answer(times=2)


def _lose_request(arm: Arm) -> None:
    arm.faults.lose_request(times=2)


@pytest.mark.parametrize("fault", [_throttle, _deny, _lose_answer, _lose_request])
async def test_a_pool_comes_to_what_is_wanted_though_every_kind_of_request_fails_once(
    fault: Callable[[Arm], None],
) -> None:
    history = await live(History(fault, targets=("",), dies_after=False))
    assert len([kind for _, kind in history.struck if kind.startswith(WRITES)]) == 4
    assert len(history.struck) >= 12


@pytest.mark.parametrize("dies_after", [False, True])
async def test_a_pool_comes_to_what_is_wanted_though_the_process_dies_at_every_write(dies_after: bool) -> None:
    history = await live(History(None, targets=WRITES, dies_after=dies_after))
    assert len(history.struck) == 4


@pytest.mark.parametrize(
    ("code", "reason"),
    [("AllocationFailed", "InsufficientCapacity"), ("VMExtensionProvisioningTimeout", "CloudUnavailable")],
)
async def test_an_upgrade_that_failed_says_why_and_is_tried_again_with_patience(code: str, reason: str) -> None:
    clock = Skipping()
    async with worlds.installed(clock=clock) as aks:
        await aks.load()
        await aks.begin()
        aks.arm.faults.fail(WRITE, code, "no room")
        await aks.world.upgrade(POOL, "v1.31.2")
        found = await aks.until(lambda p: worlds.condition(p, "Ready") == ("False", reason))
        assert code in next(c.message for c in found.status.conditions if c.type == "Ready")
        assert found.status.ready
        looks = len(aks.arm.log.of("managedClusters/agentPools/read"))
        await aks.until_azure(lambda: len(aks.arm.log.of("managedClusters/agentPools/read")) > looks + 2)
        assert len(aks.arm.log.of(WRITE)) == 2
        clock.ahead += dt.timedelta(minutes=1)
        await aks.until_azure(lambda: aks.pool().current_version == "1.31.2" and aks.pool().state == "Succeeded")
        await aks.until(lambda p: worlds.condition(p, "Ready") == ("True", ""))
        assert len(aks.arm.log.of(WRITE)) == 3


async def live(history: History) -> History:
    """Made, scaled, upgraded and deleted: each by one order that Azure took."""
    clock = Skipping()
    async with worlds.installed(clock=clock, made=faulty) as aks:
        history.aks = aks
        await aks.load()
        assert isinstance(aks.calls, Faulty)
        aks.calls.history = history
        await aks.load_pool()
        await history.reach("create", lambda: _has(aks, 2, "1.30.6"), clock)
        await aks.world.scale(POOL, 3)
        await history.reach("scale", lambda: _has(aks, 3, "1.30.6"), clock)
        await aks.world.upgrade(POOL, "v1.31.2")
        await history.reach("upgrade", lambda: _has(aks, 3, "1.31.2"), clock)
        taken = [r for r in aks.arm.log.of(WRITE) if r.status in (0, 200, 201)]
        assert len({str(r) for r in taken}) <= 3
        await aks.world.client.delete(MachinePool, POOL, NS)
        await history.reach("delete", lambda: _gone(aks), clock)
        return history


def faulty(arm: Arm) -> Calls:
    inner = calls(arm)
    return Faulty(credentials=inner._credentials, endpoint=arm.url, ca_file=str(arm.ca_file), rate=1000)


async def _has(aks: AKS, count: int, version: str) -> bool:
    """Whether it is so in Azure, and the object says it."""
    found = aks.cluster.pools.get(POOL)
    if found is None or found.state != "Succeeded" or (found.count, found.current_version) != (count, version):
        return False
    obj = await aks.managed()
    return obj.status.replicas == count and worlds.condition(obj, "Ready") == ("True", "")


async def _gone(aks: AKS) -> bool:
    return POOL not in aks.cluster.pools and not await aks.world.client.list(MachinePool, NS)
