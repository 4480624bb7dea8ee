"""`status.conditions` of a pool: every type that the API names, each saying what it waits for. Pure.

All of them are computed from one World and the status that was made from it, and written together with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from capipool.api.builtin import Node
from capipool.api.constants import Annotation, ConditionType, Reason
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.core.bootstrap import BootstrapObject
from capipool.core.machinepool import bootstrap as bootstraps
from capipool.core.machinepool import status
from capipool.core.machinepool.deletion import DeletionStep
from capipool.core.machinepool.nodes import NodesStep
from capipool.core.machinepool.world import InfraObject, World
from capipool.core.references import Absent
from capipool.core.writes import Problem
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition, Reasons
from capipool.workload import nodes as nodes_of

_READY = Reasons(Reason.READY, Reason.NOT_READY, Reason.READY_UNKNOWN)
_UP_TO_DATE = Reasons(Reason.UP_TO_DATE, Reason.NOT_UP_TO_DATE, Reason.UP_TO_DATE_UNKNOWN)
_LONGEST = 32768


@dataclass(frozen=True, slots=True)
class Facts:
    """What the conditions of a pool are computed from. `pool` has its new counters already."""

    world: World
    pool: MachinePool
    nodes: NodesStep | None = None
    bootstrap_problem: Problem | None = None
    infrastructure_problem: Problem | None = None
    deletion: DeletionStep | None = None


def compute(facts: Facts) -> tuple[Condition, ...]:
    """All conditions of a pool that is not paused, `Available` first."""
    bootstrap, infrastructure = _bootstrap(facts), _infrastructure(facts)
    ready = machines_ready(facts)
    found = [
        available(facts, bootstrap, infrastructure, ready),
        bootstrap,
        infrastructure,
        ready,
        machines_up_to_date(facts),
        scaling_up(facts, bootstrap, infrastructure),
        scaling_down(facts, infrastructure),
        remediating(facts.world.machines),
        deleting(facts.deletion),
        paused(facts.world.cluster, facts.pool),
    ]
    generation = facts.pool.metadata.generation
    return tuple(finished(condition, generation) for condition in found)


def finished(condition: Condition, generation: int) -> Condition:
    """A condition with its generation, and a message that fits."""
    message = condition.message[:_LONGEST]
    return Condition(
        type=condition.type,
        status=condition.status,
        reason=condition.reason,
        message=message,
        observed_generation=generation,
    )


def paused(cluster: Cluster | None, pool: MachinePool) -> Condition:
    """Whether reconciling is held, and by what. The annotation pauses whatever its value is."""
    why = []
    if cluster is not None and cluster.spec.paused:
        why.append("Cluster spec.paused is set to true")
    if Annotation.PAUSED in pool.metadata.annotations:
        why.append(f"MachinePool has the {Annotation.PAUSED} annotation")
    if why:
        return Condition(type=ConditionType.PAUSED, status="True", reason=Reason.PAUSED, message=", ".join(why))
    return Condition(type=ConditionType.PAUSED, status="False", reason=Reason.NOT_PAUSED)


def available(facts: Facts, bootstrap: Condition, infrastructure: Condition, ready: Condition) -> Condition:
    """Whether as many replicas are available as are wanted."""
    type_ = ConditionType.AVAILABLE
    wanted, there = facts.pool.spec.replicas or 0, facts.pool.status.available_replicas
    if facts.deletion is not None:
        return _false(type_, Reason.NOT_AVAILABLE, "Deletion in progress")
    if not facts.pool.status.initialization.infrastructure_provisioned:
        return _false(type_, Reason.NOT_AVAILABLE, _first_reason(bootstrap, infrastructure))
    if not facts.world.has_machines and facts.nodes is None:
        message = _unconnected(facts.world)
        return Condition(type=type_, status="Unknown", reason=Reason.AVAILABLE_UNKNOWN, message=message)
    if (there or 0) >= wanted:
        return Condition(type=type_, status="True", reason=Reason.AVAILABLE)
    message = f"{there or 0} available replicas, at least {wanted} required"
    if ready.status != "True" and ready.message:
        message += f"\n{ready.message}"
    elif facts.nodes is not None and facts.nodes.next_available is not None:
        least = facts.pool.spec.template.spec.min_ready_seconds
        message += f": waiting for nodes to be ready for {least} seconds"
    return _false(type_, Reason.NOT_AVAILABLE, message)


def machines_ready(facts: Facts) -> Condition:
    """Whether all instances are ready: their Machines, or their nodes where there are no Machines."""
    type_ = ConditionType.MACHINES_READY
    if facts.world.has_machines:
        parts = [(m.metadata.name, conditions.find(m.status.conditions, "Ready")) for m in facts.world.machines]
        if not parts:
            return Condition(type=type_, status="True", reason=Reason.NO_REPLICAS)
        return conditions.aggregate(type_, parts, kind="Machine", reasons=_READY)
    step = facts.nodes
    if step is None:
        return Condition(type=type_, status="Unknown", reason=Reason.CONNECTION_DOWN, message=_unconnected(facts.world))
    if not step.nodes and not step.missing:
        return Condition(type=type_, status="True", reason=Reason.NO_REPLICAS)
    merged = conditions.aggregate(type_, map(_node_ready, step.nodes), kind="Node", reasons=_READY)
    also = [*_missing(step), *_duplicates(step)]
    if not also:
        return merged
    return _false(type_, Reason.NOT_READY, "\n".join(filter(None, [merged.message, *also])))


def machines_up_to_date(facts: Facts) -> Condition:
    """Whether all instances are what the spec wants."""
    type_ = ConditionType.MACHINES_UP_TO_DATE
    world = facts.world
    if world.has_machines:
        parts = [(m.metadata.name, conditions.find(m.status.conditions, "UpToDate")) for m in world.machines]
        if not parts:
            return Condition(type=type_, status="True", reason=Reason.NO_REPLICAS)
        return conditions.aggregate(type_, parts, kind="Machine", reasons=_UP_TO_DATE)
    if facts.nodes is None or isinstance(world.infra, Absent):
        message = _unconnected(world) if facts.nodes is None else world.infra.message  # type: ignore[union-attr]
        return Condition(type=type_, status="Unknown", reason=Reason.UP_TO_DATE_UNKNOWN, message=message)
    if not facts.nodes.nodes and not facts.nodes.missing:
        return Condition(type=type_, status="True", reason=Reason.NO_REPLICAS)
    if world.infra.up_to_date_replicas is not None:
        return _up_to_date_as_told(facts, world.infra)
    return _up_to_date_by_version(facts.pool, facts.nodes)


def scaling_up(facts: Facts, bootstrap: Condition, infrastructure: Condition) -> Condition:
    """Whether instances are still to come, and what they wait for."""
    wanted, there = facts.pool.spec.replicas, facts.pool.status.replicas or 0
    if wanted is None:
        return _waiting_for_replicas(ConditionType.SCALING_UP)
    if facts.deletion is not None or wanted <= there:
        return _false(ConditionType.SCALING_UP, Reason.NOT_SCALING_UP)
    blockers = _unready(bootstrap, infrastructure)
    blockers += _explained(facts.world, ConditionType.SCALING_UP)
    message = f"Scaling up from {there} to {wanted} replicas"
    if blockers:
        message += " waits for:\n" + "\n".join(blockers)
    return Condition(type=ConditionType.SCALING_UP, status="True", reason=Reason.SCALING_UP, message=message)


def scaling_down(facts: Facts, infrastructure: Condition) -> Condition:
    """Whether instances are still to go, and what they wait for: a drain that a disruption budget holds, say."""
    there = facts.pool.status.replicas or 0
    wanted = 0 if facts.deletion is not None else facts.pool.spec.replicas
    if wanted is None:
        return _waiting_for_replicas(ConditionType.SCALING_DOWN)
    if wanted >= there:
        return _false(ConditionType.SCALING_DOWN, Reason.NOT_SCALING_DOWN)
    blockers = _explained(facts.world, ConditionType.SCALING_DOWN) or _unready(infrastructure)
    blockers += _draining(facts.world.machines)
    message = f"Scaling down from {there} to {wanted} replicas"
    if blockers:
        message += " waits for:\n" + "\n".join(blockers)
    return Condition(type=ConditionType.SCALING_DOWN, status="True", reason=Reason.SCALING_DOWN, message=message)


def remediating(machines: Iterable[Machine]) -> Condition:
    """Whether unhealthy Machines are being replaced."""
    found = [
        (m.metadata.name, c)
        for m in machines
        if (c := conditions.find(m.status.conditions, ConditionType.OWNER_REMEDIATED)) is not None
        and c.status == "False"
    ]
    if not found:
        return _false(ConditionType.REMEDIATING, Reason.NOT_REMEDIATING)
    merged = conditions.aggregate(ConditionType.REMEDIATING, found, kind="Machine", reasons=_READY)
    return Condition(type=ConditionType.REMEDIATING, status="True", reason=Reason.REMEDIATING, message=merged.message)


def deleting(step: DeletionStep | None) -> Condition:
    """Whether the pool is on its way out, and what it waits for."""
    if step is None:
        return _false(ConditionType.DELETING, Reason.NOT_DELETING)
    return Condition(type=ConditionType.DELETING, status="True", reason=step.reason, message=step.message)


def _bootstrap(facts: Facts) -> Condition:
    type_ = ConditionType.BOOTSTRAP_CONFIG_READY
    found = facts.world.bootstrap
    initialization = facts.pool.status.initialization
    if isinstance(found, Absent):
        return _absent(type_, found, initialization.bootstrap_data_secret_created)
    if facts.bootstrap_problem is not None:
        return _false(type_, facts.bootstrap_problem.reason, facts.bootstrap_problem.message)
    if found is None:
        return Condition(type=type_, status="True", reason=Reason.DATA_SECRET_PROVIDED)
    return _of_provider(type_, found, found.data_secret_created, "create its data secret")


def _infrastructure(facts: Facts) -> Condition:
    type_ = ConditionType.INFRASTRUCTURE_READY
    found = facts.world.infra
    provisioned = facts.pool.status.initialization.infrastructure_provisioned
    if isinstance(found, Absent):
        return _absent(type_, found, provisioned)
    return _of_provider(type_, found, bool(found.provisioned or provisioned), "be provisioned")


def _of_provider(type_: str, found: BootstrapObject | InfraObject, ready: bool, waits_to: str) -> Condition:
    """The provider's own condition under our type; where it has none, what its contract says."""
    obj = found.object
    if ready:
        fallback = Condition(type=type_, status="True", reason=Reason.READY)
    else:
        message = f"waiting for {obj.kind} {obj.metadata.name} to {waits_to}"
        fallback = _false(type_, Reason.NOT_READY, message)
    return conditions.mirror(found.ready, type_, fallback)


