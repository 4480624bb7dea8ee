"""A bootstrap provider's object, as its contract reads: where the data of a machine, or of a pool's instances, is from.

Used by the reconcilers of both. Pure.
"""

from __future__ import annotations

from dataclasses import dataclass

from capipool.api.constants import ConditionType
from capipool.api.shared import V1Beta1Condition
from capipool.contract import bootstrap, conditions
from capipool.core.references import Served
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource


@dataclass(frozen=True, slots=True)
class BootstrapObject:
    """The facts that decisions need."""

    object: Unstructured
    resource: Resource
    data_secret_created: bool = False
    data_secret_name: str = ""
    ready: Condition | None = None
    legacy_ready: V1Beta1Condition | None = None


def bootstrap_object(obj: Unstructured, served: Served) -> BootstrapObject:
    """An object's facts."""
    return BootstrapObject(
        object=obj,
        resource=served.resource,
        data_secret_created=bootstrap.data_secret_created(obj, served.contract),
        data_secret_name=bootstrap.data_secret_name(obj),
        ready=conditions.find(obj, ConditionType.READY),
        legacy_ready=conditions.find_legacy(obj, ConditionType.READY, served.contract),
    )
