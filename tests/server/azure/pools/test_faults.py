"""A failure at every call in turn: never a second scale set, a lost rollout, or an instance that nobody knows.

A pool is made, rolled, shrunk and deleted by the engine's own decisions. In one life every kind of request fails once
at each stage; what has an effect though nobody hears of it is also struck alone, one write a life.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from capipool.providers.azure.calls import Caller, Calls
from capipool.sdk import InstanceGroupNotFound, InstanceState, Launch, Pool, ProviderError, Strategy, engine
from capipool.sdk.engine.picture import Member, NodeHealth, Picture
from tests.server.azure.pools import lab as labs
from tests.server.azure.pools.lab import AzureLab

NAME = "conformance"
STAGES = (("r1", 2), ("r2", 2), ("r2", 1))
"""(revision, replicas) that are wanted one after the other, before the pool is deleted."""
WRITES = ("create", "update", "delete", "PATCH", "PUT", "DELETE")
LAUNCHES = ("create", "update")
STEPS = 80


class Death(BaseException):
    """The process ends here."""


class Faulty(Calls):
    """Calls that tell of each request before it is sent, and after its answer came."""

    before: Callable[[str], None]
    after: Callable[[], None]

    async def _guard(self, caller: Caller, title: str, send: Callable[[], Awaitable[Any]]) -> Any:
        async def sent() -> Any:
            self.before(title)
            answer = await send()
            self.after()
            return answer

        return await super()._guard(caller, title, sent)


class History:
    """One life of a pool. `fault` is told when the request of this number within its kind and stage is due."""

    def __init__(self, lab: AzureLab) -> None:
        self.lab = lab
        self.stage = ""
        self.seen: list[tuple[str, str]] = []
        """Which kinds of requests were made at which stage, without repetitions."""
        self.targets: Callable[[tuple[str, str]], bool] = lambda _: False
        """Which are to fail, the first time each."""
        self.strike: Callable[[], None] = lambda: None
        self.dies_after = False
        self.struck = 0

    def before(self, title: str) -> None:
        about = (self.stage, title.partition("/providers/")[0])
        if about in self.seen:
            return
        self.seen.append(about)
        if self.targets(about):
            self.struck += 1
            self.strike()

    def after(self) -> None:
        if self.dies_after:
            self.dies_after = False
            raise Death

    async def live(self) -> None:
        """All stages, and the end."""
        for revision, replicas in STAGES:
            self.stage = f"{revision} with {replicas}"
            await self._until(lambda r=revision, n=replicas: self._step(r, n))  # type: ignore[misc]
        self.stage = "deletion"
        await self._until(self._delete)

    async def _until(self, step: Callable[[], Awaitable[bool]]) -> None:
        for _ in range(STEPS):
            self.lab.clock.ahead += dt.timedelta(minutes=1)
            self.lab.calls._buckets.clear()  # a minute is over
            try:
                if await step():
                    return
            except ProviderError:
                continue
            except Death:
                self.lab.provider = self.lab.fresh()
            finally:
                self.lab.arm.faults.clear()
                assert len(self.lab.arm.state.scale_sets) <= 1
        raise AssertionError(f"{self.stage} was not reached: {self.lab.arm.state.scale_sets}")

    async def _step(self, revision: str, replicas: int) -> bool:
        """What the reconciler does in a pass. Returns whether all is as wanted."""
        lab, provider = self.lab, self.lab.provider
        await lab.read(NAME)
        pool, launch = lab.pool(NAME, replicas=replicas), lab.launch(revision)
        try:
            seen = await provider.observe(pool)
        except InstanceGroupNotFound:
            seen = None
        if seen is None or not seen.operation:
            await provider.ensure(pool, launch, replicas=replicas, seen=seen)
        if seen is None:
            return False
        await self._act(pool, launch, replicas, seen)
        there = [i for i in seen.instances if i.state is not InstanceState.TERMINATING]
        at_work = [i for i in there if i.state is InstanceState.RUNNING and i.revision == revision]
        return len(at_work) == len(seen.instances) == replicas == seen.desired and not seen.operation

    async def _act(self, pool: Pool[Any], launch: Launch, replicas: int, seen: Any) -> None:
        plan = engine.decide(
            Picture(
                now=self.lab.clock.now(),
                replicas=replicas,
                desired=seen.desired,
                revision=launch.revision,
                members=tuple(map(_member, seen.instances)),
                strategy=Strategy(),
                operation=seen.operation,
            )
        )
        if plan.desired is not None:
            await self.lab.provider.set_desired(pool, plan.desired, seen=seen)
        going = [r.id for r in plan.removals if r.terminate]
        if going:
            await self.lab.provider.terminate(pool, going, decrement=True)

    async def _delete(self) -> bool:
        try:
            await self.lab.provider.delete(await self.lab.read(NAME))
        except InstanceGroupNotFound:
            return True
        return False


def _member(instance: Any) -> Member:
    running = instance.state is InstanceState.RUNNING
    return Member(
        id=instance.id,
        state=instance.state,
        revision=instance.revision,
        created=instance.created,
        node=NodeHealth.READY if running else NodeHealth.ABSENT,
        ready_since=instance.created if running else None,
    )


@pytest.fixture
async def lab() -> AsyncIterator[AzureLab]:
    async with labs.running() as made:
        inner = made.calls
        made.calls = Faulty(
            credentials=inner._credentials, endpoint=made.arm.url, ca_file=str(made.arm.ca_file), rate=1000
        )
        await inner.close()
        made.provider = made.fresh()
        yield made


def _throttle(history: History) -> None:
    history.lab.arm.faults.throttle(retry_after=5)


def _deny(history: History) -> None:
    history.lab.arm.faults.refuse("*", "AuthorizationFailed")


def _lose_answer(history: History) -> None:
    history.lab.arm.faults.lose_answer()


def _lose_request(history: History) -> None:
    history.lab.arm.faults.lose_request()


def _no_room(history: History) -> None:
    history.lab.arm.faults.fail("virtualMachineScaleSets/write", "AllocationFailed")


def _die_before(history: History) -> None:
    raise Death


def _die_after(history: History) -> None:
    history.dies_after = True


@pytest.mark.parametrize("fault", [_throttle, _deny, _lose_answer, _lose_request, _no_room, _die_before, _die_after])
async def test_a_pool_comes_to_what_is_wanted_though_every_kind_of_request_fails_once(
    lab: AzureLab, fault: Callable[[History], None]
) -> None:
    history = await _run(lab, lambda about: fault is not _no_room or about[1].startswith(LAUNCHES), fault)
    assert history.struck >= (3 if fault is _no_room else 12)


@pytest.mark.parametrize("fault", [_lose_answer, _die_after])
async def test_a_write_that_nobody_heard_of_is_found_out(lab: AzureLab, fault: Callable[[History], None]) -> None:
    clean = await _run(lab, lambda _: False, fault)
    writes = [about for about in clean.seen if about[1].startswith(WRITES)]
    assert len(writes) > 4
    for target in writes:
        history = await _run(lab, lambda about, wanted=target: about == wanted, fault)  # type: ignore[misc]
        assert history.struck == 1, target


async def _run(lab: AzureLab, targets: Callable[[tuple[str, str]], bool], fault: Callable[[History], None]) -> History:
    """One life with its faults. Afterwards nothing is left in Azure."""
    history = History(lab)
    history.targets, history.strike = targets, lambda: fault(history)
    calls: Any = lab.calls
    calls.before, calls.after = history.before, history.after
    lab.provider = lab.fresh()
    await history.live()
    assert not lab.arm.state.scale_sets
    return history
