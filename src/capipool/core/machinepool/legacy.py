"""What v1beta1 showed of a pool: conditions with severities, and counters. Pure.

Kept exactly as upstream computes them, also where `status.conditions` says it better: older tools read these.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.api.constants import ConditionType, Reason
from capipool.api.core import MachinePool
from capipool.api.shared import V1Beta1Condition
from capipool.core.machinepool.nodes import NodesStep
from capipool.core.machinepool.world import Absent, BootstrapObject, InfraObject, World
from capipool.machinery import clock
from capipool.machinery.objects import replace_part

_SEVERITIES = ("Error", "Warning", "Info", "")
"""The worst first."""

_SUMMED_UP = (ConditionType.BOOTSTRAP_READY, ConditionType.INFRASTRUCTURE_READY, ConditionType.REPLICAS_READY)


def conditions(
    world: World, pool: MachinePool, step: NodesStep | None, *, bootstrap_created: bool | None, now: dt.datetime
) -> tuple[V1Beta1Condition, ...]:
    """The legacy conditions of a pool; `pool` has its new counters, and the conditions it had before."""
    found = {c.type: c for c in world.pool.status.deprecated.v1beta1.conditions}
    wanted = [
        _bootstrap_ready(world, bootstrap_created, now),
        _infrastructure_ready(world, pool, now),
        replicas_ready(pool, step, now),
    ]
    for condition in wanted:
        if condition is not None:
            found[condition.type] = _since(found.get(condition.type), condition)
    summary = _summary([found[t] for t in _SUMMED_UP if t in found], now)
    if summary is not None:
        found[summary.type] = _since(found.get(summary.type), summary)
    return tuple(sorted(found.values(), key=lambda c: (c.type != ConditionType.READY, c.type)))


def replicas_ready(pool: MachinePool, step: NodesStep | None, now: dt.datetime) -> V1Beta1Condition | None:
    """Whether all instances are ready nodes. None leaves it as it was: nodes are not known, or none is listed yet."""
    if step is None:
        return None
    if (pool.status.replicas or 0) == step.ready == len(step.nodes):
        return _true(ConditionType.REPLICAS_READY, now)
    if not pool.spec.provider_id_list:
        return None
    return _false(ConditionType.REPLICAS_READY, Reason.WAITING_FOR_REPLICAS_READY, "Info", now)


def _bootstrap_ready(world: World, created: bool | None, now: dt.datetime) -> V1Beta1Condition | None:
    bootstrap = world.bootstrap
    if isinstance(bootstrap, Absent):
        return None
    if bootstrap is None:
        return _true(ConditionType.BOOTSTRAP_READY, now) if created else None
    return _mirrored(
        bootstrap, ConditionType.BOOTSTRAP_READY, bootstrap.data_secret_created, Reason.WAITING_FOR_DATA_SECRET, now
    )


def _infrastructure_ready(world: World, pool: MachinePool, now: dt.datetime) -> V1Beta1Condition | None:
    infra = world.infra
    if isinstance(infra, Absent):
        ref = infra.reference
        message = f"{ref.kind} {ref.name} does not exist" if infra.why == "not found" else infra.message
        return _false(ConditionType.INFRASTRUCTURE_READY, Reason.INCORRECT_EXTERNAL_REF, "Error", now, message)
    return _mirrored(
        infra, ConditionType.INFRASTRUCTURE_READY, infra.provisioned, Reason.WAITING_FOR_INFRASTRUCTURE, now
    )


def _mirrored(
    provider: BootstrapObject | InfraObject, type_: str, ready: bool, reason: str, now: dt.datetime
) -> V1Beta1Condition | None:
    """The provider's own `Ready` under our type, or what its contract says where it has none."""
    if provider.object.deleting:
        return None
    if provider.legacy_ready is not None:
        return replace_part(provider.legacy_ready, type=type_)
    return _true(type_, now) if ready else _false(type_, reason, "Info", now)


def _summary(parts: Iterable[V1Beta1Condition], now: dt.datetime) -> V1Beta1Condition | None:
    """`Ready` over the others: the first of the worst severity that is False, else Unknown, else True."""
    ranked = sorted(parts, key=_rank)
    if not ranked:
        return None
    worst = ranked[0]
    if worst.status == "True":
        return _true(ConditionType.READY, now)
    return replace_part(worst, type=ConditionType.READY, last_transition_time=clock.to_seconds(now))


def _rank(condition: V1Beta1Condition) -> tuple[int, int]:
    status = {"False": 0, "Unknown": 1}.get(condition.status, 2)
    severity = _SEVERITIES.index(condition.severity) if condition.severity in _SEVERITIES else len(_SEVERITIES)
    return (status, severity if status == 0 else 0)


def _true(type_: str, now: dt.datetime) -> V1Beta1Condition:
    return V1Beta1Condition(type=type_, status="True", last_transition_time=clock.to_seconds(now))


def _false(type_: str, reason: str, severity: str, now: dt.datetime, message: str = "") -> V1Beta1Condition:
    return V1Beta1Condition(
        type=type_,
        status="False",
        severity=severity,
        reason=reason,
        message=message[:10240],
        last_transition_time=clock.to_seconds(now),
    )


def _since(old: V1Beta1Condition | None, new: V1Beta1Condition) -> V1Beta1Condition:
    """The new condition with the old transition time, unless its state changed."""
    if old is None or replace_part(old, last_transition_time=new.last_transition_time) != new:
        return new
    return old
