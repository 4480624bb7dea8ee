"""MachineDrainRule in v1beta1: the same as in v1beta2."""

from __future__ import annotations

from typing import Annotated, ClassVar

import msgspec

from capipool.api.v1beta2.machinedrainrule import MachineDrainRuleSpec
from capipool.machinery.objects import Object, ObjectMeta
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits


class MachineDrainRule(Object, kw_only=True):
    """How pods are treated when their node is drained."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachineDrainRule", "machinedrainrules")

    metadata: Annotated[ObjectMeta, Limits(required=True)] = msgspec.field(default_factory=ObjectMeta)
    spec: MachineDrainRuleSpec
