"""Counters and phase of a Cluster. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.constants import ClusterPhase, ConditionType, Label
from capipool.api.core import Cluster, Machine, MachineDeployment, MachinePool, MachineSet
from capipool.api.shared import StatusVersion
from capipool.api.v1beta2.cluster import ClusterReplicas
from capipool.core.cluster.world import ControlPlane, World
from capipool.core.machinepool import versions
from capipool.core.machinepool.versions import Counted
from capipool.machinery import conditions

_MOST_VERSIONS = 32
"""What the API takes."""


def phase(cluster: Cluster) -> str:
    """The phase that follows from the Cluster's own spec and status."""
    if cluster.deleting:
        return ClusterPhase.DELETING
    spec, endpoint = cluster.spec, cluster.spec.control_plane_endpoint
    if cluster.status.initialization.infrastructure_provisioned and endpoint.host and endpoint.port:
        return ClusterPhase.PROVISIONED
    if cluster.status.initialization.control_plane_initialized:
        return ClusterPhase.PROVISIONED  # brought along ready-made: its kubeconfig says where it is
    if spec.infrastructure_ref is not None or spec.control_plane_ref is not None:
        return ClusterPhase.PROVISIONING
    return cluster.status.phase or ClusterPhase.PENDING


def workers(world: World) -> ClusterReplicas:
    """The replicas of pools, deployments, sets and single Machines, summed up."""
    groups: list[MachinePool | MachineDeployment | MachineSet] = [*world.pools, *world.deployments, *world.sets]
    single = [m for m in world.machines if Label.MACHINE_CONTROL_PLANE not in m.metadata.labels]
    if not groups and not single:
        return ClusterReplicas()
    of_single = _machines(single)
    return ClusterReplicas(
        desired_replicas=sum(g.spec.replicas or 0 for g in groups) + len(single),
        replicas=sum(g.status.replicas or 0 for g in groups) + len(single),
        ready_replicas=sum(g.status.ready_replicas or 0 for g in groups) + (of_single.ready_replicas or 0),
        available_replicas=sum(g.status.available_replicas or 0 for g in groups) + (of_single.available_replicas or 0),
        up_to_date_replicas=sum(g.status.up_to_date_replicas or 0 for g in groups)
        + (of_single.up_to_date_replicas or 0),
        versions=_versions(groups, single),
    )


def control_plane(world: World) -> ClusterReplicas:
    """The control plane's replicas: as its provider counts them, or its single Machines; nothing where it has none."""
    if isinstance(world.control_plane, ControlPlane):
        return world.control_plane.replicas
    masters = [m for m in world.machines if Label.MACHINE_CONTROL_PLANE in m.metadata.labels]
    if world.control_plane is not None or not masters:
        return ClusterReplicas()
    return _machines(masters)


def _machines(machines: list[Machine]) -> ClusterReplicas:
    def count(type_: str) -> int:
        return sum(conditions.is_true(m.status.conditions, type_) for m in machines)

    return ClusterReplicas(
        desired_replicas=len(machines),
        replicas=len(machines),
        ready_replicas=count(ConditionType.READY),
        available_replicas=count(ConditionType.AVAILABLE),
        up_to_date_replicas=count(ConditionType.UP_TO_DATE),
        versions=versions.of_machines(machines)[:_MOST_VERSIONS],
    )


def _versions(
    groups: Iterable[MachinePool | MachineDeployment | MachineSet], single: Iterable[Machine]
) -> tuple[StatusVersion, ...]:
    told = [Counted(v.version, v.replicas or 0) for g in groups for v in g.status.versions]
    told += [Counted(v.version, v.replicas or 0) for v in versions.of_machines(single)]
    return versions.aggregate(told)[:_MOST_VERSIONS]
