"""The kinds of cluster.x-k8s.io in the version that controllers work with: import types of kinds from here."""

from __future__ import annotations

from capipool.api.v1beta2.cluster import Cluster, ClusterSpec, ClusterStatus
from capipool.api.v1beta2.machine import Machine, MachineStatus
from capipool.api.v1beta2.machinedeployment import MachineDeployment, MachineDeploymentSpec, MachineDeploymentStatus
from capipool.api.v1beta2.machinedrainrule import MachineDrainRule
from capipool.api.v1beta2.machinehealthcheck import MachineHealthCheck, MachineHealthCheckSpec, MachineHealthCheckStatus
from capipool.api.v1beta2.machinepool import MachinePool, MachinePoolSpec, MachinePoolStatus
from capipool.api.v1beta2.machineset import MachineSet, MachineSetSpec, MachineSetStatus
from capipool.api.v1beta2.shared import ContractVersionedObjectReference, MachineSpec, MachineTemplateSpec

__all__ = [
    "Cluster",
    "ClusterSpec",
    "ClusterStatus",
    "ContractVersionedObjectReference",
    "Machine",
    "MachineDeployment",
    "MachineDeploymentSpec",
    "MachineDeploymentStatus",
    "MachineDrainRule",
    "MachineHealthCheck",
    "MachineHealthCheckSpec",
    "MachineHealthCheckStatus",
    "MachinePool",
    "MachinePoolSpec",
    "MachinePoolStatus",
    "MachineSet",
    "MachineSetSpec",
    "MachineSetStatus",
    "MachineSpec",
    "MachineStatus",
    "MachineTemplateSpec",
]
