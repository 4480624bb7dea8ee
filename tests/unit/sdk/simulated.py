"""A cloud and a cluster in memory, on virtual time, that carry out the engine's plans and hold it to its promises."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field, replace

from capipool.sdk import engine
from capipool.sdk.engine import Cause, Deletion, InstanceState, Member, NodeHealth, Picture, Plan, Removal, Strategy
from capipool.sdk.engine.crowd import available_ids
from capipool.sdk.engine.strategy import allowance

START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
GONE_AFTER = dt.timedelta(seconds=7)


@dataclass
class Simulated:
    """One instance and its node."""

    id: str
    revision: str
    zone: str
    created: dt.datetime
    boots_at: dt.datetime
    joins_at: dt.datetime
    state: InstanceState = InstanceState.PENDING
    gone_at: dt.datetime | None = None
    ready_since: dt.datetime | None = None
    broken: bool = False
    silent: bool = False
    protected: bool = False
    marked: bool = False
    remediate: bool = False
    removing: bool = False
    drained_at: dt.datetime | None = None
    machine_at: dt.datetime | None = None
    """When its Machine is there; None where the pool shows none."""
    deletion: Deletion = Deletion.NONE


@dataclass
class Pool:
    """What the user wants, and what the cloud has."""

    rng: random.Random
    strategy: Strategy = field(default_factory=Strategy)
    replicas: int = 3
    min_ready_seconds: int = 0
    revision: int = 1
    desired: int = 0
    now: dt.datetime = START
    instances: dict[str, Simulated] = field(default_factory=dict)
    broken_revisions: set[int] = field(default_factory=set)
    reachable: bool = True
    externally_scaled: bool = False
    machines: bool = False
    """Whether instances have Machines, from some time after their launch on."""
    capacity: int = 1_000_000
    """How many instances the cloud has room for, those on their way out included."""
    operation_until: dt.datetime = START
    """The cloud is busy with the group, and takes no orders."""
    paused: bool = False
    launched: int = 0
    terminated: list[str] = field(default_factory=list)

    # --- the world goes on

    def advance(self, seconds: float) -> None:
        """Let time pass in steps of a second, so that nothing happens unseen."""
        until = self.now + dt.timedelta(seconds=seconds)
        while self.now < until:
            self.now = min(self.now + dt.timedelta(seconds=1), until)
            self.tick()

    def tick(self) -> None:
        for instance in list(self.instances.values()):
            self._live_on(instance)
        live = [i for i in self.instances.values() if i.state is not InstanceState.TERMINATING]
        assert len(live) <= self.desired, "the cloud would have to choose a victim"
        for _ in range(min(self.desired - len(live), self.capacity - len(self.instances))):
            self._launch()

    def _live_on(self, i: Simulated) -> None:
        if i.state is InstanceState.TERMINATING:
            assert i.gone_at is not None
            if self.now >= i.gone_at:
                del self.instances[i.id]
        elif i.state is InstanceState.PENDING and self.now >= i.boots_at:
            i.state = InstanceState.FAILED if i.broken else InstanceState.RUNNING
        ready = i.state is InstanceState.RUNNING and self.now >= i.joins_at and not i.silent
        i.ready_since = (i.ready_since or self.now) if ready else None

    def _launch(self) -> None:
        self.launched += 1
        boots = self.now + dt.timedelta(seconds=self.rng.choice((0, 1, 3, 20)))
        id = f"i-{self.launched}"
        zone = self.rng.choice("abc")
        joins = boots + dt.timedelta(seconds=self.rng.choice((0, 2, 9)))
        instance = Simulated(id, str(self.revision), zone, self.now, boots, joins)
        instance.broken = self.revision in self.broken_revisions
        if self.machines:
            instance.machine_at = self.now + dt.timedelta(seconds=self.rng.choice((0, 1, 4)))
        self.instances[id] = instance

    def take_away(self, instance: Simulated) -> None:
        """The cloud takes an instance back; the group replaces it."""
        instance.state = InstanceState.TERMINATING
        instance.gone_at = self.now + GONE_AFTER

    def delete_machine(self, instance: Simulated, *, by_check: bool = False) -> None:
        """Somebody deletes a Machine: it is drained, and its instance goes then."""
        if instance.deletion is Deletion.NONE and self.has_machine(instance):
            instance.deletion = Deletion.ORDERED
            instance.remediate = by_check
            instance.drained_at = self.now + dt.timedelta(seconds=self.rng.choice((0, 1, 5, 40)))

    def scale_from_outside(self, on: bool, desired: int) -> None:
        """Somebody else owns the number of instances from now on, or no longer."""
        self.externally_scaled = on
        if on:
            live = sum(i.state is not InstanceState.TERMINATING for i in self.instances.values())
            self.desired = max(live, desired)

    def has_machine(self, instance: Simulated) -> bool:
        return instance.machine_at is not None and self.now >= instance.machine_at

    def pick(self) -> Simulated | None:
        live = [i for i in self.instances.values() if i.state is not InstanceState.TERMINATING]
        return self.rng.choice(live) if live else None

    # --- the engine acts

    def picture(self) -> Picture:
        return Picture(
            now=self.now,
            replicas=self.replicas,
            desired=self.desired,
            revision=str(self.revision),
            members=tuple(self._member(i) for i in self.instances.values()),
            strategy=self.strategy,
            min_ready_seconds=self.min_ready_seconds,
            externally_scaled=self.externally_scaled,
            nodes_known=self.reachable,
            operation="an update" if self.now < self.operation_until else "",
            paused=self.paused,
        )

    def _member(self, i: Simulated) -> Member:
        health = NodeHealth.READY if i.ready_since else NodeHealth.ABSENT
        if i.silent and self.now >= i.joins_at:
            health = NodeHealth.NOT_READY
        known = self.reachable
        return Member(
            id=i.id,
            state=i.state,
            revision=i.revision,
            zone=i.zone,
            created=i.created,
            protected=i.protected,
            marked=i.marked,
            remediate=i.remediate,
            removing=(i.removing and known) or i.deletion is not Deletion.NONE,
            deletion=i.deletion,
            drained=i.deletion is not Deletion.NONE and i.drained_at is not None and self.now >= i.drained_at,
            node=health if known else NodeHealth.ABSENT,
            ready_since=i.ready_since if known else None,
        )

    def step(self, *, dies_after: int = 1_000_000) -> Plan:
        """Observe, decide, apply; the process may die after some actions. Every promise is checked at every action."""
        picture = self.picture()
        plan = engine.decide(picture)
        assert engine.decide(picture) == plan
        self._check_trust(plan)
        self._check_health_check(picture, plan)
        actions = [("desired", "")] if plan.desired is not None else []
        actions += [("spare", id) for id in plan.spare]
        actions += [("remove", r.id) for r in plan.removals]
        removals = {r.id: r for r in plan.removals}
        for verb, id in actions[:dies_after]:
            if verb == "desired":
                assert plan.desired is not None
                self._set_desired(plan.desired)
            elif verb == "spare":
                assert self.instances[id].deletion is Deletion.NONE, "the deletion of a Machine cannot be called off"
                self.instances[id].removing = False
                self.instances[id].drained_at = None
            else:
                self._remove(removals[id])
        return plan

    def _check_trust(self, plan: Plan) -> None:
        """Nothing old is begun with while the new revision fails; while it is unproven, only the first."""
        old = (self.instances[r.id] for r in plan.removals if r.cause is Cause.OUTDATED)
        begun = [i for i in old if not i.removing and i.deletion is Deletion.NONE]
        current = [i for i in self.instances.values() if i.revision == str(self.revision) and i.gone_at is None]
        working = available_ids(self.picture())
        if any(i.state is InstanceState.FAILED for i in current):
            assert not begun, "an old instance goes although a new one failed"
        if self.strategy.canary and not any(i.id in working for i in current):
            assert len(begun) <= (0 if current else 1), "more than one goes before the first new one works"

    def _set_desired(self, desired: int) -> None:
        assert not self.externally_scaled, "desired belongs to somebody else"
        live = sum(i.state is not InstanceState.TERMINATING for i in self.instances.values())
        assert desired >= live, "lowering desired makes the cloud choose a victim"
        if desired > self.desired:
            total = desired + len(self.instances) - live
            limit = self.picture().wanted + allowance(self.strategy, self.picture().wanted).surge
            assert total <= limit, f"{total} instances would be more than {limit}"
        if desired - live > self.capacity - len(self.instances):
            return  # refused: no room
        self.desired = desired
        self.tick()

    def _remove(self, removal: Removal) -> None:
        instance = self.instances[removal.id]
        assert not instance.protected or instance.deletion is not Deletion.NONE
        assert instance.state is not InstanceState.TERMINATING
        if self.has_machine(instance):
            if instance.deletion is Deletion.NONE:
                self._check_drain_budget(instance)
                instance.deletion = Deletion.PLANNED
                instance.drained_at = self.now + dt.timedelta(seconds=self.rng.choice((0, 1, 5, 40)))
            drained = instance.drained_at is not None and self.now >= instance.drained_at
        else:
            drained = self._drained(instance)
        if drained and removal.terminate:
            self._terminate(instance, removal)

    def _drained(self, instance: Simulated) -> bool:
        """Drain its node without a Machine."""
        if instance.ready_since is None or not self.reachable:
            return True
        if not instance.removing:
            self._check_drain_budget(instance)
            instance.removing = True
            instance.drained_at = self.now + dt.timedelta(seconds=self.rng.choice((0, 1, 5, 40)))
        return instance.drained_at is not None and self.now >= instance.drained_at

    def _check_drain_budget(self, instance: Simulated) -> None:
        picture = self.picture()
        working = available_ids(picture)
        if instance.id in working and instance.state is not InstanceState.FAILED:
            going = {i.id for i in self.instances.values() if i.removing or i.deletion is not Deletion.NONE}
            steady = len(working - going) - 1
            unavailable = allowance(self.strategy, picture.wanted).unavailable
            unavailable = max(unavailable, 1) if self.externally_scaled else unavailable
            assert steady >= picture.wanted - unavailable, "too many nodes are drained at once"

    def _terminate(self, instance: Simulated, removal: Removal) -> None:
        before = self.picture()
        was_available = instance.id in available_ids(before)
        if was_available and instance.deletion is not Deletion.ORDERED:
            assert self.reachable, "an instance that works went while nobody sees its node"
            left = len(available_ids(before)) - 1
            wanted = before.wanted
            unavailable = allowance(self.strategy, wanted).unavailable
            if self.externally_scaled:
                unavailable = max(unavailable, 1)
            assert left >= wanted - unavailable, f"{left} available of {wanted}, {unavailable} may be missing"
        if removal.decrement:
            self.desired -= 1
        self.take_away(instance)
        self.terminated.append(instance.id)

    def _check_health_check(self, before: Picture, plan: Plan) -> None:
        """However many Machines a health check deletes at once, their instances go a few at a time."""
        given_up = {i.id for i in self.instances.values() if i.remediate and i.deletion is Deletion.ORDERED}
        going = sum(r.terminate and r.cause is Cause.REMEDIATION and r.id in given_up for r in plan.removals)
        leaving = sum(m.state is InstanceState.TERMINATING for m in before.members)
        allowed = allowance(self.strategy, before.wanted)
        most = max(allowed.unavailable, 1) if self.externally_scaled else allowed.surge + allowed.unavailable
        assert not going or going + leaving <= most, f"{going} go beside {leaving}, and {most} may"

    # --- the end

    def heal(self) -> None:
        """Nothing stands in the way any more: what is sick is remediated, nothing is protected, launches work."""
        self.broken_revisions.clear()
        self.reachable, self.paused = True, False
        self.capacity, self.operation_until = 1_000_000, self.now
        for i in self.instances.values():
            i.protected = i.marked = False
            i.remediate = i.silent
            i.broken = False

    def settle(self, hours: float = 6) -> None:
        """Step until the plan is idle. Raises AssertionError where that never happens."""
        end = self.now + dt.timedelta(hours=hours)
        while self.now < end:
            if self.step().idle:
                return
            self.advance(5)
        raise AssertionError(f"no end in sight: {engine.decide(self.picture())}")

    def check_rest(self) -> None:
        live = [i for i in self.instances.values() if i.state is not InstanceState.TERMINATING]
        wanted = self.picture().wanted
        assert len(live) == self.desired == wanted
        assert {i.revision for i in live} <= {str(self.revision)}
        assert all(i.ready_since for i in live)
        assert not any(i.removing or i.deletion for i in live)


def with_strategy(pool: Pool, **changes: object) -> None:
    """Edit the strategy."""
    pool.strategy = replace(pool.strategy, **changes)  # type: ignore[arg-type]
