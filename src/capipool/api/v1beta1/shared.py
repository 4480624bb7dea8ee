"""Parts that several kinds of v1beta1 have in common."""

from __future__ import annotations

from typing import Annotated

import msgspec

from capipool.api.shared import (
    ConditionGate,
    Conditions,
    ConditionStatus,
    DeletionOrder,
    ObjectReference,
    Str63,
    Str256,
    Str512,
    Taints,
    UnhealthyConditionType,
)
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits

ConditionGates = Annotated[tuple[ConditionGate, ...], Limits(max_items=32, list_map_keys=("conditionType",))]


class TemplateMetadata(Model):
    """Labels and annotations that objects made from a template get."""

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class Bootstrap(Model):
    """Where bootstrap data comes from: a bootstrap provider's object, or a secret that somebody else fills."""

    config_ref: ObjectReference | None = None
    data_secret_name: Annotated[str, Limits(min_length=0, max_length=253)] | None = None


class MachineSpec(Model):
    """What one machine is to be. Timeouts are Go durations: `10s`, `1h5m`."""

    cluster_name: Str63
    bootstrap: Bootstrap
    infrastructure_ref: ObjectReference
    version: Str256 = ""
    provider_id: Str512 = ""
    failure_domain: Str256 = ""
    readiness_gates: ConditionGates = ()
    node_drain_timeout: str = ""
    node_volume_detach_timeout: str = ""
    node_deletion_timeout: str = ""
    taints: Taints = ()


class MachineTemplateSpec(Model):
    """What machines are made from."""

    metadata: TemplateMetadata = TemplateMetadata()
    spec: MachineSpec | None = None


class MachineNamingStrategy(Model):
    """How machines are named: a Go template."""

    template: Str256 = ""


class RemediationStrategy(Model):
    """How many unhealthy machines may be replaced at a time: a number, or a percentage as text."""

    max_in_flight: int | str | None = None


class RollingUpdate(Model):
    """By how much a rollout may overshoot or fall short of `replicas`, and which machines go first."""

    max_unavailable: int | str | None = None
    max_surge: int | str | None = None
    delete_policy: DeletionOrder = ""


class MachineDeploymentStrategy(Model):
    """How a deployment replaces its machines."""

    type: Annotated[str, Limits(enum=("RollingUpdate", "OnDelete"))] = ""
    rolling_update: RollingUpdate = RollingUpdate()
    remediation: RemediationStrategy = RemediationStrategy()


class V1Beta2Status(Model):
    """The conditions of v1beta2, as v1beta1 shows them beside its own."""

    conditions: Conditions = ()


class V1Beta2ReplicaStatus(Model):
    """The conditions and counters of v1beta2, as v1beta1 shows them beside its own."""

    conditions: Conditions = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    up_to_date_replicas: Int32 | None = None


class UnhealthyCondition(Model):
    """A node condition that, held for `timeout` (a Go duration), makes its machine unhealthy."""

    type: Annotated[str, Limits(min_length=1)]
    status: Annotated[str, Limits(min_length=1)]
    timeout: str


class UnhealthyMachineCondition(Model):
    """A machine condition that, held for `timeout` (a Go duration), makes the machine unhealthy."""

    type: UnhealthyConditionType
    status: ConditionStatus
    timeout: str
