"""What stands between a pool and its spec, in words for a person. Pure."""

from __future__ import annotations

from capipool.sdk.engine.crowd import Crowd, rolling
from capipool.sdk.engine.picture import InstanceState, NodeHealth, Picture
from capipool.sdk.engine.plan import Cause, Removal, Wait


def waits(picture: Picture, crowd: Crowd, removals: tuple[Removal, ...]) -> tuple[Wait, ...]:
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


def _unreachable(picture: Picture, crowd: Crowd) -> Wait | None:
    if picture.nodes_known or not crowd.live:
        return None
    why = picture.nodes_unknown_reason or "the workload cluster does not answer"
    return Wait("WorkloadClusterUnreachable", f"nodes cannot be seen, so no instance is removed: {why}")


def _failing(picture: Picture, crowd: Crowd) -> Wait | None:
    failed = [m for m in crowd.live if m.state is InstanceState.FAILED]
    if not failed:
        return None
    first = failed[0]
    said = f"instance {first.title} failed" + (f": {first.message}" if first.message else "")
    more = f" ({len(failed) - 1} more failed)" if len(failed) > 1 else ""
    if crowd.failing and rolling(picture, crowd):
        return Wait("RolloutStopped", f"the rollout stands still because a new {said}{more}")
    return Wait("InstanceFailed", f"{said}{more}; it is being replaced")


def _launching(picture: Picture, crowd: Crowd) -> Wait | None:
    missing = max(picture.wanted, picture.desired) - len(crowd.live)
    if missing > 0:
        return Wait("ScalingUp", f"{missing} more instance{_s(missing)} to come: {len(crowd.live)} of {picture.wanted}")
    return None


def _removing(removals: tuple[Removal, ...], crowd: Crowd) -> Wait | None:
    surplus = sum(r.cause is Cause.SCALE_DOWN for r in removals)
    if surplus:
        return Wait("ScalingDown", f"{surplus} instance{_s(surplus)} too many to be drained and terminated")
    if crowd.leaving:
        return Wait("Terminating", f"{crowd.leaving} instance{_s(crowd.leaving)} still terminating")
    return None


def _nodes(picture: Picture, crowd: Crowd) -> Wait | None:
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


def _rollout(picture: Picture, crowd: Crowd, removals: tuple[Removal, ...]) -> Wait | None:
    if not rolling(picture, crowd):
        return None
    done, total = len(crowd.current), len(crowd.current) + len(crowd.outdated)
    said = f"{len(crowd.outdated)} of {total} instances are to be replaced"
    if not crowd.proven:
        return Wait("RollingOut", f"{said}; the first new one must be available before the others follow")
    return Wait("RollingOut", f"{said}, {done} are up to date")


def _blocked(picture: Picture, crowd: Crowd, removals: tuple[Removal, ...]) -> Wait | None:
    """Only protected instances are left to choose from."""
    chosen = {r.id for r in removals}
    if chosen:
        return None
    guarded = [m for m in crowd.live if m.protected]
    due = crowd.outdated if rolling(picture, crowd) else ()
    surplus = not picture.externally_scaled and len(crowd.live) > picture.wanted
    if guarded and ((due and all(m.protected for m in due)) or (surplus and len(guarded) == len(crowd.live))):
        names = ", ".join(m.title for m in guarded[:3])
        return Wait("ProtectedInstances", f"only protected instances are left to remove ({names}): lift the protection")
    return None


def _s(count: int) -> str:
    return "" if count == 1 else "s"
