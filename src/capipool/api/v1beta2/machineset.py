"""MachineSet in v1beta2: a number of machines that are all alike."""

from __future__ import annotations

from typing import ClassVar

from capipool.api.shared import (
    Conditions,
    LabelSelector,
    ObservedGeneration,
    SelectorText,
    Str63,
    Str10240,
    V1Beta1Condition,
    Versions,
)
from capipool.api.v1beta2.shared import MachineNaming, MachineSetDeletion, MachineTemplateSpec
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits


class MachineSetSpec(Model):
    """What is wanted of a set. `replicas` is None only before defaulting."""

    cluster_name: Str63
    selector: LabelSelector
    template: MachineTemplateSpec
    replicas: Int32 | None = None
    machine_naming: MachineNaming = MachineNaming()
    deletion: MachineSetDeletion = MachineSetDeletion()


class MachineSetV1Beta1Status(Model):
    """Conditions and counters as v1beta1 computes them."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    fully_labeled_replicas: Int32 | None = None
    failure_reason: str = ""
    failure_message: Str10240 = ""


class MachineSetDeprecatedStatus(Model):
    """What older API versions showed."""

    v1beta1: MachineSetV1Beta1Status = MachineSetV1Beta1Status()


class MachineSetStatus(Model):
    """What is observed of a set."""

    LIMITS: ClassVar = Limits(min_properties=1)

    replicas: Int32 | None = None
    selector: SelectorText = ""
    """The label selector as text, for the scale subresource."""
    observed_generation: ObservedGeneration | None = None
    conditions: Conditions = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    up_to_date_replicas: Int32 | None = None
    versions: Versions = ()
    deprecated: MachineSetDeprecatedStatus = MachineSetDeprecatedStatus()


class MachineSet(Object, kw_only=True):
    """A number of machines that are all alike."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "MachineSet", "machinesets")

    spec: MachineSetSpec
    status: MachineSetStatus = MachineSetStatus()
