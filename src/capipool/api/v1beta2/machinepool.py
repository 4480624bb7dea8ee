"""MachinePool in v1beta2: a group of machines that a provider keeps as one thing."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import (
    Conditions,
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
    failure_domains: Annotated[tuple[Str256, ...], Limits(max_items=100, list_type="atomic")] = ()
    provider_id_list: Annotated[tuple[Str512, ...], Limits(max_items=10000, list_type="atomic")] = ()
    replicas: Int32 | None = None


class MachinePoolV1Beta1Status(Model):
    """Conditions and counters as v1beta1 computes them."""

    available_replicas: Int32 | None = None
    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_message: Str10240 = ""
    failure_reason: str = ""
    ready_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None


class MachinePoolDeprecatedStatus(Model):
    """What older API versions showed."""

    v1beta1: MachinePoolV1Beta1Status = MachinePoolV1Beta1Status()


class MachinePoolStatus(Model):
    """What is observed of a pool. Counters are None until they were counted once."""

    LIMITS: ClassVar = Limits(min_properties=1)

    available_replicas: Int32 | None = None
    conditions: Conditions = ()
    deprecated: MachinePoolDeprecatedStatus = MachinePoolDeprecatedStatus()
    initialization: MachineInitialization = MachineInitialization()
    node_refs: Annotated[tuple[ObjectReference, ...], Limits(max_items=10000, list_type="atomic")] = ()
    observed_generation: ObservedGeneration | None = None
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
    up_to_date_replicas: Int32 | None = None
    versions: Versions = ()


class MachinePool(Object, kw_only=True):
    """A group of machines that a provider keeps as one thing: a scaling group, a scale set."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")

    spec: MachinePoolSpec
    status: MachinePoolStatus = MachinePoolStatus()
