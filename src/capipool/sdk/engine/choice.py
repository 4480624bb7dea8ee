"""Who goes: chosen cause by cause, within one budget for all of them. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.sdk.engine import victims
from capipool.sdk.engine.crowd import Crowd, rolling
from capipool.sdk.engine.picture import Deletion, InstanceState, Member, Picture
from capipool.sdk.engine.plan import Cause, Removal


class Choice:
    """Chooses who goes, cause by cause, while two budgets last.

    `_spare_available` is how many available instances may still be taken, `_spare_live` how many of any sort: a node
    that is not ready now may be back in a minute, so even those are not taken all at once.
    """

    def __init__(self, picture: Picture, crowd: Crowd) -> None:
        self._picture = picture
        self._crowd = crowd
        self._chosen: dict[str, tuple[Member, Cause]] = {}
        self._replaced: set[str] = set()
        """Those that the cloud is to replace: the group's number stays."""
        self._held: set[str] = set()
        """Those that must wait, whoever ordered their going."""
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
        self._ordered()
        if self._picture.nodes_known:
            self._rollout()
        self._planned()
        return self._gated()

    def _failed(self) -> None:
        failed = (m for m in self._crowd.live if m.state is InstanceState.FAILED)
        for member in self._in_order(m for m in failed if m.deletion is not Deletion.ORDERED):
            if replaceable_at(member, self._picture) <= self._picture.now:
                self._chosen[member.id] = (member, Cause.FAILED)

    def _remediated(self) -> None:
        """Replace what a health check gave up: no more on their way out at once than surge and unavailability allow.

        What does not work anyway costs no availability: it goes also where none may be missing.
        """
        sick = [m for m in self._crowd.live if m.remediate and m.deletion is not Deletion.ORDERED]
        allowed = self._crowd.allowance
        going = sum(m.removing for m in self._crowd.live if m.remediate)
        places = allowed.surge + allowed.unavailable - self._crowd.leaving - going
        for member in self._in_order(sick):
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
        if rolling(self._picture, self._crowd):
            places += min(self._crowd.allowance.surge, len(self._crowd.outdated), len(self._crowd.current))
        surplus = len(self._crowd.live) - len(self._chosen) - places
        if surplus <= 0:
            return
        for member in self._in_order(m for m in self._crowd.live if m.id not in self._chosen):
            surplus -= self._take(member, Cause.SCALE_DOWN)
            if surplus == 0:
                return

    def _ordered(self) -> None:
        """Go on with those whose Machines somebody else deletes; the cloud launches another in the place of each.

        What a health check gave up keeps to the limits of `_remediated`: its Machine may be off its node, the instance
        waits. One that is not drained yet takes no place from one that could go.
        """
        allowed = self._crowd.allowance
        sick = sum(cause is Cause.REMEDIATION for _, cause in self._chosen.values())
        places = allowed.surge + allowed.unavailable - self._crowd.leaving - sick
        ordered = (m for m in self._crowd.live if m.deletion is Deletion.ORDERED and m.id not in self._chosen)
        for member in sorted(ordered, key=lambda m: (not m.drained, m.id)):
            self._chosen[member.id] = (member, Cause.REMEDIATION if member.remediate else Cause.MACHINE_DELETED)
            self._replaced.add(member.id)
            if member.remediate and places <= 0:
                self._held.add(member.id)
            places -= member.remediate

    def _planned(self) -> None:
        """Finish with those whose Machines the engine deletes, though it would not any more: others come first."""
        for member in self._crowd.live:
            if member.deletion is Deletion.PLANNED:
                self._chosen.setdefault(member.id, (member, Cause.MACHINE_DELETED))

    def _rollout(self) -> None:
        if not rolling(self._picture, self._crowd):
            return
        left = [m for m in self._crowd.outdated if m.id not in self._chosen]
        fresh = self._may_begin()
        for member in self._in_order(left):
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

    def _in_order(self, candidates: Iterable[Member]) -> Iterable[Member]:
        return victims.ordered(self._picture, candidates, available=self._crowd.available)

    def _gated(self) -> tuple[Removal, ...]:
        """Allow terminations only as far as those that work now, drained ones included, suffice."""
        left = len(self._crowd.available)
        floor = self._picture.wanted - self._crowd.allowance.unavailable
        removals = []
        for member, cause in sorted(self._chosen.values(), key=_begun_first):
            works = member.id in self._crowd.available
            allowed = self._is_allowed(member, enough=not works or left > floor)
            left -= allowed and works
            stays = self._picture.externally_scaled or member.id in self._replaced
            removals.append(Removal(member.id, cause, allowed, decrement=not stays))
        return tuple(removals)

    def _is_allowed(self, member: Member, *, enough: bool) -> bool:
        """Whether it may be terminated now. While nobody knows the nodes, what this engine began waits."""
        if member.deletion is Deletion.ORDERED:
            return member.id not in self._held
        blind = not self._picture.nodes_known and member.state is not InstanceState.FAILED
        return enough and not blind


def _begun_first(choice: tuple[Member, Cause]) -> tuple[bool, bool]:
    """Those that somebody ordered to go use the budget up before others, then those whose removal has begun."""
    member, _ = choice
    return (member.deletion is not Deletion.ORDERED, not member.removing)


def replaceable_at(member: Member, picture: Picture) -> dt.datetime:
    """When a failed instance may be replaced."""
    return picture.now if member.created is None else member.created + picture.strategy.failure_backoff
