"""`status.conditions` of a Cluster. Pure: computed from one World and the status that was made from it."""

from __future__ import annotations

from collections.abc import Sequence

from capipool.api.constants import Annotation, ConditionType, Reason
from capipool.api.core import Cluster, MachineDeployment, MachinePool, MachineSet
from capipool.core.cluster.deletion import DeletionStep
from capipool.core.cluster.world import ControlPlane, InfraCluster, World
from capipool.core.references import Absent
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition, Reasons

REMOTE_CONNECTION_PROBE = "RemoteConnectionProbe"
CONTROL_PLANE_AVAILABLE = "ControlPlaneAvailable"
WORKERS_AVAILABLE = "WorkersAvailable"
WORKER_MACHINES_READY = "WorkerMachinesReady"
WORKER_MACHINES_UP_TO_DATE = "WorkerMachinesUpToDate"
INITIALIZED, NOT_INITIALIZED = "Initialized", "NotInitialized"
PROBE_SUCCEEDED, PROBE_FAILED = "ProbeSucceeded", "ProbeFailed"
NO_WORKERS = "NoWorkers"

_AVAILABLE = Reasons(Reason.AVAILABLE, Reason.NOT_AVAILABLE, Reason.AVAILABLE_UNKNOWN)
_READY = Reasons(Reason.READY, Reason.NOT_READY, Reason.READY_UNKNOWN)
_UP_TO_DATE = Reasons(Reason.UP_TO_DATE, Reason.NOT_UP_TO_DATE, Reason.UP_TO_DATE_UNKNOWN)
_SUMMED_UP = (
    ConditionType.DELETING,
    REMOTE_CONNECTION_PROBE,
    ConditionType.INFRASTRUCTURE_READY,
    CONTROL_PLANE_AVAILABLE,
    WORKERS_AVAILABLE,
)


def compute(world: World, cluster: Cluster, deletion: DeletionStep | None) -> tuple[Condition, ...]:
    """All conditions of a Cluster that is not paused, `Available` first."""
    found = [
        infrastructure_ready(world, cluster),
        control_plane_initialized(world, cluster),
        control_plane_available(world, cluster),
        remote_connection(world),
        _over_workers(world, WORKERS_AVAILABLE, ConditionType.AVAILABLE, _AVAILABLE),
        _over_workers(world, WORKER_MACHINES_READY, ConditionType.MACHINES_READY, _READY),
        _over_workers(world, WORKER_MACHINES_UP_TO_DATE, ConditionType.MACHINES_UP_TO_DATE, _UP_TO_DATE),
        _any_worker(world, ConditionType.SCALING_UP, Reason.SCALING_UP, Reason.NOT_SCALING_UP),
        _any_worker(world, ConditionType.SCALING_DOWN, Reason.SCALING_DOWN, Reason.NOT_SCALING_DOWN),
        _any_worker(world, ConditionType.REMEDIATING, Reason.REMEDIATING, Reason.NOT_REMEDIATING),
        deleting(deletion),
        paused(cluster),
    ]
    available = conditions.summary(
        ConditionType.AVAILABLE, found, of=_SUMMED_UP, reasons=_AVAILABLE, negative={ConditionType.DELETING}
    )
    return tuple(finished(c, cluster.metadata.generation) for c in (available, *found))


def finished(condition: Condition, generation: int) -> Condition:
    """A condition with its generation, and a message that fits."""
    return Condition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason,
        message=condition.message[:32768],
        observed_generation=generation,
    )


def paused(cluster: Cluster) -> Condition:
    """Whether reconciling is held, and by what."""
    why = []
    if cluster.spec.paused:
        why.append("Cluster spec.paused is set to true")
    if Annotation.PAUSED in cluster.metadata.annotations:
        why.append(f"Cluster has the {Annotation.PAUSED} annotation")
    if why:
        return Condition(type=ConditionType.PAUSED, status="True", reason=Reason.PAUSED, message=", ".join(why))
    return _false(ConditionType.PAUSED, Reason.NOT_PAUSED)


def infrastructure_ready(world: World, cluster: Cluster) -> Condition:
    """The infrastructure provider's own condition; a Cluster that refers to none brings its own."""
    type_, found = ConditionType.INFRASTRUCTURE_READY, world.infra
    provisioned = bool(cluster.status.initialization.infrastructure_provisioned)
    if found is None:
        return Condition(type=type_, status="True", reason=Reason.READY)
    if isinstance(found, Absent):
        return _absent(type_, found, provisioned)
    fallback = _of_provider(type_, found, provisioned, Reason.READY, Reason.NOT_READY, "be provisioned")
    return conditions.mirror(found.ready, type_, fallback)