def _absent(type_: str, absent: Absent, was_ready: bool | None) -> Condition:
    reason = bootstraps.absent_reason(absent, was_ready)
    status = "Unknown" if absent.why == "not readable" else "False"
    return Condition(type=type_, status=status, reason=reason, message=absent.message)


def _node_ready(node: Node) -> tuple[str, Condition | None]:
    """A node's readiness as a condition whose message says why not."""
    told = nodes_of.ready_condition(node)
    if told is None:
        return node.metadata.name, None
    why = told.message or told.reason
    message = f"Ready is {told.status}" + (f": {why}" if why else "")
    return node.metadata.name, Condition(type="Ready", status=told.status, reason=told.reason, message=message)


def _missing(step: NodesStep) -> list[str]:
    count = len(step.missing)
    if not count:
        return []
    shown = ", ".join(step.missing[:3]) + (f", ... ({count - 3} more)" if count > 3 else "")
    return [f"* {count} instance{'s have' if count > 1 else ' has'} not joined as a node: {shown}"]


def _duplicates(step: NodesStep) -> list[str]:
    claimed = [
        f"* Nodes {', '.join(names)} all claim provider ID {provider_id}: only the newest counts"
        for provider_id, names in step.duplicates[:3]
    ]
    return claimed + [f"* Provider ID {i} is listed more than once: it counts once" for i in step.repeated[:3]]


