"""MachineHealthCheck in v1beta2: which machines count as unhealthy, and when they are replaced."""

from __future__ import annotations

from typing import Annotated, ClassVar

from capipool.api.shared import (
    Conditions,
    ConditionStatus,
    KindName,
    LabelSelector,
    NonNegative,
    ObservedGeneration,
    Str63,
    Str253,
    SubdomainName,
    UnhealthyConditionType,
    UnhealthyRange,
    V1Beta1Condition,
)
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Limits


class UnhealthyMachineCondition(Model):
    """A machine condition that, held for `timeout_seconds`, makes the machine unhealthy."""

    type: UnhealthyConditionType
    status: ConditionStatus
    timeout_seconds: NonNegative


class UnhealthyNodeCondition(Model):
    """A node condition that, held for `timeout_seconds`, makes its machine unhealthy."""

    type: Annotated[str, Limits(min_length=1)]
    status: Annotated[str, Limits(min_length=1)]
    timeout_seconds: NonNegative


class HealthChecks(Model):
    """What makes a machine unhealthy. A startup timeout of 0 seconds switches that check off."""

    LIMITS: ClassVar = Limits(min_properties=1)

    node_startup_timeout_seconds: NonNegative | None = None
    """How long a Node may take to join; None is ten minutes."""
    unhealthy_machine_conditions: Annotated[
        tuple[UnhealthyMachineCondition, ...], Limits(min_items=1, max_items=100, list_type="atomic")
    ] = ()
    unhealthy_node_conditions: Annotated[
        tuple[UnhealthyNodeCondition, ...], Limits(min_items=1, max_items=100, list_type="atomic")
    ] = ()


class RemediationTemplateReference(Model):
    """The template of the object that an external remediation works on."""

    api_version: Annotated[
        str,
        Limits(
            min_length=1,
            max_length=317,
            pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/[a-z]([-a-z0-9]*[a-z0-9])?$",
        ),
    ]
    kind: KindName
    name: SubdomainName


class RemediationTrigger(Model):
    """Up to how many unhealthy machines, or within which range `[a-b]`, remediation goes on."""

    LIMITS: ClassVar = Limits(min_properties=1)

    unhealthy_in_range: UnhealthyRange = ""
    unhealthy_less_than_or_equal_to: int | str | None = None


class Remediation(Model):
    """When unhealthy machines are replaced, and by whom if not by their owner."""

    LIMITS: ClassVar = Limits(min_properties=1)

    template_ref: RemediationTemplateReference | None = None
    trigger_if: RemediationTrigger = RemediationTrigger()


class MachineHealthCheckSpec(Model):
    """Which machines are checked, and how."""

    cluster_name: Str63
    selector: LabelSelector
    remediation: Remediation = Remediation()
    checks: HealthChecks = HealthChecks()


class MachineHealthCheckV1Beta1Status(Model):
    """Conditions as v1beta1 computes them."""

    conditions: tuple[V1Beta1Condition, ...] = ()


class MachineHealthCheckDeprecatedStatus(Model):
    """What older API versions showed."""

    v1beta1: MachineHealthCheckV1Beta1Status = MachineHealthCheckV1Beta1Status()


class MachineHealthCheckStatus(Model):
    """What is observed of the machines that are checked."""

    LIMITS: ClassVar = Limits(min_properties=1)

    observed_generation: ObservedGeneration | None = None
    conditions: Conditions = ()
    current_healthy: NonNegative | None = None
    expected_machines: NonNegative | None = None
    remediations_allowed: NonNegative | None = None
    """How many more machines may be replaced before the limit is reached."""
    targets: Annotated[tuple[Str253, ...], Limits(max_items=10000, list_type="atomic")] = ()
    """The names of the machines that are checked."""
    deprecated: MachineHealthCheckDeprecatedStatus = MachineHealthCheckDeprecatedStatus()


class MachineHealthCheck(Object, kw_only=True):
    """Says which machines count as unhealthy, and has them replaced."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "MachineHealthCheck", "machinehealthchecks")

    spec: MachineHealthCheckSpec
    status: MachineHealthCheckStatus = MachineHealthCheckStatus()
