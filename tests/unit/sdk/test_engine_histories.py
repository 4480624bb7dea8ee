"""The engine's promises over random histories: whatever happens in between, they hold, and the end is reached."""

from __future__ import annotations

import datetime as dt
import random

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from capipool.sdk.engine import DeletePolicy, Strategy
from tests.unit.sdk import simulated

amounts = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "25%", "50%", "100%"]))
strategies = st.builds(
    Strategy,
    max_surge=amounts,
    max_unavailable=amounts,
    delete_policy=st.sampled_from(DeletePolicy),
    canary=st.booleans(),
)


class History(RuleBasedStateMachine):
    """Anything may happen in any order; what `simulated.Pool` asserts must hold all the time."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = simulated.Pool(random.Random(0))

    @initialize(seed=st.integers(0, 2**32), replicas=st.integers(0, 12), strategy=strategies, machines=st.booleans())
    def begin(self, seed: int, replicas: int, strategy: Strategy, machines: bool) -> None:
        self.pool = simulated.Pool(random.Random(seed), strategy=strategy, replicas=replicas, machines=machines)

    @rule(replicas=st.integers(0, 15))
    def scale(self, replicas: int) -> None:
        self.pool.replicas = replicas

    @rule(broken=st.booleans())
    def change_the_template(self, broken: bool) -> None:
        self.pool.revision += 1
        if broken:
            self.pool.broken_revisions.add(self.pool.revision)

    @rule(strategy=strategies, min_ready=st.sampled_from([0, 0, 15]))
    def edit_the_strategy(self, strategy: Strategy, min_ready: int) -> None:
        self.pool.strategy, self.pool.min_ready_seconds = strategy, min_ready

    @rule()
    def an_instance_is_taken_away(self) -> None:
        if instance := self.pool.pick():
            self.pool.take_away(instance)

    @rule(what=st.sampled_from(["silent", "protected", "marked", "remediate"]), on=st.booleans())
    def something_about_an_instance(self, what: str, on: bool) -> None:
        if instance := self.pool.pick():
            setattr(instance, what, on)

    @rule(by_check=st.booleans())
    def somebody_deletes_a_machine(self, by_check: bool) -> None:
        if instance := self.pool.pick():
            self.pool.delete_machine(instance, by_check=by_check)

    @rule(room=st.integers(0, 18))
    def the_cloud_has_room_for_so_many(self, room: int) -> None:
        self.pool.capacity = room

    @rule(seconds=st.integers(1, 120))
    def the_cloud_is_busy_with_the_group(self, seconds: int) -> None:
        self.pool.operation_until = self.pool.now + dt.timedelta(seconds=seconds)

    @rule(on=st.booleans(), desired=st.integers(0, 12))
    def somebody_else_scales(self, on: bool, desired: int) -> None:
        self.pool.scale_from_outside(on, desired)

    @rule(reachable=st.booleans())
    def the_workload_cluster_comes_and_goes(self, reachable: bool) -> None:
        self.pool.reachable = reachable

    @rule(seconds=st.integers(1, 60))
    def time_passes(self, seconds: int) -> None:
        self.pool.advance(seconds)

    @rule(dies_after=st.sampled_from([0, 1, 2, 100]), seconds=st.integers(1, 30))
    def the_reconciler_runs(self, dies_after: int, seconds: int) -> None:
        self.pool.step(dies_after=dies_after)
        self.pool.advance(seconds)

    @rule(times=st.integers(1, 20), seconds=st.integers(1, 10))
    def the_reconciler_runs_for_a_while(self, times: int, seconds: int) -> None:
        for _ in range(times):
            self.pool.step()
            self.pool.advance(seconds)

    def teardown(self) -> None:
        self.pool.heal()
        self.pool.settle()
        self.pool.check_rest()


TestHistory = History.TestCase
TestHistory.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True
)


EVENTS = (
    *("scale", "template", "broken", "gone", "silent", "protect", "mark", "away", "back", "strategy", "external"),
    *("delete", "delete", "check", "room", "busy"),
)


def happen(pool: simulated.Pool, rng: random.Random) -> None:
    """One thing happens to a pool."""
    event = rng.choice(EVENTS)
    instance = pool.pick()
    match event:
        case "scale":
            pool.replicas = rng.randrange(14)
        case "template" | "broken":
            pool.revision += 1
            pool.broken_revisions |= {pool.revision} if event == "broken" else set()
        case "away" | "back":
            pool.reachable = event == "back"
        case "strategy":
            pool.strategy = random_strategy(rng)
        case "external":
            pool.scale_from_outside(not pool.externally_scaled, rng.randrange(10))
        case "delete" | "check" if instance:
            pool.delete_machine(instance, by_check=event == "check")
        case "room":
            pool.capacity = rng.choice([0, 3, 8, 100])
        case "busy":
            pool.operation_until = pool.now + dt.timedelta(seconds=rng.choice([5, 60]))
        case "gone" if instance:
            pool.take_away(instance)
        case "silent" | "protect" | "mark" if instance:
            setattr(instance, {"silent": "silent", "protect": "protected", "mark": "marked"}[event], rng.random() < 0.7)
        case _:
            pass


def random_strategy(rng: random.Random) -> Strategy:
    return Strategy(
        max_surge=rng.choice([0, 1, 3, "25%", "100%"]),
        max_unavailable=rng.choice([0, 1, 2, "30%"]),
        delete_policy=rng.choice(list(DeletePolicy)),
        canary=rng.random() < 0.7,
        failure_backoff=dt.timedelta(seconds=rng.choice([0, 10, 30])),
    )


@pytest.mark.parametrize("block", range(8))
def test_promises_hold_over_many_histories_and_every_one_ends_well(block: int) -> None:
    for seed in range(block * 50, (block + 1) * 50):
        rng = random.Random(seed)
        pool = simulated.Pool(rng, strategy=random_strategy(rng), replicas=rng.randrange(10))
        pool.min_ready_seconds = rng.choice([0, 0, 20])
        pool.machines = seed % 2 == 0
        try:
            for _ in range(40):
                if rng.random() < 0.35:
                    happen(pool, rng)
                pool.step(dies_after=rng.choice([0, 1, 2, 99, 99, 99]))
                pool.advance(rng.choice([1, 2, 5, 15]))
            pool.heal()
            pool.settle()
            pool.check_rest()
        except AssertionError as error:
            raise AssertionError(f"history {seed}: {error}") from error
