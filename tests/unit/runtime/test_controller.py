"""Controllers: one worker a key, answers obeyed, failures retried, own writes seen."""

from __future__ import annotations

import asyncio
import datetime as dt
import itertools
import random
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

import pytest

from capipool.client import Client
from capipool.machinery import errors
from capipool.machinery.resource import ObjectKey
from capipool.runtime import DONE, Caches, Controller, Manager, RequeueAfter, Result, TerminalError, metrics
from capipool.runtime.controller import OWN_WRITES_LIMIT
from capipool.testing import virtual
from tests.unit.runtime.fake import FakeServer
from tests.unit.runtime.kinds import Pool, pool

KEY = ObjectKey("ns", "a")
Body = Callable[[ObjectKey], Awaitable[Result | None]]


class Recorder:
    """A reconciler that keeps when it was called for what, and does what a test says."""

    def __init__(self, body: Body | None = None) -> None:
        self.calls: list[tuple[float, ObjectKey]] = []
        self.body = body

    async def reconcile(self, key: ObjectKey) -> Result:
        self.calls.append((asyncio.get_running_loop().time(), key))
        result = await self.body(key) if self.body else None
        return result or DONE

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.calls]


class World:
    """A manager that runs over a fake server."""

    def __init__(self) -> None:
        self.server = FakeServer()
        self.client = Client(self.server)
        self.manager = Manager(self.client, clock=virtual.clock(), rng=random.Random(1))
        self.recorder = Recorder()

    async def start(self, **options: Any) -> Controller:
        controller = Controller("pools", self.recorder, rng=random.Random(1), **options)
        controller.watch(self.manager.caches.of(Pool), lambda old, new: [(new or old).key])  # type: ignore[union-attr]
        self.manager.add(controller)
        self.running = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()
        return controller


