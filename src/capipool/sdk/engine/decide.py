"""The decision: scale up, scale down, replace what failed, roll what is outdated, within one budget for all of it.

The promises, which a state machine test holds over thousands of random histories:
- available instances never fall below wanted - maxUnavailable because of what is planned here;
- all instances together, those on their way out included, never rise above wanted + maxSurge because of it;
- no instance goes that a plan does not name, and the cloud is never made to choose;
- protected instances stay; a removal once begun is finished or called off, never forgotten;
- the first instance of a new revision goes alone; when one fails, no further old one is touched.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from capipool.sdk.engine import victims
from capipool.sdk.engine.picture import InstanceState, Member, NodeHealth, Picture
from capipool.sdk.engine.plan import Cause, Plan, Removal, Wait
from capipool.sdk.engine.strategy import Allowance, RolloutMode, allowance


def decide(picture: Picture) -> Plan:
    """Plan one step. Pure and total; deciding again on the same picture gives the same plan."""
    if picture.paused:
        return Plan(waits=(Wait("Paused", "reconciliation is paused"),))
    if picture.operation:
        return Plan(waits=(Wait("OperationInProgress", f"the cloud is busy with {picture.operation}"),))
    crowd = _Crowd.of(picture)
    removals = _Choice(picture, crowd).made()
    chosen = {r.id for r in removals}
    return Plan(
        desired=_desired(picture, crowd),
        removals=removals,
        decrement=not picture.externally_scaled,
        spare=_spared(picture, crowd, chosen),
        waits=_waits(picture, crowd, removals),
        recheck=_recheck(picture, crowd),
    )


def available_ids(picture: Picture) -> frozenset[str]:
    """The members that do their work: running, and their node ready for long enough."""
    return frozenset(m.id for m in picture.members if _available_at(m, picture) is not None and _is_up(m, picture))


def outdated(picture: Picture) -> tuple[Member, ...]:
    """The members, not yet on their way out, that were launched from another revision."""
    return tuple(m for m in _live(picture.members) if m.revision not in ("", picture.revision))


@dataclass(frozen=True, slots=True)
class _Crowd:
    """The members, sorted."""

    live: tuple[Member, ...]
    """All that are not on their way out, failed ones included: each takes a place in the group."""
    leaving: int
    available: frozenset[str]
    outdated: tuple[Member, ...]
    current: tuple[Member, ...]
    allowance: Allowance
    failing: tuple[Member, ...]
    """Instances of the current revision that failed."""
    proven: bool
    """Whether the current revision is known to work: an instance of it is available."""

    @classmethod
    def of(cls, picture: Picture) -> _Crowd:
        live = _live(picture.members)
        old = outdated(picture)
        ids = {m.id for m in old}
        current = tuple(m for m in live if m.id not in ids)
        available = available_ids(picture)
        allowed = allowance(picture.strategy, picture.wanted)
        if picture.externally_scaled:  # there can be no surge where desired is not ours to set
            allowed = Allowance(0, max(allowed.unavailable, 1))
        return cls(
            live=live,
            leaving=len(picture.members) - len(live),
            available=available,
            outdated=old,
            current=current,
            allowance=allowed,
            failing=tuple(m for m in current if m.state is InstanceState.FAILED),
            proven=not picture.strategy.canary or any(m.id in available for m in current),
        )

    @property
    def steady(self) -> tuple[Member, ...]:
        """Live members whose removal has not begun."""
        return tuple(m for m in self.live if not m.removing)


def _live(members: Iterable[Member]) -> tuple[Member, ...]:
    return tuple(m for m in members if m.state is not InstanceState.TERMINATING)


def _available_at(member: Member, picture: Picture) -> dt.datetime | None:
    """When it becomes or became available, if its node is ready."""
    if member.state is not InstanceState.RUNNING or member.node is not NodeHealth.READY:
        return None
    since = member.ready_since or member.created or picture.now
    return since + dt.timedelta(seconds=picture.min_ready_seconds)


def _is_up(member: Member, picture: Picture) -> bool:
    moment = _available_at(member, picture)
    return moment is not None and (moment < picture.now or picture.min_ready_seconds <= 0)


def _rolling(picture: Picture, crowd: _Crowd) -> bool:
    """Whether the engine is to replace outdated instances."""
    return picture.strategy.mode is RolloutMode.MANAGED and bool(crowd.outdated)


def _surge(picture: Picture, crowd: _Crowd) -> int:
    """How many instances over the wanted number to launch for the rollout, now."""
    if not _rolling(picture, crowd) or crowd.failing or not picture.nodes_known:
        return 0
    most = min(crowd.allowance.surge, len(crowd.outdated))
    if crowd.proven:
        return most
    return min(most, 1) if not crowd.current else 0


def _desired(picture: Picture, crowd: _Crowd) -> int | None:
    """What to set the group to. Lowered only as far as there are instances, so that the cloud need not choose."""
    if picture.externally_scaled:
        return None
    wanted = picture.wanted + _surge(picture, crowd)
    target = min(wanted, picture.wanted + crowd.allowance.surge - crowd.leaving)
    if target > picture.desired:
        return target
    lowest = max(target, len(crowd.live))
    return lowest if lowest < picture.desired else None


class _Choice:
    """Chooses who goes, cause by cause, while two budgets last.

    `_spare_available` is how many available instances may still be taken, `_spare_live` how many of any sort: a node
    that is not ready now may be back in a minute, so even those are not taken all at once.
    """

    def __init__(self, picture: Picture, crowd: _Crowd) -> None:
        self._picture = picture
        self._crowd = crowd
        self._chosen: dict[str, tuple[Member, Cause]] = {}
        floor = picture.wanted - crowd.allowance.unavailable
        steady = crowd.steady
        self._spare_available = sum(m.id in crowd.available for m in steady) - floor
        self._spare_live = sum(m.state is not InstanceState.FAILED for m in steady) - floor

    def made(self) -> tuple[Removal, ...]:
        """The removals, those that have begun first."""
        self._failed()
        if self._picture.nodes_known:
            self._remediated()
            self._surplus()
            self._rollout()
        return self._gated()

    def _failed(self) -> None:
        for member in self._ordered(m for m in self._crowd.live if m.state is InstanceState.FAILED):
            if _replaceable_at(member, self._picture) <= self._picture.now:
                self._chosen[member.id] = (member, Cause.FAILED)

    def _remediated(self) -> None:
        """Replace what a health check gave up: no more on their way out at once than surge and unavailability allow.

        What does not work anyway costs no availability: it goes also where none may be missing.
        """
        sick = [m for m in self._crowd.live if m.remediate]
        allowed = self._crowd.allowance
        places = allowed.surge + allowed.unavailable - self._crowd.leaving - sum(m.removing for m in sick)
        for member in self._ordered(sick):
            if member.removing:
                self._chosen.setdefault(member.id, (member, Cause.REMEDIATION))
            elif places > 0 and member.id not in self._chosen:
                places -= self._remediate(member)

    def _remediate(self, member: Member) -> bool:
        if member.id in self._crowd.available:
            return self._take(member, Cause.REMEDIATION)
        self._chosen[member.id] = (member, Cause.REMEDIATION)
        return True

    def _surplus(self) -> None:
        """Scale down. What the rollout launched on top is no surplus, also while the rollout stands still."""
        if self._picture.externally_scaled:
            return
        places = self._picture.wanted
        if _rolling(self._picture, self._crowd):
            places += min(self._crowd.allowance.surge, len(self._crowd.outdated), len(self._crowd.current))
        surplus = len(self._crowd.live) - len(self._chosen) - places
        if surplus <= 0:
            return
        for member in self._ordered(m for m in self._crowd.live if m.id not in self._chosen):
            surplus -= self._take(member, Cause.SCALE_DOWN)
            if surplus == 0:
                return

    def _rollout(self) -> None:
        if not _rolling(self._picture, self._crowd):
            return
        left = [m for m in self._crowd.outdated if m.id not in self._chosen]
        fresh = self._may_begin()
        for member in self._ordered(left):
            if member.removing:
                self._take(member, Cause.OUTDATED)
            elif fresh > 0:
                fresh -= self._take(member, Cause.OUTDATED)

    def _may_begin(self) -> int:
        """How many outdated instances may be taken on anew, as far as trust in the new revision goes."""
        crowd = self._crowd
        if crowd.failing:
            return 0
        if crowd.proven:
            return len(crowd.outdated)
        if crowd.allowance.surge:
            return 0  # the first one comes on top
        launching = max(self._picture.desired - len(crowd.live), 0)
        going = sum(m.removing for m in crowd.outdated) + len(self._chosen.keys() & {m.id for m in crowd.outdated})
        return max(1 - len(crowd.current) - launching - going - crowd.leaving, 0)

    def _take(self, member: Member, cause: Cause) -> bool:
        """Take one if the budget allows; one whose removal has begun was paid for then, one that failed is free."""
        if member.id in self._chosen:
            return False
        if not member.removing and member.state is not InstanceState.FAILED:
            available = member.id in self._crowd.available
            if self._spare_live <= 0 or (available and self._spare_available <= 0):
                return False
            self._spare_live -= 1
            self._spare_available -= available
        self._chosen[member.id] = (member, cause)
        return True

    def _ordered(self, candidates: Iterable[Member]) -> Iterable[Member]:
        return victims.ordered(self._picture, candidates, available=self._crowd.available)

    def _gated(self) -> tuple[Removal, ...]:
        """Allow terminations only as far as those that work now, drained ones included, suffice."""
        left = len(self._crowd.available)
        floor = self._picture.wanted - self._crowd.allowance.unavailable
        removals = []
        for member, cause in sorted(self._chosen.values(), key=lambda c: not c[0].removing):
            allowed = member.id not in self._crowd.available or left > floor
            left -= allowed and member.id in self._crowd.available
            removals.append(Removal(member.id, cause, allowed))
        return tuple(removals)


def _replaceable_at(member: Member, picture: Picture) -> dt.datetime:
    """When a failed instance may be replaced."""
    return picture.now if member.created is None else member.created + picture.strategy.failure_backoff


def _spared(picture: Picture, crowd: _Crowd, chosen: set[str]) -> tuple[str, ...]:
    """Begun removals to call off: none while nobody knows the nodes, since they cannot be uncordoned either."""
    if not picture.nodes_known:
        return ()
    return tuple(m.id for m in crowd.live if m.removing and m.id not in chosen)


def _recheck(picture: Picture, crowd: _Crowd) -> dt.datetime | None:
    """The next moment at which time alone changes the decision."""
    moments = [_replaceable_at(m, picture) for m in crowd.live if m.state is InstanceState.FAILED]
    if picture.min_ready_seconds > 0:
        moments += [at for m in crowd.live if (at := _available_at(m, picture)) is not None]
    # A node is available only after that moment, not at it.
    return min((m + dt.timedelta(milliseconds=1) for m in moments if m >= picture.now), default=None)


def _waits(picture: Picture, crowd: _Crowd, removals: tuple[Removal, ...]) -> tuple[Wait, ...]:
    """What stands between the pool and its spec, the cause before its effects."""
    found = [
        _unreachable(picture, crowd),
        _failing(picture, crowd),
        _launching(picture, crowd),
        _removing(removals, crowd),
        _nodes(picture, crowd),
        _rollout(picture, crowd, removals),
        _blocked(picture, crowd, removals),
    ]
    return tuple(wait for wait in found if wait is not None)


def _unreachable(picture: Picture, crowd: _Crowd) -> Wait | None:
    if picture.nodes_known or not crowd.live:
        return None
    why = picture.nodes_unknown_reason or "the workload cluster does not answer"
    return Wait("WorkloadClusterUnreachable", f"nodes cannot be seen, so no instance is removed: {why}")


def _failing(picture: Picture, crowd: _Crowd) -> Wait | None:
    failed = [m for m in crowd.live if m.state is InstanceState.FAILED]
    if not failed:
        return None
    first = failed[0]
    said = f"instance {first.title} failed" + (f": {first.message}" if first.message else "")
    more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    if crowd.failing and _rolling(picture, crowd):
        return Wait("RolloutStopped", f"the rollout stands still because a new {said}{more}")
    return Wait("InstanceFailed", f"{said}{more}; it is being replaced")


def _launching(picture: Picture, crowd: _Crowd) -> Wait | None:
    missing = max(picture.wanted, picture.desired) - len(crowd.live)
    if missing > 0:
        return Wait("ScalingUp", f"{missing} more instance{_s(missing)} to come: {len(crowd.live)} of {picture.wanted}")
    return None


def _removing(removals: tuple[Removal, ...], crowd: _Crowd) -> Wait | None:
    surplus = sum(r.cause is Cause.SCALE_DOWN for r in removals)
    if surplus:
        return Wait("ScalingDown", f"{surplus} instance{_s(surplus)} too many to be drained and terminated")
    if crowd.leaving:
        return Wait("Terminating", f"{crowd.leaving} instance{_s(crowd.leaving)} still terminating")
    return None


def _nodes(picture: Picture, crowd: _Crowd) -> Wait | None:
    if not picture.nodes_known:
        return None
    missing = [m for m in crowd.live if m.id not in crowd.available and m.state is not InstanceState.FAILED]
    if not missing:
        return None
    first = missing[0]
    match first.node:
        case NodeHealth.ABSENT:
            state = "is booting" if first.state is InstanceState.PENDING else "has not joined the cluster yet"
        case NodeHealth.NOT_READY:
            state = "has a node that is not ready"
        case NodeHealth.READY:
            state = f"has not been ready for {picture.min_ready_seconds} s yet"
    more = f", and {len(missing) - 1} more" if len(missing) > 1 else ""
    return Wait("WaitingForNodes", f"instance {first.title} {state}{more}")


def _rollout(picture: Picture, crowd: _Crowd, removals: tuple[Removal, ...]) -> Wait | None:
    if not _rolling(picture, crowd):
        return None
    done, total = len(crowd.current), len(crowd.current) + len(crowd.outdated)
    said = f"{len(crowd.outdated)} of {total} instances are to be replaced"
    if not crowd.proven:
        return Wait("RollingOut", f"{said}; the first new one must be available before the others follow")
    return Wait("RollingOut", f"{said}, {done} are up to date")


def _blocked(picture: Picture, crowd: _Crowd, removals: tuple[Removal, ...]) -> Wait | None:
    """Only protected instances are left to choose from."""
    chosen = {r.id for r in removals}
    if chosen:
        return None
    guarded = [m for m in crowd.live if m.protected]
    due = crowd.outdated if _rolling(picture, crowd) else ()
    surplus = not picture.externally_scaled and len(crowd.live) > picture.wanted
    if guarded and ((due and all(m.protected for m in due)) or (surplus and len(guarded) == len(crowd.live))):
        names = ", ".join(m.title for m in guarded[:3])
        return Wait("ProtectedInstances", f"only protected instances are left to remove ({names}): lift the protection")
    return None


def _s(count: int) -> str:
    return "" if count == 1 else "s"
