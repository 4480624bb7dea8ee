"""From a provider's object to the facts of its contract that a decision about a pool needs. Pure."""

from __future__ import annotations

from capipool.api.constants import ConditionType
from capipool.contract import conditions, failure, infra_machine, infra_pool, versions
from capipool.core.machinepool.world import InfraMachine, InfraObject
from capipool.core.references import Served
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource

_EXPLAINING = (
    ConditionType.SCALING_UP,
    ConditionType.SCALING_DOWN,
    ConditionType.ROLLING_OUT,
    ConditionType.DELETING,
)
"""The provider's conditions whose messages say why a pool waits, while they are True."""


def infra_object(obj: Unstructured, served: Served, machine_resource: Resource | None = None) -> InfraObject:
    """An infrastructure machine pool's facts."""
    failed = failure.of(obj)
    return InfraObject(
        object=obj,
        resource=served.resource,
        provisioned=_provisioned(obj, served.contract),
        provider_ids=infra_pool.provider_id_list(obj),
        replicas=infra_pool.replicas(obj),
        up_to_date_replicas=infra_pool.up_to_date_replicas(obj),
        machine_kind=infra_pool.infrastructure_machine_kind(obj),
        machine_resource=machine_resource,
        failure_reason=failed.reason,
        failure_message=failed.message,
        ready=conditions.find(obj, ConditionType.READY),
        legacy_ready=conditions.find_legacy(obj, ConditionType.READY, served.contract),
        explanations=_explanations(obj),
    )


def infra_machine_object(obj: Unstructured) -> InfraMachine:
    """An infrastructure machine's facts."""
    return InfraMachine(obj, infra_machine.provider_id(obj), conditions.find(obj, ConditionType.UP_TO_DATE))


def _provisioned(obj: Unstructured, contract: str) -> bool:
    """Whether the pool's infrastructure is there.

    Upstream reads `status.ready` of pools whatever their contract, so providers of contract v1beta2 set that, or what
    their contract says, or both: either counts.
    """
    return infra_pool.provisioned(obj, contract) or infra_pool.provisioned(obj, versions.V1BETA1)


def _explanations(obj: Unstructured) -> dict[str, str]:
    told = ((type_, conditions.find(obj, type_)) for type_ in _EXPLAINING)
    return {type_: c.message for type_, c in told if c is not None and c.status == "True" and c.message}