def in_a_world(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        async def main() -> None:
            world = World()
            try:
                await test(world)
            finally:
                await world.manager.stop()

        virtual.run(main())

    run.__name__ = test.__name__
    return run


@in_a_world
async def test_a_change_of_a_watched_object_is_reconciled(world: World) -> None:
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start()
    await asyncio.sleep(1)
    world.server.put(Pool.RESOURCE, pool("a", replicas=1))
    await asyncio.sleep(1)
    assert [key for _, key in world.recorder.calls] == [KEY, KEY]


@in_a_world
async def test_nothing_is_reconciled_before_the_caches_are_synced(world: World) -> None:
    seen = []

    async def look(key: ObjectKey) -> None:
        seen.append(len(world.manager.caches.of(Pool)))

    world.recorder.body = look
    for name in "abc":
        world.server.put(Pool.RESOURCE, pool(name))
    await world.start()
    await asyncio.sleep(1)
    assert seen == [3, 3, 3]


@in_a_world
async def test_a_key_is_never_in_two_workers_and_changes_meanwhile_are_one_more_run(world: World) -> None:
    active = most = 0

    async def slow(key: ObjectKey) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(10)
        active -= 1

    world.recorder.body = slow
    await world.start()
    for replicas in range(5):
        world.server.put(Pool.RESOURCE, pool("a", replicas=replicas))
        await asyncio.sleep(1)
    await asyncio.sleep(60)
    assert most == 1
    assert len(world.recorder.calls) == 2


@in_a_world
async def test_different_keys_run_side_by_side_up_to_the_concurrency(world: World) -> None:
    active = most = 0

    async def slow(key: ObjectKey) -> None:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(10)
        active -= 1

    world.recorder.body = slow
    for number in range(9):
        world.server.put(Pool.RESOURCE, pool(f"p{number}"))
    await world.start(concurrency=4)
    await asyncio.sleep(100)
    assert (most, len(world.recorder.calls)) == (4, 9)


@in_a_world
async def test_requeue_after_comes_again_after_its_delay_and_an_event_comes_earlier(world: World) -> None:
    async def wait(key: ObjectKey) -> Result:
        return RequeueAfter(dt.timedelta(minutes=10))

    world.recorder.body = wait
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start()
    await asyncio.sleep(60)
    world.server.put(Pool.RESOURCE, pool("a", replicas=1))
    await asyncio.sleep(1200)
    assert world.recorder.times == pytest.approx([0, 60, 660, 1260])


@in_a_world
async def test_a_failure_is_retried_with_growing_delay_until_it_succeeds(world: World) -> None:
    async def fail(key: ObjectKey) -> None:
        if len(world.recorder.calls) < 6:
            raise RuntimeError("not yet")

    world.recorder.body = fail
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start()
    await asyncio.sleep(600)
    gaps = [b - a for a, b in zip(world.recorder.times, world.recorder.times[1:], strict=False)]
    assert len(gaps) == 5
    assert all(later > earlier * 1.5 for earlier, later in itertools.pairwise(gaps))


@in_a_world
async def test_a_terminal_error_is_not_retried_until_something_changes(world: World) -> None:
    async def fail(key: ObjectKey) -> None:
        raise TerminalError("spec.zone names no zone")

    world.recorder.body = fail
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start()
    await asyncio.sleep(3600)
    assert len(world.recorder.calls) == 1
    world.server.put(Pool.RESOURCE, pool("a", zone="x"))
    await asyncio.sleep(3600)
    assert len(world.recorder.calls) == 2


@in_a_world
async def test_a_conflict_is_retried_quietly(world: World) -> None:
    async def conflict(key: ObjectKey) -> None:
        if len(world.recorder.calls) == 1:
            raise errors.Conflict("the object has been modified")

    world.recorder.body = conflict
    failures = metrics.METRICS.errors.values.get(("pools",), 0)
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start()
    await asyncio.sleep(1)
    assert len(world.recorder.calls) == 2
    assert metrics.METRICS.errors.values.get(("pools",), 0) == failures


@in_a_world
async def test_a_server_that_asks_for_patience_gets_it(world: World) -> None:
    async def refused(key: ObjectKey) -> None:
        if len(world.recorder.calls) == 1:
            raise errors.TooManyRequests("busy", details={"retryAfterSeconds": 20})

    world.recorder.body = refused
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start()
    await asyncio.sleep(60)
    assert world.recorder.times == pytest.approx([0, 20])


@in_a_world
async def test_a_reconciler_whose_own_task_was_cancelled_has_failed_and_its_worker_lives(world: World) -> None:
    async def cancelled(key: ObjectKey) -> None:
        if len(world.recorder.calls) == 1:
            raise asyncio.CancelledError

    world.recorder.body = cancelled
    world.server.put(Pool.RESOURCE, pool("a"))
    await world.start(concurrency=1)
    await asyncio.sleep(60)
    assert len(world.recorder.calls) == 2


@in_a_world
async def test_a_mapping_that_fails_does_not_stop_the_controller(world: World) -> None:
    controller = await world.start()

    def fails(old: Pool | None, new: Pool | None) -> list[ObjectKey]:
        raise RuntimeError("oops")

    controller.watch(world.manager.caches.of(Pool), fails)
    world.server.put(Pool.RESOURCE, pool("a"))
    await asyncio.sleep(1)
    assert len(world.recorder.calls) == 1


@in_a_world
async def test_a_watch_added_while_running_brings_what_is_there(world: World) -> None:
    controller = await world.start()
    world.server.put(Pool.RESOURCE, pool("a"))
    await asyncio.sleep(1)
    controller.watch(world.manager.caches.of(Pool), lambda old, new: [ObjectKey("ns", "mapped")])
    await asyncio.sleep(1)
    assert world.recorder.calls[-1][1] == ObjectKey("ns", "mapped")


@in_a_world
async def test_a_controller_added_while_the_manager_runs_works_too(world: World) -> None:
    await world.start()
    late = Recorder()
    controller = world.manager.controller("late", late)
    controller.enqueue(KEY, after=dt.timedelta(seconds=30))
    await asyncio.sleep(60)
    assert late.times == pytest.approx([30])


@in_a_world
async def test_a_key_waits_until_the_cache_shows_what_its_reconcile_wrote(world: World) -> None:
    seen: list[int] = []

    async def write(key: ObjectKey) -> None:
        cached = world.manager.caches.of(Pool).get(key)
        assert cached is not None
        seen.append(cached.spec.replicas)
        world.server.held = len(seen) == 1
        if cached.spec.replicas < 3:
            patch = {"spec": {"replicas": cached.spec.replicas + 1}}
            await world.client.patch(Pool, key.name, key.namespace, patch=patch)

    world.recorder.body = write
    world.server.put(Pool.RESOURCE, pool("a"))
    controller = await world.start()
    await asyncio.sleep(5)
    controller.enqueue(KEY)
    await asyncio.sleep(5)
    assert seen == [0], "held back while the watch is late"
    world.server.let_go()
    await asyncio.sleep(1)
    assert seen == [0, 1, 2, 3]


@in_a_world
async def test_a_deletion_is_waited_for_too(world: World) -> None:
    async def delete(key: ObjectKey) -> None:
        if world.manager.caches.of(Pool).get(key) is not None:
            world.server.held = True
            await world.client.delete(Pool, key.name, key.namespace)

    world.recorder.body = delete
    world.server.put(Pool.RESOURCE, pool("a"))
    controller = await world.start()
    await asyncio.sleep(1)
    controller.enqueue(KEY)
    await asyncio.sleep(5)
    assert len(world.recorder.calls) == 1
    world.server.let_go()
    await asyncio.sleep(1)
    assert len(world.recorder.calls) == 2


@in_a_world
async def test_a_write_without_effect_holds_nothing_back(world: World) -> None:
    async def write(key: ObjectKey) -> None:
        await world.client.patch(Pool, key.name, key.namespace, patch={"spec": {"replicas": 0}})

    world.recorder.body = write
    world.server.put(Pool.RESOURCE, pool("a"))
    controller = await world.start()
    await virtual.settle()
    assert controller.idle


@in_a_world
async def test_a_watch_that_stays_late_holds_a_key_back_for_a_while_only(world: World) -> None:
    async def write(key: ObjectKey) -> None:
        if len(world.recorder.calls) == 1:
            world.server.held = True
            await world.client.patch(Pool, key.name, key.namespace, patch={"spec": {"replicas": 7}})

    world.recorder.body = write
    world.server.put(Pool.RESOURCE, pool("a"))
    controller = await world.start()
    await virtual.settle()
    controller.enqueue(KEY)
    await asyncio.sleep(OWN_WRITES_LIMIT.total_seconds() - 1)
    assert len(world.recorder.calls) == 1
    await asyncio.sleep(2)
    assert len(world.recorder.calls) == 2


@in_a_world
async def test_a_cache_that_is_stopped_holds_nothing_back(world: World) -> None:
    other = Client(world.server)
    theirs = Caches(other, rng=random.Random(1))

    async def write(key: ObjectKey) -> None:
        if len(world.recorder.calls) == 1:
            world.server.held = True
            await other.patch(Pool, key.name, key.namespace, patch={"spec": {"replicas": 7}})

    world.recorder.body = write
    await theirs.of(Pool).synced()
    world.server.put(Pool.RESOURCE, pool("a"))
    controller = await world.start()
    await asyncio.sleep(1)
    controller.enqueue(KEY)
    assert not controller.idle
    await theirs.stop()
    await asyncio.sleep(1)
    assert len(world.recorder.calls) == 2


@in_a_world
async def test_stopping_lets_a_reconcile_end_within_the_grace_period(world: World) -> None:
    ended: list[str] = []

    async def slow(key: ObjectKey) -> None:
        try:
            await asyncio.sleep(5 if key.name == "short" else 500)
            ended.append(key.name)
        except asyncio.CancelledError:
            ended.append(f"{key.name} cancelled")
            raise

    world.recorder.body = slow
    world.server.put(Pool.RESOURCE, pool("short"))
    world.server.put(Pool.RESOURCE, pool("long"))
    await world.start()
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    await world.manager.stop()
    assert ended == ["short", "long cancelled"]
    assert asyncio.get_running_loop().time() - began == pytest.approx(10)
    assert world.running.done()


@in_a_world
async def test_a_task_that_fails_is_started_again_with_backoff(world: World) -> None:
    starts: list[float] = []

    async def task() -> None:
        starts.append(asyncio.get_running_loop().time())
        if len(starts) < 3:
            raise RuntimeError("oops")

    world.manager.add_task("beside", task)
    await world.start()
    await asyncio.sleep(60)
    assert len(starts) == 3


@in_a_world
async def test_a_task_that_fails_at_its_end_holds_up_nobody(world: World) -> None:
    starts: list[float] = []

    async def task() -> None:
        starts.append(asyncio.get_running_loop().time())
        try:
            await asyncio.Event().wait()
        finally:
            raise RuntimeError("cannot close")

    world.manager.add_task("beside", task)
    await world.start()
    await asyncio.sleep(1)
    began = asyncio.get_running_loop().time()
    await world.manager.stop()
    assert len(starts) == 1
    assert asyncio.get_running_loop().time() == began


def test_a_manager_stopped_before_it_ran_does_not_hang() -> None:
    async def main() -> None:
        manager = Manager(Client(FakeServer()), clock=virtual.clock(), rng=random.Random(1))
        await manager.stop()

    virtual.run(main())


def test_a_manager_stops_while_caches_cannot_sync() -> None:
    async def main() -> None:
        world = World()
        world.server.fault = lambda call: errors.ServiceUnavailable("away")
        world.manager.caches.of(Pool)
        running = asyncio.create_task(world.manager.run())
        await asyncio.sleep(100)
        assert not world.manager.started.is_set()
        await world.manager.stop()
        await running

    virtual.run(main())
