"""MachinePool in v1beta1."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import (
    MachinePoolPhase,
    ObjectReference,
    Str63,
    Str256,
    Str512,
    Str10240,
    V1Beta1Condition,
    Versions,
)
from capipool.api.v1beta1.shared import MachineTemplateSpec, V1Beta2ReplicaStatus
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits


class MachinePoolSpec(Model):
    """What is wanted of a pool. `replicas` is None only before defaulting; the provider owns `provider_id_list`."""

    cluster_name: Str63
    template: MachineTemplateSpec
    replicas: Int32 | None = None
    provider_id_list: Annotated[tuple[Str512, ...], Limits(max_items=10000)] = ()
    failure_domains: Annotated[tuple[Str256, ...], Limits(max_items=100)] = ()
    min_ready_seconds: Int32 | None = None


class MachinePoolStatus(Model):
    """What is observed of a pool. Counters are None until they were counted once."""

    replicas: Int32 | None = None
    observed_generation: Int64 | None = None
    phase: MachinePoolPhase = ""
    conditions: tuple[V1Beta1Condition, ...] = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None
    versions: Versions = ()
    node_refs: Annotated[tuple[ObjectReference, ...], Limits(max_items=10000)] = ()
    bootstrap_ready: bool | None = None
    infrastructure_ready: bool | None = None
    failure_reason: str = ""
    failure_message: Str10240 = ""
    v1beta2: V1Beta2ReplicaStatus = V1Beta2ReplicaStatus()


class MachinePool(Object, kw_only=True):
    """A group of machines that a provider keeps as one thing: a scaling group, a scale set."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachinePool", "machinepools")

    spec: MachinePoolSpec | None = None
    status: MachinePoolStatus = MachinePoolStatus()
