"""The members of a pool, counted and sorted: what every part of the decision looks at. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from capipool.sdk.engine.picture import Deletion, InstanceState, Member, NodeHealth, Picture
from capipool.sdk.engine.strategy import Allowance, RolloutMode, allowance


@dataclass(frozen=True, slots=True)
class Crowd:
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
    def of(cls, picture: Picture) -> Crowd:
        """Sort the members of a picture."""
        live = live_members(picture.members)
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


def available_ids(picture: Picture) -> frozenset[str]:
    """The members that do their work: running, and their node ready for long enough."""
    return frozenset(m.id for m in picture.members if available_at(m, picture) is not None and _is_up(m, picture))


def outdated(picture: Picture) -> tuple[Member, ...]:
    """The members, not yet on their way out, that were launched from another revision."""
    return tuple(m for m in live_members(picture.members) if m.revision not in ("", picture.revision))


def live_members(members: Iterable[Member]) -> tuple[Member, ...]:
    """Those that are not on their way out."""
    return tuple(m for m in members if m.state is not InstanceState.TERMINATING)


def available_at(member: Member, picture: Picture) -> dt.datetime | None:
    """When it becomes or became available, if its node is ready."""
    if member.state is not InstanceState.RUNNING or member.node is not NodeHealth.READY:
        return None
    since = member.ready_since or member.created or picture.now
    return since + dt.timedelta(seconds=picture.min_ready_seconds)


def _is_up(member: Member, picture: Picture) -> bool:
    moment = available_at(member, picture)
    return moment is not None and (moment < picture.now or picture.min_ready_seconds <= 0)


def rolling(picture: Picture, crowd: Crowd) -> bool:
    """Whether the engine is to replace outdated instances."""
    return picture.strategy.mode is RolloutMode.MANAGED and bool(crowd.outdated)


def surge(picture: Picture, crowd: Crowd) -> int:
    """How many instances over the wanted number to launch, now: for a rollout, and for those that go in any case."""
    if not picture.nodes_known:
        return 0
    doomed = sum(m.deletion is Deletion.PLANNED for m in crowd.live)
    return max(_surge_of_rollout(picture, crowd), min(crowd.allowance.surge, doomed))


def _surge_of_rollout(picture: Picture, crowd: Crowd) -> int:
    if not rolling(picture, crowd) or crowd.failing:
        return 0
    most = min(crowd.allowance.surge, len(crowd.outdated))
    if crowd.proven:
        return most
    return min(most, 1) if not crowd.current else 0
