"""How far a rollout goes in this pass: the planner. Numbers in, numbers out.

A pass looks at the sizes of the new and the old MachineSets and says which of them get another `spec.replicas`: a
mapping that names only those that change ("intents"). It never assumes which machine a MachineSet will delete: scaling
a set down may cost available machines, so what is deleted always counts as available until the opposite is certain.

Source of the rules: upstream's rollout planner (internal/controllers/machinedeployment); cases in the shared facts.
Upstream counts a machine that another set is about to delete as available still, and takes one more on its account.
Here only those count that are sure to stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from capipool.machinery import percentages

Intents = Mapping[str, int]
"""Planned `spec.replicas` by MachineSet; a set that is not named stays as it is."""


@dataclass(frozen=True, slots=True)
class SetSize:
    """A MachineSet, as far as a rollout looks at it."""

    name: str
    spec: int
    """Replicas wanted."""
    status: int = 0
    """Machines there are, those being deleted included."""
    available: int = 0
    """Machines that serve, of those that are not being deleted."""
    up_to_date: int = 0
    going: int = 0
    """Machines that are being deleted. A set counts them first when it is to have fewer."""
    settled: bool = True
    """Whether it has acted on its own latest size. If not, it may be acting on an earlier one still."""
    next_serves: bool = False
    """Whether the machine that it would delete next is an available one."""

    @property
    def may_have(self) -> int:
        """Machines that it has, and those that it may be making now, if an available one would have to go for them."""
        return max(self.status, self.spec) if self.next_serves else self.status

    def stay(self, size: int) -> int:
        """How many available machines are sure to stay if it is told to have so many, whichever it deletes."""
        deleted = max(self.may_have - self.going - size, 0)
        return max(self.available - deleted, 0) if self.settled else 0


@dataclass(frozen=True, slots=True)
class Rollout:
    """A deployment in the middle of things, or at rest."""

    replicas: int
    new: SetSize
    old: tuple[SetSize, ...] = ()
    """Oldest first."""
    surge: int = 0
    unavailable: int = 0
    in_place: frozenset[str] = frozenset()
    """Old sets whose machines can be updated without being replaced."""
    updating: bool = False
    """Whether a machine is being updated in place now."""

    @property
    def sets(self) -> tuple[SetSize, ...]:
        """Old and new."""
        return (*self.old, self.new)

    @property
    def settled(self) -> bool:
        """Whether all sets have seen their own latest sizes. If not, one may be making machines still."""
        return all(s.settled for s in self.sets)

    @property
    def min_available(self) -> int:
        """Below this number of available machines nothing is taken away."""
        return max(self.replicas - min(self.unavailable, self.replicas), 0)


def resolve_fenceposts(max_surge: int | str, max_unavailable: int | str, replicas: int) -> tuple[int, int]:
    """Surge (rounded up) and unavailable (rounded down) as numbers. Never both zero: a rollout could not begin.

    Raises ValueError on text that is no percentage.
    """
    surge = percentages.scaled(max_surge, replicas, round_up=True)
    unavailable = percentages.scaled(max_unavailable, replicas, round_up=False)
    return surge, unavailable if surge or unavailable else 1


def max_unavailable(max_surge: int | str, unavailable: int | str, replicas: int) -> int:
    """How many machines may be missing: never more than are wanted."""
    return min(resolve_fenceposts(max_surge, unavailable, replicas)[1], replicas)


def plan_rolling_update(rollout: Rollout) -> Intents:
    """One pass of `RollingUpdate`: grow the new set as surge allows, shrink old ones as availability allows."""
    intents = plan_new(rollout, surge=rollout.surge)
    intents = plan_old(rollout, intents)
    intents = prefer_in_place(rollout, intents)
    return break_deadlock(rollout, intents)


def plan_on_delete(rollout: Rollout) -> Intents:
    """One pass of `OnDelete`: the new set fills the gaps that deleted machines leave; old ones follow what is left."""
    return plan_old_on_delete(rollout, plan_new(rollout, surge=0))


def plan_new(rollout: Rollout, *, surge: int) -> Intents:
    """The size of the new set. Scaling it down to the deployment's size does not ask for availability, as upstream."""
    size = new_replicas(rollout, surge=surge)
    return {} if size == rollout.new.spec else {rollout.new.name: size}


def new_replicas(rollout: Rollout, *, surge: int) -> int:
    """How large the new set may be now, at most as large as the deployment wants."""
    new = rollout.new.spec
    if new >= rollout.replicas:
        return rollout.replicas
    return new + max(_room(rollout, surge), 0)


def _room(rollout: Rollout, surge: int) -> int:
    """Machines that may be added. Each set counts with the larger of what it has and what it is to have."""
    if not rollout.settled:
        return 0
    there = sum(max(s.spec, s.status) for s in rollout.sets)
    return min(rollout.replicas + surge - there, rollout.replicas - rollout.new.spec)


def plan_old(rollout: Rollout, intents: Intents) -> Intents:
    """Shrink old sets: first where machines are unavailable, then the oldest, never below `min_available`."""
    spec = sum(s.spec for s in rollout.sets)
    budget = spec - _pending_scale_down(rollout.sets, intents) - rollout.min_available
    if budget <= 0 or not any(s.spec for s in rollout.old):
        return intents
    staying = {s.name: s.stay(min(s.spec, intents.get(s.name, s.spec))) for s in rollout.sets}
    shrink = _Shrink(dict(intents), budget, staying, rollout.min_available)
    for old in rollout.old:
        shrink.take(old, only_unavailable=True)
    for old in rollout.old:
        shrink.take(old, only_unavailable=False)
    return shrink.intents


