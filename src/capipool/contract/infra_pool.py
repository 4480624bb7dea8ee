"""What the contract says of an infrastructure provider's machine pool object."""

from __future__ import annotations

from capipool.contract import fields
from capipool.contract.versions import V1BETA2
from capipool.machinery.objects import Unstructured


def provisioned(obj: Unstructured, contract: str) -> bool:
    """Whether the pool's infrastructure was made once: it may be of no use today."""
    if contract == V1BETA2:
        return fields.flag(obj.status, "initialization", "provisioned")
    return fields.flag(obj.status, "ready")


def provider_id_list(obj: Unstructured) -> tuple[str, ...]:
    """The instances there are, by provider ID."""
    return fields.texts(obj.spec, "providerIDList")


def replicas(obj: Unstructured) -> int | None:
    """How many instances there are; None where the provider does not say."""
    return fields.number(obj.status, "replicas")


def up_to_date_replicas(obj: Unstructured) -> int | None:
    """How many instances are as the pool wants them; None where the provider does not say (few do)."""
    return fields.number(obj.status, "upToDateReplicas")


def infrastructure_machine_kind(obj: Unstructured) -> str:
    """The kind of the objects that stand for single instances; empty where there are none."""
    return fields.text(obj.status, "infrastructureMachineKind")


def failure_domains(obj: Unstructured) -> tuple[str, ...]:
    """The failure domains that the pool is spread over, where the provider says so."""
    return fields.texts(obj.spec, "failureDomains")
