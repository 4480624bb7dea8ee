"""The decision: scale up, scale down, replace what failed, roll what is outdated, within one budget for all of it.

The promises, which a state machine test holds over thousands of random histories:
- available instances never fall below wanted - maxUnavailable because of what is planned here;
- all instances together, those on their way out included, never rise above wanted + maxSurge because of it;
- no instance goes that a plan does not name, and the cloud is never made to choose;
- protected instances stay; a removal once begun is finished or called off, never forgotten;
- an instance whose Machine is being deleted goes in any case: by order of somebody else as soon as it is drained, and
  within the budgets where it was the engine's idea; either counts as going for all else;
- the first instance of a new revision goes alone; when one fails, no further old one is touched.
"""

from __future__ import annotations

import datetime as dt

from capipool.sdk.engine.choice import Choice, replaceable_at
from capipool.sdk.engine.crowd import Crowd, available_at, surge
from capipool.sdk.engine.picture import Deletion, InstanceState, Picture
from capipool.sdk.engine.plan import Plan, Wait
from capipool.sdk.engine.waits import waits


def decide(picture: Picture) -> Plan:
    """Plan one step. Pure and total; deciding again on the same picture gives the same plan."""
    if picture.paused:
        return Plan(waits=(Wait("Paused", "reconciliation is paused"),))
    if picture.operation:
        return Plan(waits=(Wait("OperationInProgress", f"the cloud is busy with {picture.operation}"),))
    crowd = Crowd.of(picture)
    removals = Choice(picture, crowd).made()
    chosen = {r.id for r in removals}
    return Plan(
        desired=_desired(picture, crowd),
        removals=removals,
        spare=_spared(picture, crowd, chosen),
        waits=waits(picture, crowd, removals),
        recheck=_recheck(picture, crowd),
    )


def _desired(picture: Picture, crowd: Crowd) -> int | None:
    """What to set the group to. Lowered only as far as there are instances, so that the cloud need not choose."""
    if picture.externally_scaled:
        return None
    wanted = picture.wanted + surge(picture, crowd)
    target = min(wanted, picture.wanted + crowd.allowance.surge - crowd.leaving)
    if target > picture.desired:
        return target
    lowest = max(target, len(crowd.live))
    return lowest if lowest < picture.desired else None


def _spared(picture: Picture, crowd: Crowd, chosen: set[str]) -> tuple[str, ...]:
    """Begun removals to call off: none while nobody knows the nodes, since they cannot be uncordoned either."""
    if not picture.nodes_known:
        return ()
    begun = (m for m in crowd.live if m.removing and m.deletion is Deletion.NONE)
    return tuple(m.id for m in begun if m.id not in chosen)


def _recheck(picture: Picture, crowd: Crowd) -> dt.datetime | None:
    """The next moment at which time alone changes the decision."""
    moments = [replaceable_at(m, picture) for m in crowd.live if m.state is InstanceState.FAILED]
    if picture.min_ready_seconds > 0:
        moments += [at for m in crowd.live if (at := available_at(m, picture)) is not None]
    # A node is available only after that moment, not at it.
    return min((m + dt.timedelta(milliseconds=1) for m in moments if m >= picture.now), default=None)
