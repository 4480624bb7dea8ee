"""A cloud and a cluster in memory, on virtual time, that carry out the engine's plans and hold it to its promises."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass, field, replace

from capipool.sdk import engine
from capipool.sdk.engine import Cause, InstanceState, Member, NodeHealth, Picture, Plan, Strategy
from capipool.sdk.engine.decide import available_ids
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
    named: bool = False
    """Whether a plan named it for termination."""


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
        for _ in range(self.desired - len(live)):
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
        self.instances[id] = instance

    def take_away(self, instance: Simulated) -> None:
        """The cloud takes an instance back; the group replaces it."""
        instance.state = InstanceState.TERMINATING
        instance.gone_at = self.now + GONE_AFTER

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
            removing=i.removing and known,
            node=health if known else NodeHealth.ABSENT,
            ready_since=i.ready_since if known else None,
        )

    def step(self, *, dies_after: int = 1_000_000) -> Plan:
        """Observe, decide, apply; the process may die after some actions. Every promise is checked at every action."""
        picture = self.picture()
        plan = engine.decide(picture)
        assert engine.decide(picture) == plan
        self._check_trust(plan)
        actions = [("desired", "")] if plan.desired is not None else []
        actions += [("spare", id) for id in plan.spare]
        actions += [("remove", r.id) for r in plan.removals]
        allowed = {r.id: r.terminate for r in plan.removals}
        for verb, id in actions[:dies_after]:
            if verb == "desired":
                assert plan.desired is not None
                self._set_desired(plan.desired)
            elif verb == "spare":
                self.instances[id].removing = False
                self.instances[id].drained_at = None
            else:
                self._remove(id, allowed=allowed[id], decrement=plan.decrement)
        return plan

    def _check_trust(self, plan: Plan) -> None:
        """Nothing old is begun with while the new revision fails; while it is unproven, only the first."""
        begun = [r for r in plan.removals if r.cause is Cause.OUTDATED and not self.instances[r.id].removing]
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
        self.desired = desired
        self.tick()

    def _remove(self, id: str, *, allowed: bool, decrement: bool) -> None:
        instance = self.instances[id]
        assert not instance.protected
        assert instance.state is not InstanceState.TERMINATING
        needs_drain = instance.ready_since is not None and self.reachable
        if needs_drain and not instance.removing:
            self._check_drain_budget(instance)
            instance.removing = True
            instance.drained_at = self.now + dt.timedelta(seconds=self.rng.choice((0, 1, 5, 40)))
        if needs_drain and instance.drained_at is not None and self.now < instance.drained_at:
            return
        if allowed:
            self._terminate(instance, decrement=decrement)

    def _check_drain_budget(self, instance: Simulated) -> None:
        picture = self.picture()
        working = available_ids(picture)
        if instance.id in working and instance.state is not InstanceState.FAILED:
            steady = sum(i.id in working and not i.removing for i in self.instances.values()) - 1
            unavailable = allowance(self.strategy, picture.wanted).unavailable
            unavailable = max(unavailable, 1) if self.externally_scaled else unavailable
            assert steady >= picture.wanted - unavailable, "too many nodes are drained at once"

    def _terminate(self, instance: Simulated, *, decrement: bool) -> None:
        before = self.picture()
        was_available = instance.id in available_ids(before)
        if was_available:
            assert self.reachable, "an instance that works went while nobody sees its node"
            left = len(available_ids(before)) - 1
            wanted = before.wanted
            unavailable = allowance(self.strategy, wanted).unavailable
            if self.externally_scaled:
                unavailable = max(unavailable, 1)
            assert left >= wanted - unavailable, f"{left} available of {wanted}, {unavailable} may be missing"
        if decrement:
            self.desired -= 1
        self.take_away(instance)
        self.terminated.append(instance.id)

    # --- the end

    def heal(self) -> None:
        """Nothing stands in the way any more: what is sick is remediated, nothing is protected, launches work."""
        self.broken_revisions.clear()
        self.reachable, self.paused = True, False
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
        assert not any(i.removing for i in live)


def with_strategy(pool: Pool, **changes: object) -> None:
    """Edit the strategy."""
    pool.strategy = replace(pool.strategy, **changes)  # type: ignore[arg-type]
