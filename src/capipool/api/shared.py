"""Values and parts that are the same in every version of the API."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

import msgspec

from capipool.machinery.conditions import QUALIFIED_NAME, Condition
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Int64, Limits, Rule

DNS_SUBDOMAIN = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$"
TAINT_KEY = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?"
    r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$"
)
TAINT_VALUE = r"^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$"

Str63 = Annotated[str, Limits(min_length=1, max_length=63)]
"""Text of 1 to 63 characters, as for the others below."""
Str253 = Annotated[str, Limits(min_length=1, max_length=253)]
Str256 = Annotated[str, Limits(min_length=1, max_length=256)]
Str512 = Annotated[str, Limits(min_length=1, max_length=512)]
Str2048 = Annotated[str, Limits(min_length=1, max_length=2048)]
Str10240 = Annotated[str, Limits(min_length=1, max_length=10240)]
SubdomainName = Annotated[str, Limits(min_length=1, max_length=253, pattern=DNS_SUBDOMAIN)]
SubdomainName63 = Annotated[str, Limits(min_length=1, max_length=63, pattern=DNS_SUBDOMAIN)]
KindName = Annotated[str, Limits(min_length=1, max_length=63, pattern="^[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?$")]
NonNegative = Annotated[Int32, Limits(minimum=0)]
Port = Annotated[Int32, Limits(minimum=1, maximum=65535)]
ObservedGeneration = Annotated[Int64, Limits(minimum=1)]
ConditionType = Annotated[str, Limits(min_length=1, max_length=316, pattern=QUALIFIED_NAME)]
ConditionStatus = Annotated[str, Limits(enum=("True", "False", "Unknown"))]
Conditions = Annotated[tuple[Condition, ...], Limits(max_items=32, list_map_keys=("type",))]
MachinePoolPhase = Annotated[
    str,
    Limits(
        enum=(
            *("Pending", "Provisioning", "Provisioned", "Running", "ScalingUp", "ScalingDown", "Scaling"),
            *("Deleting", "Failed", "Unknown"),
        )
    ),
]
MachineDeploymentPhase = Annotated[str, Limits(enum=("ScalingUp", "ScalingDown", "Running", "Failed", "Unknown"))]
ClusterPhase = Annotated[str, Limits(enum=("Pending", "Provisioning", "Provisioned", "Deleting", "Failed", "Unknown"))]
DeletionOrder = Annotated[str, Limits(enum=("Random", "Newest", "Oldest"))]
UnhealthyRange = Annotated[str, Limits(min_length=1, max_length=32, pattern=r"^\[[0-9]+-[0-9]+\]$")]
UnhealthyConditionType = Annotated[
    ConditionType,
    Limits(
        rules=(
            Rule(
                rule="!(self in ['Ready','Available','HealthCheckSucceeded','OwnerRemediated','ExternallyRemediated'])",
                message="must not be a condition that remediation itself sets: Ready, Available, "
                "HealthCheckSucceeded, OwnerRemediated, ExternallyRemediated",
            ),
        )
    ),
]
SelectorText = Annotated[str, Limits(min_length=1, max_length=4096)]
"""A label selector in its text form, as the scale subresource shows it."""


class ObjectReference(Model):
    """A reference to any object, as `core/v1` has it."""

    LIMITS: ClassVar = Limits(atomic=True)

    api_version: str = ""
    kind: str = ""
    namespace: str = ""
    name: str = ""
    uid: str = ""
    resource_version: str = ""
    field_path: str = ""


class LabelSelectorRequirement(Model):
    """One condition on one label: `In`, `NotIn`, `Exists` or `DoesNotExist`."""

    key: str
    operator: str
    values: Annotated[tuple[str, ...], Limits(list_type="atomic")] = ()


class LabelSelector(Model):
    """Labels to match, as `meta/v1` has it; an empty one matches everything."""

    LIMITS: ClassVar = Limits(atomic=True)

    match_labels: dict[str, str] = msgspec.field(default_factory=dict)
    match_expressions: Annotated[tuple[LabelSelectorRequirement, ...], Limits(list_type="atomic")] = ()


class ConditionGate(Model):
    """A further condition that must hold before the object counts as ready or available.

    Polarity `Positive` (the default) wants the condition `True`, `Negative` wants it `False`.
    """

    condition_type: ConditionType
    polarity: Annotated[str, Limits(enum=("Positive", "Negative"))] = ""


ReadinessGates = Annotated[
    tuple[ConditionGate, ...], Limits(min_items=1, max_items=32, list_map_keys=("conditionType",))
]


class MachineTaint(Model):
    """A taint for nodes, kept on them (`Always`) or set once while they join (`OnInitialization`)."""

    key: Annotated[str, Limits(min_length=1, max_length=317, pattern=TAINT_KEY)]
    effect: Annotated[str, Limits(enum=("NoSchedule", "PreferNoSchedule", "NoExecute"))]
    propagation: Annotated[str, Limits(enum=("Always", "OnInitialization"))]
    value: Annotated[str, Limits(min_length=1, max_length=63, pattern=TAINT_VALUE)] = ""


Taints = Annotated[tuple[MachineTaint, ...], Limits(min_items=1, max_items=64, list_map_keys=("key", "effect"))]


class StatusVersion(Model):
    """How many machines run one version of Kubernetes."""

    version: Str256
    replicas: Annotated[Int32, Limits(minimum=1)] | None = None


Versions = Annotated[tuple[StatusVersion, ...], Limits(min_items=1, max_items=100, list_map_keys=("version",))]


class V1Beta1Condition(Model):
    """A condition in the form of v1beta1: with a severity (`Error`, `Warning`, `Info`) while it is `False`."""

    type: Str256
    status: str
    last_transition_time: dt.datetime
    severity: Annotated[str, Limits(max_length=32)] = ""
    reason: Str256 = ""
    message: Str10240 = ""
