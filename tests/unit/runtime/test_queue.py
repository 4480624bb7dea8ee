"""The work queue: what each key is promised, then all promises at once against a model."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from capipool.runtime.queue import Backoff, Closed, WorkQueue
from capipool.testing import virtual


def queue_of(**kwargs: Any) -> WorkQueue[str]:
    return WorkQueue(rng=random.Random(1), **kwargs)


def on_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    def run() -> None:
        virtual.run(test())

    run.__name__ = test.__name__
    return run


@on_virtual_time
async def test_a_key_added_twice_is_taken_once() -> None:
    queue = queue_of()
    queue.add("a")
    queue.add("a")
    assert await queue.take() == "a"
    assert len(queue) == 0


@on_virtual_time
async def test_keys_come_in_the_order_in_which_they_were_added() -> None:
    queue = queue_of()
    for key in "abc":
        queue.add(key)
    assert [await queue.take() for _ in range(3)] == ["a", "b", "c"]


@on_virtual_time
async def test_a_key_added_while_it_is_worked_on_comes_again_once_and_only_after_that() -> None:
    queue = queue_of()
    queue.add("a")
    await queue.take()
    queue.add("a")
    queue.add("a")
    assert len(queue) == 0
    queue.done("a")
    assert await queue.take() == "a"
    queue.done("a")
    assert len(queue) == 0


@on_virtual_time
async def test_a_busy_key_does_not_starve_others() -> None:
    queue = queue_of()
    queue.add("busy")
    queue.add("other")
    assert await queue.take() == "busy"
    queue.add("busy")
    queue.done("busy")
    assert await queue.take() == "other"


@on_virtual_time
async def test_the_earlier_of_two_delays_wins() -> None:
    queue = queue_of()
    loop = asyncio.get_running_loop()
    queue.add_after("a", 60)
    queue.add_after("a", 10)
    queue.add_after("a", 30)
    assert await queue.take() == "a"
    assert loop.time() == pytest.approx(10)
    queue.done("a")
    assert queue.delayed == 0


@on_virtual_time
async def test_a_run_settles_the_delays_asked_for_before_it_and_not_those_after() -> None:
    queue = queue_of()
    queue.add_after("a", 60)
    queue.add("a")
    await queue.take()
    assert queue.due_in("a") is None
    queue.add_after("a", 5)
    queue.done("a")
    assert queue.due_in("a") == pytest.approx(5)


@on_virtual_time
async def test_backoff_doubles_up_to_its_limit_and_begins_anew_after_forget() -> None:
    queue = queue_of(backoff=Backoff(first_seconds=1, most_seconds=4, jitter=0))
    delays = []
    for _ in range(4):
        delays.append(queue.retry("a"))
        assert await queue.take() == "a"
        queue.done("a")
    assert delays == [1, 2, 4, 4]
    queue.forget("a")
    assert queue.retry("a") == 1


@on_virtual_time
async def test_a_backoff_never_overflows_however_often_a_key_fails() -> None:
    assert Backoff().delay(100_000, random.Random(1)) <= 360


@on_virtual_time
async def test_work_that_a_cancelled_taker_was_woken_for_goes_to_another() -> None:
    queue = queue_of()
    first, second = asyncio.create_task(queue.take()), asyncio.create_task(queue.take())
    await virtual.settle()
    queue.add("a")
    first.cancel()
    assert await second == "a"


@on_virtual_time
async def test_closing_sends_takers_home_and_drops_delays() -> None:
    queue = queue_of()
    takers = [asyncio.create_task(queue.take()) for _ in range(3)]
    queue.add_after("a", 5)
    await virtual.settle()
    queue.close()
    queue.add("b")
    results = await asyncio.gather(*takers, return_exceptions=True)
    assert all(isinstance(result, Closed) for result in results)
    assert (len(queue), queue.delayed) == (0, 0)


@on_virtual_time
async def test_latency_is_the_time_a_key_was_ready() -> None:
    queue = queue_of()
    queue.add("a")
    await asyncio.sleep(3)
    await queue.take()
    assert queue.latency == pytest.approx(3)


def test_delays_too_short_for_the_timers_of_uvloop_are_kept_like_any_other() -> None:
    async def main() -> set[str]:
        queue = queue_of()
        for key in ("a", "b", "c"):
            queue.add_after(key, 0.000_01)
        async with asyncio.timeout(5):
            return {await queue.take() for _ in range(3)}

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == {"a", "b", "c"}


@on_virtual_time
async def test_settled_delays_do_not_pile_up() -> None:
    queue = queue_of()
    for _ in range(2000):
        queue.add_after("a", 3600)
        queue.add("a")
        await queue.take()
        queue.done("a")
    queue.add_after("b", 1)
    assert len(queue._heap) < 200


KEYS = st.sampled_from(["a", "b", "c", "d"])


class QueueModel(RuleBasedStateMachine):
    """The queue against a model made of plain lists, on virtual time."""

    @initialize()
    def begin(self) -> None:
        self.loop = virtual.VirtualLoop()
        self.queue = queue_of(backoff=Backoff(first_seconds=1, most_seconds=8, jitter=0))
        self.ready: list[str] = []
        self.running: set[str] = set()
        self.again: list[str] = []
        self.due: dict[str, tuple[float, int]] = {}
        self.order = itertools.count()
        self.failures: dict[str, int] = {}

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.close()

    def do(self, action: Callable[[], Any]) -> Any:
        async def act() -> Any:
            return action()

        return self.loop.run_until_complete(act())

    def model_add(self, key: str) -> None:
        if key in self.running:
            if key not in self.again:
                self.again.append(key)
        elif key not in self.ready:
            self.ready.append(key)

    def model_delay(self, key: str, seconds: float) -> None:
        due = self.loop.time() + seconds
        if key not in self.due or due < self.due[key][0]:
            self.due[key] = (due, next(self.order))

    @rule(key=KEYS)
    def add(self, key: str) -> None:
        self.do(lambda: self.queue.add(key))
        self.model_add(key)

    @rule(key=KEYS, seconds=st.integers(1, 20))
    def add_after(self, key: str, seconds: int) -> None:
        self.do(lambda: self.queue.add_after(key, seconds))
        self.model_delay(key, seconds)

    @rule(key=KEYS)
    def retry(self, key: str) -> None:
        self.failures[key] = self.failures.get(key, 0) + 1
        wanted = min(2.0 ** (self.failures[key] - 1), 8.0)
        assert self.do(lambda: self.queue.retry(key)) == wanted
        self.model_delay(key, wanted)

    @rule(key=KEYS)
    def forget(self, key: str) -> None:
        self.do(lambda: self.queue.forget(key))
        self.failures.pop(key, None)

    @precondition(lambda self: self.ready)
    @rule()
    def take(self) -> None:
        key = self.loop.run_until_complete(self.queue.take())
        assert key == self.ready.pop(0)
        assert key not in self.running, "a key is never worked on twice at once"
        self.running.add(key)
        self.due.pop(key, None)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def done(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.do(lambda: self.queue.done(key))
        self.running.discard(key)
        if key in self.again:
            self.again.remove(key)
            self.ready.append(key)

    @rule(seconds=st.integers(1, 30))
    def wait(self, seconds: int) -> None:
        until = self.loop.time() + seconds + 0.5
        self.loop.run_until_complete(asyncio.sleep(seconds + 0.5))
        for key in sorted(self.due, key=lambda k: self.due[k]):
            if self.due[key][0] <= until:
                del self.due[key]
                self.model_add(key)

    @invariant()
    def agrees(self) -> None:
        if not hasattr(self, "queue"):
            return
        assert len(self.queue) == len(self.ready)
        assert self.queue.running == len(self.running)
        assert self.queue.delayed == len(self.due)
        assert {key: self.queue.failures(key) for key in self.failures} == self.failures


QueueModel.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestQueueModel = QueueModel.TestCase
