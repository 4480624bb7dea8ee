"""Parts that several kinds of v1beta2 have in common."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, ClassVar

import msgspec

from capipool.api.shared import (
    DeletionOrder,
    KindName,
    NonNegative,
    ReadinessGates,
    Str63,
    Str256,
    Str512,
    Str10240,
    SubdomainName,
    Taints,
    V1Beta1Condition,
)
from capipool.machinery.objects import Model
from capipool.machinery.resource import GroupKind
from capipool.machinery.schema.limits import Limits


class TemplateMetadata(Model):
    """Labels and annotations that objects made from a template get."""

    LIMITS: ClassVar = Limits(min_properties=1)

    labels: dict[str, str] = msgspec.field(default_factory=dict)
    annotations: dict[str, str] = msgspec.field(default_factory=dict)


class ContractVersionedObjectReference(Model):
    """A provider's object in the same namespace. The version is not said: the CRD's contract labels choose it."""

    api_group: SubdomainName
    kind: KindName
    name: SubdomainName

    @property
    def group_kind(self) -> GroupKind:
        """The kind that is meant, without a version."""
        return GroupKind(self.api_group, self.kind)


class MachineDeletion(Model):
    """How long each step of a node's removal may take, in seconds; 0 is without end, None leaves it to defaults."""

    LIMITS: ClassVar = Limits(min_properties=1)

    node_drain_timeout_seconds: NonNegative | None = None
    node_volume_detach_timeout_seconds: NonNegative | None = None
    node_deletion_timeout_seconds: NonNegative | None = None


class Bootstrap(Model):
    """Where bootstrap data comes from: a bootstrap provider's object, or a secret that somebody else fills."""

    config_ref: ContractVersionedObjectReference | None = None
    data_secret_name: Annotated[str, Limits(min_length=0, max_length=253)] | None = None
    """None until there is one; empty text counts as given, as upstream has it."""


class MachineSpec(Model):
    """What one machine is to be: also the template of pools, sets and deployments."""

    cluster_name: Str63
    bootstrap: Bootstrap
    infrastructure_ref: ContractVersionedObjectReference
    version: Str256 = ""
    """Kubernetes version with its leading `v`; empty where the provider's image decides."""
    provider_id: Str512 = ""
    failure_domain: Str256 = ""
    min_ready_seconds: NonNegative | None = None
    """How long a node must be ready before it counts as available, in seconds; None is 0."""
    readiness_gates: ReadinessGates = ()
    deletion: MachineDeletion = MachineDeletion()
    taints: Taints = ()


class MachineTemplateSpec(Model):
    """What machines are made from."""

    spec: MachineSpec
    metadata: TemplateMetadata = TemplateMetadata()


class V1Beta1Status(Model):
    """What v1beta1 showed of a Cluster's or a Machine's state and v1beta2 only keeps for it."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    failure_reason: str = ""
    failure_message: Str10240 = ""


class DeprecatedStatus(Model):
    """What older API versions showed."""

    v1beta1: V1Beta1Status = V1Beta1Status()


class MachineInitialization(Model):
    """What happens once on the way to a running machine or pool; None and False both mean not yet."""

    LIMITS: ClassVar = Limits(min_properties=1)

    infrastructure_provisioned: bool | None = None
    bootstrap_data_secret_created: bool | None = None


class MachineNaming(Model):
    """How machines are named: a Go template over `.cluster.name`, `.machineSet.name` and `.random`."""

    LIMITS: ClassVar = Limits(min_properties=1)

    template: Str256 = ""


class MachineSetDeletion(Model):
    """Which machine goes first when there are too many: `Random`, `Newest` or `Oldest`."""

    LIMITS: ClassVar = Limits(min_properties=1)

    order: DeletionOrder = ""


class RollingUpdate(Model):
    """By how much a rollout may overshoot or fall short of `replicas`: a number, or a percentage as text."""

    LIMITS: ClassVar = Limits(min_properties=1)

    max_unavailable: int | str | None = None
    max_surge: int | str | None = None


class RolloutStrategy(Model):
    """`RollingUpdate`, or `OnDelete`: replace a machine only when somebody deletes it."""

    LIMITS: ClassVar = Limits(min_properties=1)

    type: Annotated[str, Limits(enum=("RollingUpdate", "OnDelete"))]
    rolling_update: RollingUpdate = RollingUpdate()


class Rollout(Model):
    """When and how machines are replaced. A time `after` in the past asks for one replacement of older machines."""

    LIMITS: ClassVar = Limits(min_properties=1)

    after: dt.datetime | None = None
    strategy: RolloutStrategy | None = None
