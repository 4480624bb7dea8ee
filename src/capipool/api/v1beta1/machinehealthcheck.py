"""MachineHealthCheck in v1beta1."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import (
    LabelSelector,
    NonNegative,
    ObjectReference,
    Str63,
    Str253,
    UnhealthyRange,
    V1Beta1Condition,
)
from capipool.api.v1beta1.shared import UnhealthyCondition, UnhealthyMachineCondition, V1Beta2Status
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int64, Limits


class MachineHealthCheckSpec(Model):
    """Which machines are checked, and how."""

    cluster_name: Str63
    selector: LabelSelector
    max_unhealthy: int | str | None = None
    node_startup_timeout: str = ""
    remediation_template: ObjectReference | None = None
    unhealthy_conditions: Annotated[tuple[UnhealthyCondition, ...], Limits(max_items=100)] = ()
    unhealthy_machine_conditions: Annotated[
        tuple[UnhealthyMachineCondition, ...], Limits(min_items=1, max_items=100, list_type="atomic")
    ] = ()
    unhealthy_range: UnhealthyRange = ""


class MachineHealthCheckStatus(Model):
    """What is observed of the machines that are checked."""

    observed_generation: Int64 | None = None
    conditions: tuple[V1Beta1Condition, ...] = ()
    current_healthy: NonNegative | None = None
    expected_machines: NonNegative | None = None
    remediations_allowed: NonNegative | None = None
    targets: Annotated[tuple[Str253, ...], Limits(max_items=10000)] = ()
    v1beta2: V1Beta2Status = V1Beta2Status()


class MachineHealthCheck(Object, kw_only=True):
    """Says which machines count as unhealthy, and has them replaced."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachineHealthCheck", "machinehealthchecks")

    spec: MachineHealthCheckSpec | None = None
    status: MachineHealthCheckStatus = MachineHealthCheckStatus()
