"""MachineDeployment in v1beta2: machine sets, and how one replaces another."""

from __future__ import annotations

from typing import ClassVar

from capipool.api.shared import (
    Conditions,
    LabelSelector,
    MachineDeploymentPhase,
    ObservedGeneration,
    SelectorText,
    Str63,
    V1Beta1Condition,
    Versions,
)
from capipool.api.v1beta2.shared import MachineNaming, MachineSetDeletion, MachineTemplateSpec, Rollout
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Limits


class MachineDeploymentRemediation(Model):
    """How many unhealthy machines may be replaced at a time: a number, or a percentage as text."""

    LIMITS: ClassVar = Limits(min_properties=1)

    max_in_flight: int | str | None = None


class MachineDeploymentSpec(Model):
    """What is wanted of a deployment. `replicas` is None only before defaulting."""

    cluster_name: Str63
    selector: LabelSelector
    template: MachineTemplateSpec
    paused: bool | None = None
    """Whether a change of the template waits; scaling goes on."""
    replicas: Int32 | None = None
    rollout: Rollout = Rollout()
    machine_naming: MachineNaming = MachineNaming()
    remediation: MachineDeploymentRemediation = MachineDeploymentRemediation()
    deletion: MachineSetDeletion = MachineSetDeletion()


class MachineDeploymentV1Beta1Status(Model):
    """Conditions and counters as v1beta1 computes them."""

    conditions: tuple[V1Beta1Condition, ...] = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    updated_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None


class MachineDeploymentDeprecatedStatus(Model):
    """What older API versions showed."""

    v1beta1: MachineDeploymentV1Beta1Status = MachineDeploymentV1Beta1Status()


class MachineDeploymentStatus(Model):
    """What is observed of a deployment."""

    LIMITS: ClassVar = Limits(min_properties=1)

    replicas: Int32 | None = None
    selector: SelectorText = ""
    """The label selector as text, for the scale subresource."""
    observed_generation: ObservedGeneration | None = None
    phase: MachineDeploymentPhase = ""
    conditions: Conditions = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    up_to_date_replicas: Int32 | None = None
    versions: Versions = ()
    deprecated: MachineDeploymentDeprecatedStatus = MachineDeploymentDeprecatedStatus()


class MachineDeployment(Object, kw_only=True):
    """Machine sets of one kind of machine, and how one set replaces another."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta2", "MachineDeployment", "machinedeployments")

    spec: MachineDeploymentSpec
    status: MachineDeploymentStatus = MachineDeploymentStatus()
