"""MachineDrainRule in v1beta2: how pods are treated when their node is drained."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import LabelSelector
from capipool.machinery.objects import Model, Object, ObjectMeta
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits, Rule

_UNIQUE = Rule(rule="self.all(x, self.exists_one(y, x == y))", message="entries must be unique")


class DrainOrder(Model):
    """What to do with the pods, and in which order: lower numbers first, None is 0."""

    behavior: Annotated[str, Limits(enum=("Drain", "Skip", "WaitCompleted"))]
    order: Int32 | None = None


class MachineSelection(Model):
    """Machines, by their labels and those of their Cluster; all of what is given must match."""

    LIMITS: ClassVar = Limits(min_properties=1)

    selector: LabelSelector | None = None
    cluster_selector: LabelSelector | None = None


class PodSelection(Model):
    """Pods, by their labels and those of their namespace; all of what is given must match."""

    LIMITS: ClassVar = Limits(min_properties=1)

    selector: LabelSelector | None = None
    namespace_selector: LabelSelector | None = None


class MachineDrainRuleSpec(Model):
    """Which pods on which machines the rule is for; no selection is all of them."""

    drain: DrainOrder
    machines: Annotated[
        tuple[MachineSelection, ...],
        Limits(
            min_items=1,
            max_items=32,
            list_type="atomic",
            rules=(_UNIQUE,),
        ),
    ] = ()
    pods: Annotated[
        tuple[PodSelection, ...],
        Limits(
            min_items=1,
            max_items=32,
            list_type="atomic",
            rules=(_UNIQUE,),
        ),
    ] = ()


class MachineDrainRule(Object, kw_only=True):
    """How pods are treated when their node is drained."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "MachineDrainRule", "machinedrainrules")

    metadata: Annotated[ObjectMeta, Limits(required=True)] = msgspec.field(default_factory=ObjectMeta)
    spec: MachineDrainRuleSpec
