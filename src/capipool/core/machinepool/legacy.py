"""What v1beta1 showed of a pool: conditions with severities. Pure.

Kept exactly as upstream computes them, also where `status.conditions` says it better: older tools read these.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.constants import ConditionType, Reason
from capipool.api.core import MachinePool
from capipool.api.shared import V1Beta1Condition
from capipool.core import legacy
from capipool.core.machinepool.nodes import NodesStep
from capipool.core.machinepool.world import World
from capipool.core.references import Absent

_SUMMED_UP = (ConditionType.BOOTSTRAP_READY, ConditionType.INFRASTRUCTURE_READY, ConditionType.REPLICAS_READY)


def conditions(
    world: World, pool: MachinePool, step: NodesStep | None, *, bootstrap_created: bool | None, now: dt.datetime
) -> tuple[V1Beta1Condition, ...]:
    """The legacy conditions of a pool; `pool` has its new counters."""
    before = world.pool.status.deprecated.v1beta1.conditions
    wanted = (
        _bootstrap_ready(world, bootstrap_created, now),
        _infrastructure_ready(world, now),
        replicas_ready(pool, step, now),
    )
    return legacy.set_all(before, wanted, _SUMMED_UP, now)


def replicas_ready(pool: MachinePool, step: NodesStep | None, now: dt.datetime) -> V1Beta1Condition | None:
    """Whether all instances are ready nodes. None leaves it as it was: nodes are not known, or none is listed yet."""
    if step is None:
        return None
    if (pool.status.replicas or 0) == step.ready == len(step.nodes):
        return legacy.true(ConditionType.REPLICAS_READY, now)
    if not pool.spec.provider_id_list:
        return None
    return legacy.false(ConditionType.REPLICAS_READY, Reason.WAITING_FOR_REPLICAS_READY, "Info", now)


def _bootstrap_ready(world: World, created: bool | None, now: dt.datetime) -> V1Beta1Condition | None:
    found = world.bootstrap
    if isinstance(found, Absent):
        return None
    if found is None:
        return legacy.true(ConditionType.BOOTSTRAP_READY, now) if created else None
    if found.object.deleting:
        return None
    ready, reason = found.data_secret_created, Reason.WAITING_FOR_DATA_SECRET
    return legacy.mirrored(found.legacy_ready, ConditionType.BOOTSTRAP_READY, ready, reason, now)


def _infrastructure_ready(world: World, now: dt.datetime) -> V1Beta1Condition | None:
    found = world.infra
    type_ = ConditionType.INFRASTRUCTURE_READY
    if isinstance(found, Absent):
        return legacy.false(type_, Reason.INCORRECT_EXTERNAL_REF, "Error", now, found.message)
    if found.object.deleting:
        return None
    return legacy.mirrored(found.legacy_ready, type_, found.provisioned, Reason.WAITING_FOR_INFRASTRUCTURE, now)
