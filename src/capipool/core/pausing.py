"""Whether reconciling an object is held, and by what: its Cluster, an annotation of its own, or its own spec. Pure."""

from __future__ import annotations

from capipool.api.constants import Annotation, ConditionType, Reason
from capipool.api.core import Cluster
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Object


def condition(obj: Object, cluster: Cluster | None, *, by_spec: bool = False) -> Condition:
    """`Paused` of an object. The annotation pauses whatever its value is."""
    why = []
    if cluster is not None and cluster.spec.paused:
        why.append("Cluster spec.paused is set to true")
    if Annotation.PAUSED in obj.metadata.annotations:
        why.append(f"{obj.RESOURCE.kind} has the {Annotation.PAUSED} annotation")
    if by_spec:
        why.append(f"{obj.RESOURCE.kind} spec.paused is set to true")
    if why:
        return Condition(type=ConditionType.PAUSED, status="True", reason=Reason.PAUSED, message=", ".join(why))
    return Condition(type=ConditionType.PAUSED, status="False", reason=Reason.NOT_PAUSED)
