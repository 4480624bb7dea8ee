"""The topology part of a Cluster in v1beta2: a cluster made from a ClusterClass."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any, ClassVar

from capipool.api.shared import (
    DeletionOrder,
    NonNegative,
    ReadinessGates,
    Str256,
    SubdomainName,
    SubdomainName63,
    Taints,
)
from capipool.api.v1beta2.machinehealthcheck import (
    HealthChecks,
    Remediation,
    RemediationTemplateReference,
    RemediationTrigger,
)
from capipool.api.v1beta2.shared import (
    MachineDeletion,
    Rollout,
    TemplateMetadata,
)
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int32, Limits


class ClusterClassReference(Model):
    """The ClusterClass a cluster is made from; in its own namespace where none is said."""

    name: SubdomainName
    namespace: Annotated[str, Limits(min_length=1, max_length=63, pattern="^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")] = ""


class ControlPlaneTopologyHealthCheck(Model):
    """Health checks of control plane machines."""

    LIMITS: ClassVar = Limits(min_properties=1)

    remediation: Remediation = Remediation()
    checks: HealthChecks = HealthChecks()
    enabled: bool | None = None


class ControlPlaneTopologyRollout(Model):
    """A time in the past asks for one replacement of older machines."""

    LIMITS: ClassVar = Limits(min_properties=1)

    after: dt.datetime | None = None


class Variable(Model):
    """A value for one of the class's variables: any JSON."""

    name: Str256
    value: Any


class VariableOverrides(Model):
    """Values that hold for one part of the cluster only."""

    LIMITS: ClassVar = Limits(min_properties=1)

    overrides: Annotated[tuple[Variable, ...], Limits(min_items=1, max_items=1000, list_map_keys=("name",))] = ()


class ControlPlaneTopology(Model):
    """The control plane of a cluster made from a class."""

    LIMITS: ClassVar = Limits(min_properties=1)

    metadata: TemplateMetadata = TemplateMetadata()
    replicas: Int32 | None = None
    readiness_gates: ReadinessGates = ()
    rollout: ControlPlaneTopologyRollout = ControlPlaneTopologyRollout()
    deletion: MachineDeletion = MachineDeletion()
    taints: Taints = ()
    health_check: ControlPlaneTopologyHealthCheck = ControlPlaneTopologyHealthCheck()
    variables: VariableOverrides = VariableOverrides()


class MachineDeploymentTopologyDeletion(Model):
    """Which machine goes first, and how long each step may take, in seconds."""

    LIMITS: ClassVar = Limits(min_properties=1)

    node_deletion_timeout_seconds: NonNegative | None = None
    node_drain_timeout_seconds: NonNegative | None = None
    node_volume_detach_timeout_seconds: NonNegative | None = None
    order: DeletionOrder = ""


class MachineDeploymentTopologyHealthCheckRemediation(Model):
    """When unhealthy machines are replaced, and how many at a time."""

    LIMITS: ClassVar = Limits(min_properties=1)

    max_in_flight: int | str | None = None
    template_ref: RemediationTemplateReference | None = None
    trigger_if: RemediationTrigger = RemediationTrigger()


class MachineDeploymentTopologyHealthCheck(Model):
    """Health checks of a deployment's machines."""

    LIMITS: ClassVar = Limits(min_properties=1)

    remediation: MachineDeploymentTopologyHealthCheckRemediation = MachineDeploymentTopologyHealthCheckRemediation()
    checks: HealthChecks = HealthChecks()
    enabled: bool | None = None


class MachineDeploymentTopology(Model):
    """One MachineDeployment of a cluster made from a class."""

    class_: Str256
    name: SubdomainName63
    metadata: TemplateMetadata = TemplateMetadata()
    replicas: Int32 | None = None
    failure_domain: Str256 = ""
    min_ready_seconds: NonNegative | None = None
    readiness_gates: ReadinessGates = ()
    rollout: Rollout = Rollout()
    deletion: MachineDeploymentTopologyDeletion = MachineDeploymentTopologyDeletion()
    taints: Taints = ()
    health_check: MachineDeploymentTopologyHealthCheck = MachineDeploymentTopologyHealthCheck()
    variables: VariableOverrides = VariableOverrides()


class MachinePoolTopology(Model):
    """One MachinePool of a cluster made from a class."""

    class_: Str256
    name: SubdomainName63
    metadata: TemplateMetadata = TemplateMetadata()
    replicas: Int32 | None = None
    failure_domains: Annotated[tuple[Str256, ...], Limits(min_items=1, max_items=100, list_type="atomic")] = ()
    min_ready_seconds: NonNegative | None = None
    deletion: MachineDeletion = MachineDeletion()
    taints: Taints = ()
    variables: VariableOverrides = VariableOverrides()


class WorkersTopology(Model):
    """The workers of a cluster made from a class."""

    LIMITS: ClassVar = Limits(min_properties=1)

    machine_deployments: Annotated[
        tuple[MachineDeploymentTopology, ...], Limits(min_items=1, max_items=2000, list_map_keys=("name",))
    ] = ()
    machine_pools: Annotated[
        tuple[MachinePoolTopology, ...], Limits(min_items=1, max_items=2000, list_map_keys=("name",))
    ] = ()


class Topology(Model):
    """What a cluster made from a class is to be."""

    class_ref: ClusterClassReference
    version: Str256
    control_plane: ControlPlaneTopology = ControlPlaneTopology()
    variables: Annotated[tuple[Variable, ...], Limits(min_items=1, max_items=1000, list_map_keys=("name",))] = ()
    workers: WorkersTopology = WorkersTopology()
