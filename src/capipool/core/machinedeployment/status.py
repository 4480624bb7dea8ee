"""A deployment's counters, phase and legacy conditions, from its sets. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from capipool.api.constants import ConditionType, MachineDeploymentPhase, Reason
from capipool.api.core import MachineDeployment, MachineDeploymentStatus, MachineSet
from capipool.api.shared import StatusVersion, V1Beta1Condition
from capipool.api.v1beta2.machinedeployment import MachineDeploymentDeprecatedStatus, MachineDeploymentV1Beta1Status
from capipool.core import legacy
from capipool.core.machinedeployment import sets
from capipool.machinery.objects import replace_part

_SUMMED_UP = (ConditionType.MACHINE_SET_READY, ConditionType.AVAILABLE)


def is_complete(deployment: MachineDeployment) -> bool:
    """Whether all machines are as wanted and available, no others are left, and the status speaks of this spec."""
    status, wanted = deployment.status, deployment.spec.replicas
    counted = (status.replicas, status.up_to_date_replicas, status.available_replicas)
    return all((n or 0) == wanted for n in counted) and (
        (status.observed_generation or 0) >= deployment.metadata.generation
    )


def count(
    deployment: MachineDeployment, new: MachineSet | None, old: Sequence[MachineSet], now: dt.datetime
) -> MachineDeploymentStatus:
    """The status but for its conditions: what the sets count, added up."""
    all_sets = (*old, *((new,) if new is not None else ()))
    status = replace_part(
        deployment.status,
        replicas=sum(s.status.replicas or 0 for s in all_sets),
        ready_replicas=sum(s.status.ready_replicas or 0 for s in all_sets),
        available_replicas=sum(s.status.available_replicas or 0 for s in all_sets),
        up_to_date_replicas=sum(s.status.up_to_date_replicas or 0 for s in all_sets),
        versions=_versions(all_sets),
        observed_generation=deployment.metadata.generation or None,
        deprecated=_legacy(deployment, new, all_sets, now),
    )
    return replace_part(status, phase=phase(deployment, status))


def phase(deployment: MachineDeployment, status: MachineDeploymentStatus) -> str:
    """Where the deployment is in its life."""
    wanted, there = deployment.spec.replicas, status.replicas or 0
    if wanted is None:
        return MachineDeploymentPhase.UNKNOWN
    if there < wanted:
        return MachineDeploymentPhase.SCALING_UP
    if there > wanted:
        return MachineDeploymentPhase.SCALING_DOWN
    deprecated = status.deprecated.v1beta1
    ready = status.ready_replicas if status.ready_replicas is not None else deprecated.ready_replicas
    return MachineDeploymentPhase.RUNNING if (ready or 0) >= wanted else MachineDeploymentPhase.SCALING_UP


def _versions(all_sets: Iterable[MachineSet]) -> tuple[StatusVersion, ...]:
    counted: dict[str, int] = {}
    for entry in (v for s in all_sets for v in s.status.versions):
        counted[entry.version] = counted.get(entry.version, 0) + (entry.replicas or 0)
    return tuple(StatusVersion(version=v, replicas=n) for v, n in sorted(counted.items()) if n > 0)


def _legacy(
    deployment: MachineDeployment, new: MachineSet | None, all_sets: Sequence[MachineSet], now: dt.datetime
) -> MachineDeploymentDeprecatedStatus:
    counted = [s.status.deprecated.v1beta1 for s in all_sets]
    available = sum(c.available_replicas or 0 for c in counted)
    size = sum(s.spec.replicas or 0 for s in all_sets)
    before = deployment.status.deprecated.v1beta1.conditions
    wanted = (_available(deployment, available, now), _set_ready(new, now))
    return MachineDeploymentDeprecatedStatus(
        v1beta1=MachineDeploymentV1Beta1Status(
            conditions=legacy.set_all(before, wanted, _SUMMED_UP, now),
            updated_replicas=(new.status.replicas or 0) if new is not None else 0,
            ready_replicas=sum(c.ready_replicas or 0 for c in counted),
            available_replicas=available,
            unavailable_replicas=max(size - available, 0),
        )
    )


def _available(deployment: MachineDeployment, available: int, now: dt.datetime) -> V1Beta1Condition:
    least = max((deployment.spec.replicas or 0) - sets.fenceposts(deployment)[1], 0)
    if available >= least:
        return legacy.true(ConditionType.AVAILABLE, now)
    message = f"Minimum availability requires {least} replicas, current {available} available"
    return legacy.false(ConditionType.AVAILABLE, Reason.WAITING_FOR_AVAILABLE_MACHINES, "Warning", now, message)


def _set_ready(new: MachineSet | None, now: dt.datetime) -> V1Beta1Condition:
    type_, waiting = ConditionType.MACHINE_SET_READY, Reason.WAITING_FOR_MACHINE_SET
    if new is None:
        return legacy.false(type_, waiting, "Info", now, "MachineSet not found")
    found = next((c for c in new.status.deprecated.v1beta1.conditions if c.type == ConditionType.READY), None)
    return legacy.mirrored(found, type_, False, waiting, now)
