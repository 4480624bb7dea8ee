"""The topology part of a Cluster in v1beta1."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from capipool.api.shared import (
    ObjectReference,
    Str63,
    Str253,
    Str256,
    Taints,
    UnhealthyRange,
)
from capipool.api.v1beta1.shared import (
    ConditionGates,
    MachineDeploymentStrategy,
    TemplateMetadata,
    UnhealthyCondition,
    UnhealthyMachineCondition,
)
from capipool.api.v1beta2.topology import ControlPlaneTopologyRollout
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits


class MachineHealthCheckTopology(Model):
    """Health checks of a part of the cluster. Timeouts are Go durations."""

    enable: bool | None = None
    max_unhealthy: int | str | None = None
    node_startup_timeout: str = ""
    remediation_template: ObjectReference | None = None
    unhealthy_conditions: Annotated[tuple[UnhealthyCondition, ...], Limits(max_items=100)] = ()
    unhealthy_machine_conditions: Annotated[
        tuple[UnhealthyMachineCondition, ...], Limits(min_items=1, max_items=100, list_type="atomic")
    ] = ()
    unhealthy_range: UnhealthyRange = ""


class Variable(Model):
    """A value for one of the class's variables: any JSON."""

    name: Str256
    value: Any
    definition_from: Annotated[str, Limits(max_length=256)] = ""


class VariableOverrides(Model):
    """Values that hold for one part of the cluster only."""

    overrides: Annotated[tuple[Variable, ...], Limits(max_items=1000, list_map_keys=("name",))] = ()


class ControlPlaneTopology(Model):
    """The control plane of a cluster made from a class."""

    metadata: TemplateMetadata = TemplateMetadata()
    replicas: Int32 | None = None
    readiness_gates: ConditionGates = ()
    rollout: ControlPlaneTopologyRollout = ControlPlaneTopologyRollout()
    taints: Taints = ()
    machine_health_check: MachineHealthCheckTopology = MachineHealthCheckTopology()
    node_deletion_timeout: str = ""
    node_drain_timeout: str = ""
    node_volume_detach_timeout: str = ""
    variables: VariableOverrides = VariableOverrides()


class MachineDeploymentTopology(Model):
    """One MachineDeployment of a cluster made from a class."""

    class_: Str256
    name: Str63
    metadata: TemplateMetadata = TemplateMetadata()
    replicas: Int32 | None = None
    failure_domain: Str256 = ""
    min_ready_seconds: Int32 | None = None
    readiness_gates: ConditionGates = ()
    rollout: ControlPlaneTopologyRollout = ControlPlaneTopologyRollout()
    strategy: MachineDeploymentStrategy = MachineDeploymentStrategy()
    taints: Taints = ()
    machine_health_check: MachineHealthCheckTopology = MachineHealthCheckTopology()
    node_deletion_timeout: str = ""
    node_drain_timeout: str = ""
    node_volume_detach_timeout: str = ""
    variables: VariableOverrides = VariableOverrides()


class MachinePoolTopology(Model):
    """One MachinePool of a cluster made from a class."""

    class_: Str256
    name: Str63
    metadata: TemplateMetadata = TemplateMetadata()
    replicas: Int32 | None = None
    failure_domains: Annotated[tuple[Str256, ...], Limits(max_items=100)] = ()
    min_ready_seconds: Int32 | None = None
    taints: Taints = ()
    node_deletion_timeout: str = ""
    node_drain_timeout: str = ""
    node_volume_detach_timeout: str = ""
    variables: VariableOverrides = VariableOverrides()


class WorkersTopology(Model):
    """The workers of a cluster made from a class."""

    machine_deployments: Annotated[
        tuple[MachineDeploymentTopology, ...], Limits(max_items=2000, list_map_keys=("name",))
    ] = ()
    machine_pools: Annotated[tuple[MachinePoolTopology, ...], Limits(max_items=2000, list_map_keys=("name",))] = ()


class Topology(Model):
    """What a cluster made from a class is to be."""

    class_: Str253
    version: Str256
    class_namespace: Annotated[str, Limits(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] = ""
    control_plane: ControlPlaneTopology = ControlPlaneTopology()
    rollout_after: dt.datetime | None = None
    variables: Annotated[tuple[Variable, ...], Limits(max_items=1000, list_map_keys=("name",))] = ()
    workers: WorkersTopology = WorkersTopology()
