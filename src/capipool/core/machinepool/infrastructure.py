"""Infrastructure: what the provider says there is, taken over into the pool. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.api.core import MachinePool
from capipool.core.machinepool import bootstrap
from capipool.core.machinepool.world import InfraObject
from capipool.core.references import Absent
from capipool.core.writes import Problem


@dataclass(frozen=True, slots=True)
class InfrastructureStep:
    """What the pool should say of its infrastructure."""

    provisioned: bool | None
    provider_ids: tuple[str, ...]
    replicas: int | None
    failure_reason: str = ""
    failure_message: str = ""
    problem: Problem | None = None
    is_current: bool = False
    """Whether `provider_ids` is what the provider says now, so that what it leaves out is gone."""


def decide(pool: MachinePool, infra: InfraObject | Absent) -> InfrastructureStep:
    """Take over provider IDs and the number of instances once the infrastructure is provisioned.

    Provisioned is for good, as the API says of it. An empty list beside instances that are there is a provider that
    has not caught up: the old list stays. A failure that the provider reports is passed on for as long as it does.
    """
    known = pool.status.initialization.infrastructure_provisioned
    as_is = InfrastructureStep(known, pool.spec.provider_id_list, pool.status.replicas)
    if isinstance(infra, Absent):
        problem = Problem(bootstrap.absent_reason(infra, known), infra.message)
        return InfrastructureStep(known, as_is.provider_ids, as_is.replicas, problem=problem)
    if infra.object.deleting:
        return as_is
    failure = (infra.failure_reason, _failure_message(infra))
    if not (infra.provisioned or known):
        return InfrastructureStep(False, as_is.provider_ids, as_is.replicas, *failure)
    replicas = pool.status.replicas if infra.replicas is None else infra.replicas
    if not infra.provider_ids and replicas:
        return InfrastructureStep(True, as_is.provider_ids, replicas, *failure)
    return InfrastructureStep(True, infra.provider_ids, replicas, *failure, is_current=infra.provisioned)


def _failure_message(infra: InfraObject) -> str:
    if not infra.failure_message:
        return ""
    obj = infra.object
    return f"{obj.kind} {obj.metadata.name} reports: {infra.failure_message}"[:10240]
