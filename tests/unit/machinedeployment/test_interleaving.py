"""Controllers of a deployment and its sets at work at the same time, each on what it read a while ago.

A model of single machines: the planner, a pass of a set from its reading to its last write, machines that come up and
go, and a deployment whose template changes to and fro. Nobody harms a machine, so the promises hold at every instant:
never more machines than `replicas + surge`, never fewer available ones than `replicas - unavailable`.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.core.machinedeployment import rollout
from capipool.core.machinedeployment.rollout import Rollout, SetSize


@dataclass(eq=False)
class Machine:
    """One machine; `marked` by somebody as the one to go first."""

    available: bool = False
    going: bool = False
    marked: bool = False

    @property
    def serves(self) -> bool:
        return self.available and not self.going


@dataclass(eq=False)
class Set:
    """A MachineSet, and the pass over it that is under way."""

    name: str
    spec: int = 0
    generation: int = 1
    seen: int = 0
    machines: list[Machine] = field(default_factory=list)
    writes: list[Machine | None] | None = None
    """What is still to be written in this pass: machines to delete, None for one to make. None between passes."""
    read: int = 0

    def size(self) -> SetSize:
        return SetSize(
            self.name,
            self.spec,
            len(self.machines),
            sum(m.serves for m in self.machines),
            going=sum(m.going for m in self.machines),
            settled=self.seen == self.generation,
            next_serves=any(m.serves for m in self.order()[:1]),
        )

    def order(self) -> list[Machine]:
        return sorted(self.machines, key=lambda m: (not m.going, not m.marked, m.available))

    def resize(self, spec: int) -> None:
        self.generation += spec != self.spec
        self.spec = spec

    def step(self) -> None:
        """Begin a pass, write one thing more, or end the pass by telling what was read."""
        if self.writes is None:
            excess = len(self.machines) - self.spec
            picked = self.order()[: max(excess, 0)]
            self.writes, self.read = [*picked, *[None] * -excess], self.generation
        elif self.writes:
            machine = self.writes.pop(0)
            if machine is None:
                self.machines.append(Machine())
            else:
                machine.going = True
        else:
            self.writes, self.seen = None, self.read


@dataclass(eq=False)
class Model:
    """A deployment with a set for each of its templates."""

    replicas: int
    surge: int
    unavailable: int
    rng: random.Random
    sets: list[Set] = field(default_factory=lambda: [Set("v0")])
    new: int = 0

    def plan(self) -> None:
        old = tuple(s.size() for s in self.sets if s is not self.sets[self.new])
        world = Rollout(self.replicas, self.sets[self.new].size(), old, self.surge, self.unavailable)
        intents = rollout.plan_rolling_update(world)
        for s in self.sets:
            s.resize(intents.get(s.name, s.spec))

    def edit(self) -> None:
        """Another template, or one that there was before."""
        self.new = self.rng.randrange(min(len(self.sets) + 1, 4))
        if self.new == len(self.sets):
            self.sets.append(Set(f"v{self.new}"))

    def mark(self) -> None:
        """Somebody wants one machine to go first; where its set is deleting one already, that is harm."""
        if machines := [m for s in self.sets if s.spec >= len(s.machines) for m in s.machines]:
            self.rng.choice(machines).marked = True

    def machine_moves(self) -> None:
        if machines := [m for s in self.sets for m in s.machines if m.going or not m.available]:
            chosen = self.rng.choice(machines)
            if chosen.going:
                for s in self.sets:
                    s.machines = [m for m in s.machines if m is not chosen]
            else:
                chosen.available = True

    def step(self) -> None:
        match self.rng.randrange(8):
            case 0 | 1:
                self.plan()
            case 2 | 3 | 4 | 5:
                self.rng.choice(self.sets).step()
            case 6:
                self.machine_moves()

    def machines(self) -> list[Machine]:
        return [m for s in self.sets for m in s.machines]

    def serving(self) -> int:
        return sum(m.serves for m in self.machines())

    def is_done(self) -> bool:
        new = self.sets[self.new]
        return len(self.machines()) == len(new.machines) == self.replicas == self.serving()

    def rest(self) -> bool:
        """Take steps until the rollout is complete. False where it never is."""
        for _ in range(5000):
            if self.is_done():
                return True
            self.step()
        return False


limits = st.tuples(st.integers(1, 5), st.integers(0, 3), st.integers(0, 3)).filter(lambda n: n[1] + n[2] > 0)


@settings(max_examples=300, deadline=None)
@given(limits, st.integers(0, 10**9))
def test_promises_hold_whoever_acts_on_what_was_read_a_while_ago(numbers: tuple[int, int, int], seed: int) -> None:
    replicas, surge, unavailable = numbers
    model = Model(replicas, surge, unavailable, random.Random(seed))
    assert model.rest()
    least = replicas - min(unavailable, replicas)
    for _ in range(400):
        if model.rng.random() < 0.03:
            model.edit()
        if model.rng.random() < 0.01:
            model.mark()
        model.step()
        assert len(model.machines()) <= replicas + surge
        assert model.serving() >= least
    assert model.rest()
