"""The rollout planner holds its limits whatever machines do in between, and gets there."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.core.machinedeployment import rollout
from capipool.core.machinedeployment.rollout import Rollout, SetSize


@dataclass
class Set:
    """A MachineSet whose machines are up or not."""

    name: str
    spec: int
    machines: list[bool] = field(default_factory=list)

    def size(self) -> SetSize:
        up = sum(self.machines)
        return SetSize(self.name, self.spec, len(self.machines), up, len(self.machines))

    def settle(self, rng: random.Random) -> None:
        """Make or delete one machine, any of them: the planner must not count on which."""
        if len(self.machines) < self.spec:
            self.machines.append(False)
        elif len(self.machines) > self.spec:
            self.machines.pop(rng.randrange(len(self.machines)))


def step(sets: list[Set], replicas: int, surge: int, unavailable: int) -> rollout.Intents:
    old, new = sets[:-1], sets[-1]
    world = Rollout(replicas, new.size(), tuple(s.size() for s in old), surge, unavailable)
    intents = rollout.plan_rolling_update(world)
    for s in sets:
        s.spec = intents.get(s.name, s.spec)
    return intents


numbers = st.tuples(st.integers(1, 8), st.integers(0, 4), st.integers(0, 4)).filter(lambda n: n[1] + n[2] > 0)


@settings(max_examples=200, deadline=None)
@given(numbers, st.integers(0, 10**9))
def test_neither_limit_is_ever_broken_and_the_rollout_ends(limits: tuple[int, int, int], seed: int) -> None:
    replicas, surge, unavailable = limits
    rng = random.Random(seed)
    sets = [Set("old", replicas, [True] * replicas), Set("new", 0)]
    least = replicas - min(unavailable, replicas)
    for _ in range(4000):
        match rng.randrange(3):
            case 0:
                step(sets, replicas, surge, unavailable)
            case 1:
                rng.choice(sets).settle(rng)
            case _:
                for s in sets:
                    s.machines = [up or rng.random() < 0.5 for up in s.machines]
        assert sum(len(s.machines) for s in sets) <= replicas + surge
        assert sum(sum(s.machines) for s in sets) >= least
        if sets[0].machines == [] and sets[1].machines == [True] * replicas:
            return
    raise AssertionError(f"stuck at {sets}")


@settings(max_examples=200, deadline=None)
@given(numbers, st.integers(0, 10**9))
def test_a_new_version_that_never_comes_up_takes_no_more_than_the_limit(
    limits: tuple[int, int, int], seed: int
) -> None:
    replicas, surge, unavailable = limits
    rng = random.Random(seed)
    sets = [Set("old", replicas, [True] * replicas), Set("new", 0)]
    for _ in range(300):
        step(sets, replicas, surge, unavailable)
        rng.choice(sets).settle(rng)
    assert sum(sets[0].machines) >= replicas - min(unavailable, replicas)


@pytest.mark.parametrize(
    ("sizes", "before", "replicas", "intents"),
    [
        ([("a", 3), ("b", 1)], 4, 8, {"a": 6, "b": 2}),
        ([("a", 3), ("b", 1)], 4, 4, {}),
        ([("a", 3), ("b", 1)], 4, 0, {"a": 0, "b": 0}),
        ([("a", 2), ("b", 2)], 3, 4, {"a": 3}),
        ([("a", 0)], 0, 3, {"a": 3}),
        ([], 0, 3, {}),
    ],
)
def test_a_paused_rollout_is_scaled_by_share(
    sizes: list[tuple[str, int]], before: int, replicas: int, intents: dict[str, int]
) -> None:
    known = [SetSize(name, spec, spec, spec) for name, spec in sizes]
    assert rollout.scale_proportionally(known, before, replicas) == intents


@given(st.lists(st.integers(0, 20), min_size=1, max_size=4), st.integers(1, 30), st.integers(0, 30))
def test_shares_add_up(specs: list[int], before: int, replicas: int) -> None:
    known = [SetSize(f"s{i}", spec) for i, spec in enumerate(specs)]
    intents = rollout.scale_proportionally(known, before, replicas)
    total = sum(intents.get(s.name, s.spec) for s in known)
    assert total == (sum(specs) if before == replicas else max(sum(specs) + replicas - before, 0) if replicas else 0)
    assert all(size >= 0 for size in intents.values())


def test_nothing_grows_while_a_set_has_not_seen_its_own_latest_size() -> None:
    """A set that was just told to want none may be making the machine that it wanted a moment ago."""
    old = (SetSize("old", 2, 2, 2), SetSize("between", 0, 0))
    unsettled = (old[0], SetSize("between", 0, 0, settled=False))
    assert rollout.plan_rolling_update(Rollout(2, SetSize("new", 0), old, surge=1)) == {"new": 1}
    assert rollout.plan_rolling_update(Rollout(2, SetSize("new", 0), unsettled, surge=1)) == {}


def test_what_another_set_is_about_to_delete_counts_as_gone() -> None:
    """Upstream takes one of the middle set as well: then one machine is available where two are promised."""
    new, middle = SetSize("new", 2, 2), SetSize("middle", 2, 2, 2)
    sizes = (SetSize("oldest", 0, 1, 1), middle)
    assert rollout.plan_rolling_update(Rollout(3, new, sizes, surge=2, unavailable=1)) == {}
    sizes = (SetSize("oldest", 0, 1, 0), middle)
    assert rollout.plan_rolling_update(Rollout(3, new, sizes, surge=2, unavailable=1)) == {}
    sizes = (SetSize("oldest", 0, 1, 1), SetSize("middle", 2, 2, 2))
    new = SetSize("new", 2, 2, 1)
    assert rollout.plan_rolling_update(Rollout(3, new, sizes, surge=2, unavailable=1)) == {"middle": 1}


def test_a_set_that_may_act_on_an_earlier_size_promises_nothing() -> None:
    """It was to have none a moment ago, and is wanted again: its machines may be on their way out."""
    new = SetSize("new", 2, 2, 2, settled=False)
    old = (SetSize("old", 2, 2, 2),)
    assert rollout.plan_rolling_update(Rollout(3, new, old, surge=1, unavailable=1)) == {}


@pytest.mark.parametrize(("next_serves", "intents"), [(False, {"old": 1}), (True, {})])
def test_what_stands_still_is_freed_by_a_machine_that_does_not_serve(
    next_serves: bool, intents: dict[str, int]
) -> None:
    old = SetSize("old", 2, 2, 1, next_serves=next_serves)
    assert rollout.plan_rolling_update(Rollout(3, SetSize("new", 2, 2, 2), (old,), surge=1)) == intents


def test_a_free_place_is_not_free_where_the_machine_that_comes_would_push_out_one_that_serves() -> None:
    """Somebody marked the machine that serves: whatever the set makes beside it, the marked one goes first."""
    new = SetSize("new", 0)
    free, marked = SetSize("old", 3, 2, 2), SetSize("old", 3, 2, 2, next_serves=True)
    assert rollout.plan_rolling_update(Rollout(3, new, (free,), surge=0, unavailable=1)) == {"old": 2}
    assert rollout.plan_rolling_update(Rollout(3, new, (marked,), surge=0, unavailable=1)) == {}
