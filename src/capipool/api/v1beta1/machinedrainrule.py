"""MachineDrainRule in v1beta1: the same as in v1beta2."""

from __future__ import annotations

from typing import ClassVar

from capipool.api.v1beta2.machinedrainrule import MachineDrainRuleSpec
from capipool.machinery.objects import Object
from capipool.machinery.resource import Resource


class MachineDrainRule(Object, kw_only=True):
    """How pods are treated when their node is drained."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachineDrainRule", "machinedrainrules")

    spec: MachineDrainRuleSpec