def _pending_scale_down(sets: Iterable[SetSize], intents: Intents) -> int:
    """Machines that are there and already have to go, by an earlier pass or by this one."""
    return sum(max(s.status - min(s.spec, intents.get(s.name, s.spec)), 0) for s in sets)


@dataclass(slots=True)
class _Shrink:
    """What is left to take from old sets, in one pass."""

    intents: dict[str, int]
    budget: int
    staying: dict[str, int]
    """Available machines that are sure to stay, by set."""
    min_available: int

    def take(self, old: SetSize, *, only_unavailable: bool) -> None:
        replicas = self.intents.get(old.name, old.spec)
        most = max(replicas - old.available, 0) if only_unavailable else replicas
        less = min(most, self.budget)
        if less > 0 and old.available > 0:
            less = self._without_breach(old, replicas, less)
        if less <= 0:
            return
        self.intents[old.name] = replicas - less
        self.staying[old.name] = old.stay(replicas - less)
        self.budget -= less

    def _without_breach(self, old: SetSize, replicas: int, less: int) -> int:
        """As much of it as keeps enough available, even if the set deletes available machines first.

        Nothing of a set that may be making a machine yet: it would have to delete one, and maybe another.
        """
        if not old.settled:
            return 0
        others = sum(self.staying.values()) - self.staying[old.name]
        spare = max(others + old.available - self.min_available, 0)
        if old.may_have - (replicas - less) > spare:
            less = max(replicas - min(old.may_have - spare, replicas), 0)
        return less


def break_deadlock(rollout: Rollout, intents: Intents) -> Intents:
    """Take one machine from an old set with unavailable ones where nothing moves any more.

    `plan_old` never counts on the unavailable machine being the one that goes; when all else stands still and the new
    set is well, somebody has to. Not where somebody marked an available one to go first.
    """
    machines = sum(s.status for s in rollout.old)
    if machines == sum(s.available for s in rollout.old) or intents:
        return intents
    if any(s.spec != s.status for s in rollout.sets) or rollout.new.available != rollout.new.status:
        return intents
    if not rollout.settled:
        return intents
    stuck = next((s for s in rollout.old if s.available != s.status and s.spec > 0 and not s.next_serves), None)
    return {**intents, stuck.name: stuck.spec - 1} if stuck is not None else intents


def plan_old_on_delete(rollout: Rollout, intents: Intents) -> Intents:
    """Let old sets want no more than they have; take the rest of a scale-down from the oldest."""
    result = dict(intents)
    wanted = sum(s.spec for s in rollout.old)
    excess = max(wanted + result.get(rollout.new.name, rollout.new.spec) - rollout.replicas, 0)
    for old in rollout.old:
        if (missing := old.spec - old.status) > 0:
            result[old.name] = old.status
            excess -= missing
    for old in rollout.old:
        size = result.get(old.name, old.spec)
        if excess > 0 and size > 0:
            result[old.name] = size - min(size, excess)
            excess -= min(size, excess)
    return result


def scale_proportionally(sizes: Iterable[SetSize], before: int, replicas: int) -> Intents:
    """Spread a change of the deployment's size over its sets while a rollout is paused, each by its share.

    `before` is the deployment's size when the sets were written last. What rounding leaves over goes to the largest.
    """
    known = sorted(sizes, key=lambda s: (-s.spec, s.name))
    if before == replicas or not known:
        return {}
    if before <= 0:
        return {known[0].name: replicas}
    total = sum(s.spec for s in known)
    target = max(total + replicas - before, 0) if replicas else 0
    result = {s.name: s.spec * target // total if total else 0 for s in known}
    result[known[0].name] += target - sum(result.values())
    return {s.name: result[s.name] for s in known if result[s.name] != s.spec}


def in_place_candidates(rollout: Rollout) -> tuple[str, ...]:
    """Old sets that hand their machines to the new set instead of deleting them."""
    if rollout.new.spec >= rollout.replicas:
        return ()
    return tuple(sorted(s.name for s in rollout.old if s.status > 0 and s.name in rollout.in_place))


def prefer_in_place(rollout: Rollout, intents: Intents) -> Intents:
    """Make no machines for the sake of surge while machines can be updated in place.

    Updates in place count as unavailable while they last, so one machine of the surge is used where nothing else moves.
    """
    new = rollout.new
    grow = intents.get(new.name, new.spec) - new.spec
    if grow <= 0 or not in_place_candidates(rollout):
        return intents
    without_surge = max(grow - rollout.surge, 0)
    if without_surge == 0 and not _is_moving(rollout, intents):
        without_surge = 1
    rest = {name: size for name, size in intents.items() if name != new.name}
    return {**rest, new.name: new.spec + without_surge} if without_surge else rest


def _is_moving(rollout: Rollout, intents: Intents) -> bool:
    new = rollout.new
    if rollout.updating or any(new.spec != n for n in (new.status, new.up_to_date, new.available)):
        return True
    return any(s.spec < s.status or intents.get(s.name, s.spec) < s.spec for s in rollout.old)


def acknowledge_moves(new: SetSize, known: Iterable[str], pending: Iterable[str]) -> tuple[int, tuple[str, ...]]:
    """Count machines that were moved to the new set once each: its new size, and the names to remember.

    `known` are those counted before, `pending` those whose move is not closed yet.
    """
    names = tuple(sorted(pending))
    return new.spec + len(set(names) - set(known)), names
