"""What one decision about a Cluster is made from (`World`) and what it asks for (`Plan`). Data only."""

from __future__ import annotations

from dataclasses import dataclass, field

from capipool.api.constants import Label
from capipool.api.core import Cluster, Machine, MachineDeployment, MachinePool, MachineSet
from capipool.api.shared import V1Beta1Condition
from capipool.api.v1beta2.cluster import APIEndpoint, ClusterReplicas, FailureDomain
from capipool.core.references import Absent
from capipool.core.writes import ObjectDeletion, ObjectPatch, Problem
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.runtime.reconcile import DONE, Result


@dataclass(frozen=True, slots=True)
class InfraCluster:
    """An infrastructure provider's cluster object, as its contract reads."""

    object: Unstructured
    resource: Resource
    provisioned: bool = False
    endpoint: APIEndpoint | None = None
    failure_domains: tuple[FailureDomain, ...] = ()
    ready: Condition | None = None
    legacy_ready: V1Beta1Condition | None = None


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A control plane provider's object, as its contract reads."""

    object: Unstructured
    resource: Resource
    initialized: bool = False
    endpoint: APIEndpoint | None = None
    replicas: ClusterReplicas = field(default_factory=ClusterReplicas)
    available: Condition | None = None
    ready: Condition | None = None
    legacy_ready: V1Beta1Condition | None = None


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision about one Cluster depends on, but the time."""

    cluster: Cluster
    infra: InfraCluster | Absent | None = None
    """None where the Cluster refers to none."""
    control_plane: ControlPlane | Absent | None = None
    """None where the Cluster refers to none: somebody brings a control plane of their own."""
    pools: tuple[MachinePool, ...] = ()
    deployments: tuple[MachineDeployment, ...] = ()
    sets: tuple[MachineSet, ...] = ()
    """MachineSets that belong to no deployment."""
    machines: tuple[Machine, ...] = ()
    """Machines of the control plane, and those that belong to nothing else."""
    connected: bool = False
    """Whether the workload cluster's API server answers."""
    unavailable: str = ""
    """Why it does not."""
    tried: bool = True
    """Whether it was asked at all."""

    @property
    def workers(self) -> tuple[MachinePool | MachineDeployment | MachineSet | Machine, ...]:
        """Everything that must go before the control plane does."""
        own = tuple(m for m in self.machines if Label.MACHINE_CONTROL_PLANE not in m.metadata.labels)
        return (*self.pools, *self.deployments, *self.sets, *own)


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `cluster` is the Cluster as it should read afterwards."""

    cluster: Cluster
    objects: tuple[ObjectPatch, ...] = ()
    deletions: tuple[ObjectDeletion, ...] = ()
    problems: tuple[Problem, ...] = ()
    result: Result = DONE