def _up_to_date_as_told(facts: Facts, infra: InfraObject) -> Condition:
    """Up-to-date replicas as the provider counts them."""
    there, told = facts.pool.status.replicas or 0, infra.up_to_date_replicas or 0
    if told >= there:
        return Condition(type=ConditionType.MACHINES_UP_TO_DATE, status="True", reason=Reason.UP_TO_DATE)
    message = f"{told} of {there} instances are up to date, says {infra.object.kind} {infra.object.metadata.name}"
    lines = [message, *_explained(facts.world, ConditionType.ROLLING_OUT)]
    return _false(ConditionType.MACHINES_UP_TO_DATE, Reason.NOT_UP_TO_DATE, "\n".join(lines))


def _up_to_date_by_version(pool: MachinePool, step: NodesStep) -> Condition:
    """Up-to-date replicas by the version of their kubelets, the one thing that every node tells."""
    wanted = pool.spec.template.spec.version
    parts = []
    for node in step.nodes:
        good = status.runs_wanted_version(pool, node)
        version = node.status.node_info.kubelet_version or "unknown"
        message = "" if good else f"Version {version}, {wanted} required"
        parts.append(
            (node.metadata.name, Condition(type="UpToDate", status="True" if good else "False", message=message))
        )
    return conditions.aggregate(ConditionType.MACHINES_UP_TO_DATE, parts, kind="Node", reasons=_UP_TO_DATE)


def _explained(world: World, type_: str) -> list[str]:
    """What the provider's own condition of that type says."""
    if isinstance(world.infra, Absent) or not (told := world.infra.explanations.get(type_)):
        return []
    return [f"* {world.infra.object.kind} {world.infra.object.metadata.name}: {told}"]


def _draining(machines: Iterable[Machine]) -> list[str]:
    """What Machines on their way out say they wait for."""
    found = ((m, conditions.find(m.status.conditions, ConditionType.DELETING)) for m in machines if m.deleting)
    return [f"* Machine {m.metadata.name}: {c.message}" for m, c in found if c is not None and c.message][:3]


def _unready(*found: Condition) -> list[str]:
    """What bootstrap data and infrastructure say they wait for."""
    return [f"* {c.type}: {c.message or c.reason}" for c in found if c.status != "True"]


def _first_reason(*found: Condition) -> str:
    """The message of the first that is not True."""
    return next((c.message or c.reason for c in found if c.status != "True"), "waiting for infrastructure")


def _unconnected(world: World) -> str:
    return f"The workload cluster is not connected: {world.nodes_unavailable}"


def _waiting_for_replicas(type_: str) -> Condition:
    message = "spec.replicas is not set yet"
    return Condition(type=type_, status="Unknown", reason=Reason.WAITING_FOR_REPLICAS_SET, message=message)


def _false(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type=type_, status="False", reason=reason, message=message)
