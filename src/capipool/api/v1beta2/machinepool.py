"""MachinePool in v1beta2: a group of machines that a provider keeps as one thing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import (
    Conditions,
    MachinePoolPhase,
    ObjectReference,
    ObservedGeneration,
    Str63,
    Str256,
    Str512,
    Str10240,
    V1Beta1Condition,
    Versions,
)
from capipool.api.v1beta2.shared import MachineInitialization, MachineTemplateSpec
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits


class MachinePoolSpec(Model):
    """What is wanted of a pool. `replicas` is None only before defaulting; the provider owns `provider_id_list`."""

    cluster_name: Str63
    template: MachineTemplateSpec
    replicas: Int32 | None = None
    """How many instances are wanted; 0 is a normal state."""
    provider_id_list: Annotated[tuple[Str512, ...], Limits(max_items=10000, list_type="atomic")] = ()
    """The instances there are, copied from the infrastructure object. One entry is one replica."""
    failure_domains: Annotated[tuple[Str256, ...], Limits(max_items=100, list_type="atomic")] = ()
    """Where instances may go; the provider chooses where none are named."""


class MachinePoolV1Beta1Status(Model):
    """Conditions and counters as v1beta1 computes them."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None
    failure_reason: str = ""
    failure_message: Str10240 = ""


class MachinePoolDeprecatedStatus(Model):
    """What older API versions showed."""

    v1beta1: MachinePoolV1Beta1Status = MachinePoolV1Beta1Status()


class MachinePoolStatus(Model):
    """What is observed of a pool. Counters are None until they were counted once."""

    LIMITS: ClassVar = Limits(min_properties=1)

    replicas: Int32 | None = None
    """How many instances the provider reports."""
    observed_generation: ObservedGeneration | None = None
    initialization: MachineInitialization = MachineInitialization()
    phase: MachinePoolPhase = ""
    conditions: Conditions = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    up_to_date_replicas: Int32 | None = None
    """How many instances are as the template wants them."""
    versions: Versions = ()
    node_refs: Annotated[tuple[ObjectReference, ...], Limits(max_items=10000, list_type="atomic")] = ()
    """The Nodes of the instances, as far as they have joined."""
    deprecated: MachinePoolDeprecatedStatus = MachinePoolDeprecatedStatus()


class MachinePool(Object, kw_only=True):
    """A group of machines that a provider keeps as one thing: a scaling group, a scale set."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")

    spec: MachinePoolSpec
    status: MachinePoolStatus = MachinePoolStatus()
