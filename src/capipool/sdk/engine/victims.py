"""Who goes first.

Marked by somebody, then failed, then unhealthy, then outdated, then still joining; among equals from the zone that has
most, and there by the delete policy. An instance whose removal has begun comes before all, so that a choice once made
stays made.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

from capipool.machinery import names
from capipool.sdk.engine.picture import InstanceState, Member, NodeHealth, Picture
from capipool.sdk.engine.strategy import DeletePolicy

JOINING = dt.timedelta(minutes=10)
"""How long an instance may take to join before it counts as unhealthy: upstream's default node startup timeout."""

_BEGINNING = dt.datetime.min.replace(tzinfo=dt.UTC)


def ordered(picture: Picture, candidates: Iterable[Member], *, available: Collection[str]) -> Iterator[Member]:
    """Yield candidates in the order in which they should go. Protected ones are left out."""
    ranks: dict[int, list[Member]] = defaultdict(list)
    for member in candidates:
        if not member.protected:
            ranks[_rank(member, picture, available)].append(member)
    crowd = Counter(m.zone for m in picture.members if m.state is not InstanceState.TERMINATING)
    for rank in sorted(ranks):
        yield from _zone_by_zone(ranks[rank], crowd, _by_policy(picture.strategy.delete_policy))


def _rank(member: Member, picture: Picture, available: Collection[str]) -> int:
    if member.removing:
        return 0
    if member.marked:
        return 1
    if member.state is InstanceState.FAILED:
        return 2
    well = member.id in available or _joining(member, picture.now)
    if not well:
        return 3
    if member.revision not in ("", picture.revision):
        return 4
    return 6 if member.id in available else 5


def _joining(member: Member, now: dt.datetime) -> bool:
    """Whether it is too young to be called unhealthy: it has no node yet, or its node is ready, only not for long."""
    if member.node is NodeHealth.READY:
        return True
    return member.created is not None and now - member.created < JOINING


def _by_policy(policy: DeletePolicy) -> Callable[[Member], Any]:
    """A sort key. Random is by a hash of the id: without a pattern, and yet the same at each look."""
    match policy:
        case DeletePolicy.OLDEST:
            return lambda m: (m.created or _BEGINNING, m.id)
        case DeletePolicy.NEWEST:
            return lambda m: (-(m.created or _BEGINNING).timestamp(), m.id)
        case DeletePolicy.RANDOM:
            return lambda m: names.short_hash(m.id)


def _zone_by_zone(equals: list[Member], crowd: Counter[str], key: Callable[[Member], Any]) -> Iterator[Member]:
    """Each time from the zone that has most left, counting every instance there, not only the candidates."""
    queues: dict[str, list[Member]] = defaultdict(list)
    for member in sorted(equals, key=key, reverse=True):
        queues[member.zone].append(member)
    while queues:
        zone = min(queues, key=lambda z: (-crowd[z], key(queues[z][-1])))
        crowd[zone] -= 1
        yield queues[zone].pop()
        if not queues[zone]:
            del queues[zone]
