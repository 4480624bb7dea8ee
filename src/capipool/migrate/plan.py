"""The plan as frozen data, and how it is decided: what moves, in which order, what follows it, what stands in the way.

Pure. A plan holds no object, only what is to be told of each: the objects are read again, one by one, when it is
carried out, so that ten thousand of them cost a line each.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import msgspec

from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupKind


class Ref(NamedTuple):
    """An object by its names."""

    kind: GroupKind
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What was seen of an object that moves."""

    ref: Ref
    uid: str
    target: Ref
    version: str = ""
    """The version it becomes; empty where it cannot."""
    owners: tuple[str, ...] = ()
    """UIDs of its owners."""
    needs: tuple[tuple[Ref, str], ...] = ()
    """What it refers to, by its old names, and in which field."""
    cluster: str = ""
    changes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    makes: tuple[Ref, ...] = ()
    """Objects that are made beside the new one."""
    deleting: bool = False
    paused: bool = False
    problems: tuple[str, ...] = ()


class Touch(msgspec.Struct, frozen=True, kw_only=True):
    """An object that stays where it is, and follows what moves."""

    ref: Ref
    changes: tuple[str, ...]


class Observation(msgspec.Struct, frozen=True, kw_only=True):
    """All that was seen."""

    moving: tuple[Facts, ...] = ()
    touched: tuple[Touch, ...] = ()
    known: frozenset[Ref] = frozenset()
    """Every object there is, of the kinds looked through."""
    kinds: frozenset[GroupKind] = frozenset()
    """The kinds looked through: what is of one of them and not known is not there."""
    uids: frozenset[str] = frozenset()
    made: Mapping[Ref, str] = msgspec.field(default_factory=dict)
    """What an earlier run made, and the UID of the old object it was made of."""
    problems: tuple[tuple[Ref, str], ...] = ()
    """What stands in the way of an object that does not move itself."""
    stored: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Definitions whose objects may be stored in versions that are not the storage version any more."""


class Move(msgspec.Struct, frozen=True, kw_only=True):
    """One object made anew."""

    source: Ref
    target: Ref
    version: str
    uid: str
    depth: int
    """How many owners above it move: parents are made before children."""
    changes: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()
    makes: tuple[Ref, ...] = ()
    deleting: bool = False
    paused: bool = False


class Obstacle(msgspec.Struct, frozen=True):
    """What stands in the way. Nothing is written while there is one."""

    ref: Ref
    why: str

    def __str__(self) -> str:
        return f"{self.ref}: {self.why}"


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What a migration will do."""

    moves: tuple[Move, ...] = ()
    """In the order in which they are made."""
    touches: tuple[Touch, ...] = ()
    clusters: tuple[Ref, ...] = ()
    """Clusters that are paused meanwhile."""
    stored: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    obstacles: tuple[Obstacle, ...] = ()

    @property
    def depths(self) -> int:
        """How many generations there are."""
        return max((move.depth for move in self.moves), default=-1) + 1


CLUSTER = GroupKind("cluster.x-k8s.io", "Cluster")


def decide(seen: Observation) -> Plan:
    """The plan for what was seen."""
    depths, cyclic = _depths(seen.moving)
    moves = [
        Move(
            source=facts.ref,
            target=facts.target,
            version=facts.version,
            uid=facts.uid,
            depth=depths.get(facts.uid, 0),
            changes=facts.changes,
            dropped=facts.dropped,
            makes=facts.makes,
            deleting=facts.deleting,
            paused=facts.paused,
        )
        for facts in seen.moving
    ]
    clusters = {Ref(CLUSTER, facts.ref.namespace, facts.cluster) for facts in seen.moving if facts.cluster}
    return Plan(
        moves=tuple(sorted(moves, key=lambda move: (move.depth, move.source))),
        touches=tuple(sorted(seen.touched, key=lambda touch: touch.ref)),
        clusters=tuple(sorted(ref for ref in clusters if ref in seen.known)),
        stored=seen.stored,
        obstacles=tuple(_obstacles(seen, cyclic)),
    )


def _depths(moving: Iterable[Facts]) -> tuple[dict[str, int], set[str]]:
    """How deep below moving owners each UID is, and the UIDs that own themselves in a circle."""
    owners = {facts.uid: facts.owners for facts in moving}
    depths: dict[str, int] = {}
    waiting = dict(owners)
    while waiting:
        ready = [uid for uid, above in waiting.items() if not any(owner in waiting for owner in above)]
        if not ready:
            return depths, set(waiting)
        for uid in ready:
            depths[uid] = max((depths[owner] + 1 for owner in owners[uid] if owner in owners), default=0)
        for uid in ready:
            del waiting[uid]
    return depths, set()


def _obstacles(seen: Observation, cyclic: set[str]) -> Iterable[Obstacle]:
    targets = Counter(facts.target for facts in seen.moving)
    moving = {facts.ref for facts in seen.moving}
    for facts in seen.moving:
        yield from (Obstacle(facts.ref, why) for why in facts.problems)
        if facts.uid in cyclic:
            yield Obstacle(facts.ref, "its owners own each other in a circle")
        for target in (facts.target, *facts.makes):
            if targets[target] > 1:
                yield Obstacle(facts.ref, f"more than one object becomes {target}")
            elif target in seen.known and seen.made.get(target) != facts.uid:
                yield Obstacle(facts.ref, f"{target} is there already")
        for needed, path in facts.needs:
            if needed not in seen.known and needed not in moving:
                why = "which is not there" if needed.kind in seen.kinds else "a kind that is not installed"
                yield Obstacle(facts.ref, f"{path} refers to {needed}, {why}")
        if facts.cluster and Ref(CLUSTER, facts.ref.namespace, facts.cluster) not in seen.known:
            yield Obstacle(facts.ref, f"its Cluster {facts.cluster} is not there")
    yield from (Obstacle(ref, why) for ref, why in seen.problems)


class Summary(NamedTuple):
    """A plan in numbers."""

    moves: int
    touches: int
    clusters: int
    dropped: int
    obstacles: int

    def __str__(self) -> str:
        return (
            f"{self.moves} objects move, {self.touches} follow, {self.clusters} clusters are paused meanwhile; "
            f"{self.dropped} have fields without a place in the new version; {self.obstacles} obstacles"
        )


def summary(plan: Plan) -> Summary:
    """Count what a plan does."""
    return Summary(
        len(plan.moves),
        len(plan.touches),
        len(plan.clusters),
        sum(bool(move.dropped) for move in plan.moves),
        len(plan.obstacles),
    )


def as_json(plan: Plan) -> Raw:
    """A plan for programs to read."""
    return {
        "moves": [_move(move) for move in plan.moves],
        "touches": [{"object": _ref(touch.ref), "changes": list(touch.changes)} for touch in plan.touches],
        "clusters": [_ref(ref) for ref in plan.clusters],
        "storedVersions": {name: list(versions) for name, versions in plan.stored.items()},
        "obstacles": [{"object": _ref(obstacle.ref), "why": obstacle.why} for obstacle in plan.obstacles],
        "summary": summary(plan)._asdict(),
    }


def _move(move: Move) -> Raw:
    return {
        "from": _ref(move.source),
        "to": _ref(move.target) | {"version": move.version},
        "uid": move.uid,
        "changes": list(move.changes),
        "dropped": list(move.dropped),
        "makes": [_ref(ref) for ref in move.makes],
        "deleting": move.deleting,
        "paused": move.paused,
    }


def _ref(ref: Ref) -> Raw:
    return {"group": ref.kind.group, "kind": ref.kind.kind, "namespace": ref.namespace, "name": ref.name}
