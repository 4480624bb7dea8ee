"""MachinePool in v1beta1."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import ObjectReference, Str63, Str256, Str512, Str10240, V1Beta1Condition, Versions
from capipool.api.v1beta1.shared import MachineTemplateSpec, V1Beta2ReplicaStatus
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64, Limits


class MachinePoolSpec(Model):
    """What is wanted of a pool. `replicas` is None only before defaulting; the provider owns `provider_id_list`."""

    cluster_name: Str63
    template: MachineTemplateSpec
    failure_domains: Annotated[tuple[Str256, ...], Limits(max_items=100)] = ()
    min_ready_seconds: Int32 | None = None
    provider_id_list: Annotated[tuple[Str512, ...], Limits(max_items=10000)] = ()
    replicas: Int32 | None = None


class MachinePoolStatus(Model):
    """What is observed of a pool. Counters are None until they were counted once."""

    available_replicas: Int32 | None = None
    bootstrap_ready: bool | None = None
    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: Str10240 = ""
    failure_reason: str = ""
    infrastructure_ready: bool | None = None
    node_refs: Annotated[tuple[ObjectReference, ...], Limits(max_items=10000)] = ()
    observed_generation: Int64 | None = None
    phase: Annotated[
        str,
        Limits(
            enum=(
                "Pending",
                "Provisioning",
                "Provisioned",
                "Running",
                "ScalingUp",
                "ScalingDown",
                "Scaling",
                "Deleting",
                "Failed",
                "Unknown",
            )
        ),
    ] = ""
    ready_replicas: Int32 | None = None
    replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None
    v1beta2: V1Beta2ReplicaStatus = V1Beta2ReplicaStatus()
    versions: Versions = ()


class MachinePool(Object, kw_only=True):
    """A group of machines that a provider keeps as one thing: a scaling group, a scale set."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachinePool", "machinepools")

    spec: MachinePoolSpec | None = None
    status: MachinePoolStatus = MachinePoolStatus()
