"""MachineDeployment in v1beta1."""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from capipool.api.shared import LabelSelector, MachineDeploymentPhase, SelectorText, Str63, V1Beta1Condition, Versions
from capipool.api.v1beta1.shared import (
    MachineDeploymentStrategy,
    MachineNamingStrategy,
    MachineTemplateSpec,
    V1Beta2ReplicaStatus,
)
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema.limits import Int32, Int64


class MachineDeploymentSpec(Model):
    """What is wanted of a deployment. `replicas` is None only before defaulting."""

    cluster_name: Str63
    selector: LabelSelector
    template: MachineTemplateSpec
    paused: bool | None = None
    replicas: Int32 | None = None
    min_ready_seconds: Int32 | None = None
    strategy: MachineDeploymentStrategy = MachineDeploymentStrategy()
    machine_naming_strategy: MachineNamingStrategy = MachineNamingStrategy()
    progress_deadline_seconds: Int32 | None = None
    revision_history_limit: Int32 | None = None
    rollout_after: dt.datetime | None = None


class MachineDeploymentStatus(Model):
    """What is observed of a deployment."""

    replicas: Int32 | None = None
    selector: SelectorText = ""
    observed_generation: Int64 | None = None
    phase: MachineDeploymentPhase = ""
    conditions: tuple[V1Beta1Condition, ...] = ()
    ready_replicas: Int32 | None = None
    available_replicas: Int32 | None = None
    updated_replicas: Int32 | None = None
    unavailable_replicas: Int32 | None = None
    versions: Versions = ()
    v1beta2: V1Beta2ReplicaStatus = V1Beta2ReplicaStatus()


class MachineDeployment(Object, kw_only=True):
    """Machine sets of one kind of machine, and how one set replaces another."""

    RESOURCE: ClassVar = Resource("cluster.x-k8s.io", "v1beta1", "MachineDeployment", "machinedeployments")

    spec: MachineDeploymentSpec | None = None
    status: MachineDeploymentStatus = MachineDeploymentStatus()