def control_plane_initialized(world: World, cluster: Cluster) -> Condition:
    """Whether the API server could be talked to once."""
    type_ = ConditionType.CONTROL_PLANE_INITIALIZED
    if cluster.status.initialization.control_plane_initialized:
        return Condition(type=type_, status="True", reason=INITIALIZED)
    if isinstance(world.control_plane, Absent):
        return _absent(type_, world.control_plane, False)
    if world.control_plane is None:
        message = f"waiting for the workload cluster: {world.unavailable}"
        return _false(type_, NOT_INITIALIZED, message)
    return _of_provider(type_, world.control_plane, False, INITIALIZED, NOT_INITIALIZED, "be initialized")


def control_plane_available(world: World, cluster: Cluster) -> Condition:
    """The control plane provider's own condition; without one, whether the API server answers."""
    type_, found = CONTROL_PLANE_AVAILABLE, world.control_plane
    initialized = bool(cluster.status.initialization.control_plane_initialized)
    if isinstance(found, Absent):
        return _absent(type_, found, initialized)
    if found is None:
        good = world.connected or (initialized and not world.tried)
        if good:
            return Condition(type=type_, status="True", reason=Reason.AVAILABLE)
        return _false(type_, Reason.NOT_AVAILABLE, f"the workload cluster is not connected: {world.unavailable}")
    fallback = _of_provider(type_, found, initialized, Reason.AVAILABLE, Reason.NOT_AVAILABLE, "be available")
    return conditions.mirror(found.available or found.ready, type_, fallback)


def remote_connection(world: World) -> Condition:
    """Whether the workload cluster's API server answers us."""
    if world.connected:
        return Condition(type=REMOTE_CONNECTION_PROBE, status="True", reason=PROBE_SUCCEEDED)
    status = "False" if world.tried else "Unknown"
    message = f"The workload cluster is not connected: {world.unavailable}"
    return Condition(type=REMOTE_CONNECTION_PROBE, status=status, reason=PROBE_FAILED, message=message)


def deleting(step: DeletionStep | None) -> Condition:
    """Whether the Cluster is on its way out, and what it waits for."""
    if step is None:
        return _false(ConditionType.DELETING, Reason.NOT_DELETING)
    return Condition(type=ConditionType.DELETING, status="True", reason=step.reason, message=step.message)


def _workers(world: World) -> Sequence[tuple[str, Sequence[MachinePool | MachineDeployment | MachineSet]]]:
    return (("MachinePool", world.pools), ("MachineDeployment", world.deployments))


def _over_workers(world: World, type_: str, of: str, reasons: Reasons) -> Condition:
    """One condition over that of all pools and deployments: the worst, with a line for each that is not good."""
    merged = [
        conditions.aggregate(type_, [(g.metadata.name, _indented(g, of)) for g in groups], kind=kind, reasons=reasons)
        for kind, groups in _workers(world)
        if groups
    ]
    if not merged:
        return Condition(type=type_, status="True", reason=NO_WORKERS)
    worst = min(merged, key=lambda c: ("False", "Unknown", "True").index(c.status))
    message = "\n".join(c.message for c in merged if c.message)
    return Condition(type=type_, status=worst.status, reason=worst.reason, message=message)


def _any_worker(world: World, type_: str, yes: str, no: str) -> Condition:
    """`True` where it is of any pool or deployment, with a line for each."""
    lines = [
        f"* {kind} {g.metadata.name}: {conditions.first_said(told.message) or told.reason}"
        for kind, groups in _workers(world)
        for g in groups
        if (told := conditions.find(g.status.conditions, type_)) is not None and told.status == "True"
    ]
    if not lines:
        return _false(type_, no)
    shown = lines if len(lines) <= 3 else [*lines[:3], f"And {len(lines) - 3} more"]
    return Condition(type=type_, status="True", reason=yes, message="\n".join(shown))


def _indented(group: MachinePool | MachineDeployment | MachineSet, of: str) -> Condition | None:
    """A group's condition, with the first of what its message lists: the rest is for who looks at the group."""
    told = conditions.find(group.status.conditions, of)
    if told is None or not told.message:
        return told
    first = conditions.first_said(told.message)
    return Condition(type=told.type, status=told.status, reason=told.reason, message=first)


def _of_provider(
    type_: str, found: InfraCluster | ControlPlane, good: bool, yes: str, no: str, waits_to: str
) -> Condition:
    if good:
        return Condition(type=type_, status="True", reason=yes)
    obj = found.object
    return _false(type_, no, f"waiting for {obj.kind} {obj.metadata.name} to {waits_to}")


def _absent(type_: str, absent: Absent, was_ready: bool) -> Condition:
    reason = Reason.OBJECT_DELETED if was_ready else Reason.OBJECT_DOES_NOT_EXIST
    if absent.why == "not readable":
        return Condition(type=type_, status="Unknown", reason=Reason.INTERNAL_ERROR, message=absent.message)
    return _false(type_, reason, absent.message)


def _false(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type=type_, status="False", reason=reason, message=message)
