"""`status.conditions` of a Machine, each saying what it waits for, and those of v1beta1. Pure.

`UpToDate` is its set's, `HealthCheckSucceeded` and `OwnerRemediated` are the health check's: they stay as they are.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from capipool.api.constants import Annotation, ConditionType, Reason
from capipool.api.core import Machine
from capipool.api.shared import V1Beta1Condition
from capipool.core import legacy, pausing
from capipool.core.bootstrap import BootstrapObject
from capipool.core.machine import nodes
from capipool.core.machine.deletion import DeletionStep
from capipool.core.machine.nodes import NodeStep
from capipool.core.machine.world import InfraMachine, World
from capipool.core.references import Absent
from capipool.core.writes import Problem
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition, Reasons
from capipool.machinery.objects import replace_part
from capipool.workload import nodes as nodes_of

_READY = Reasons(Reason.READY, Reason.NOT_READY, Reason.READY_UNKNOWN)
_LONGEST = 32768
_SUMMED_UP = (
    ConditionType.INFRASTRUCTURE_READY,
    ConditionType.BOOTSTRAP_READY,
    ConditionType.HEALTH_CHECK_SUCCEEDED,
    ConditionType.OWNER_REMEDIATED,
    ConditionType.DRAINING_SUCCEEDED,
)


@dataclass(frozen=True, slots=True)
class Facts:
    """What the conditions of a machine are computed from. `machine` has its new spec and status already."""

    world: World
    machine: Machine
    node: NodeStep
    deletion: DeletionStep | None = None
    problems: tuple[Problem, ...] = ()


def compute(facts: Facts, now: dt.datetime) -> tuple[Condition, ...]:
    """All conditions of a machine that is not paused, with those of others beside them."""
    before = facts.world.machine.status.conditions
    found = [
        bootstrap_ready(facts),
        infrastructure_ready(facts),
        node_healthy(facts),
        node_ready(facts),
        updating(facts.machine),
        deleting(facts.deletion),
        pausing.condition(facts.machine, facts.world.cluster),
    ]
    after = conditions.set_all(before, [_finished(c, facts.machine) for c in found], now)
    after = conditions.set_all(after, [_finished(ready(facts, after), facts.machine)], now)
    return conditions.set_all(after, [_finished(available(facts.machine, after, now), facts.machine)], now)


def bootstrap_ready(facts: Facts) -> Condition:
    """The bootstrap provider's own condition; without one, what its contract says."""
    type_, found = ConditionType.BOOTSTRAP_CONFIG_READY, facts.world.bootstrap
    created = bool(facts.machine.status.initialization.bootstrap_data_secret_created)
    if found is None:
        if facts.machine.spec.bootstrap.data_secret_name is not None:
            return Condition(type=type_, status="True", reason=Reason.DATA_SECRET_PROVIDED)
        return _false(type_, Reason.NOT_READY, "neither spec.bootstrap.configRef nor dataSecretName is set")
    if isinstance(found, Absent):
        return _absent(type_, found, created, facts)
    return _of_provider(type_, found, created, "create its data secret")


def infrastructure_ready(facts: Facts) -> Condition:
    """The infrastructure provider's own condition; without one, what its contract says."""
    type_, found = ConditionType.INFRASTRUCTURE_READY, facts.world.infra
    provisioned = bool(facts.machine.status.initialization.infrastructure_provisioned)
    if isinstance(found, Absent):
        return _absent(type_, found, provisioned, facts)
    return _of_provider(type_, found, provisioned, "be provisioned")


def node_healthy(facts: Facts) -> Condition:
    """Whether the node is ready, and under no pressure."""
    type_ = ConditionType.NODE_HEALTHY
    node = facts.node.node
    if node is None:
        return _without_node(type_, facts)
    if node.deleting:
        return _false(type_, Reason.NODE_DELETED, f"Node {node.metadata.name} is being deleted")
    status, message = nodes.summarize(node)
    if nodes_of.ready_condition(node) is None:
        status, message = "Unknown", "Node condition Ready is not reported yet"
    reason = {
        "True": Reason.NODE_HEALTHY,
        "False": Reason.NODE_NOT_HEALTHY,
        "Unknown": Reason.NODE_HEALTHY_UNKNOWN,
    }[status]
    return Condition(type=type_, status=status, reason=reason, message=message)


def node_ready(facts: Facts) -> Condition:
    """Whether the node can run pods."""
    type_ = ConditionType.NODE_READY
    node = facts.node.node
    if node is None:
        return _without_node(type_, facts)
    told = nodes_of.ready_condition(node)
    if told is None or told.status not in ("True", "False"):
        message = told.message if told is not None else "Node condition Ready is not reported yet"
        return Condition(type=type_, status="Unknown", reason=Reason.NODE_READY_UNKNOWN, message=message)
    if told.status == "True":
        return Condition(type=type_, status="True", reason=Reason.NODE_READY)
    return _false(type_, Reason.NODE_NOT_READY, told.message)


def ready(facts: Facts, known: tuple[Condition, ...]) -> Condition:
    """`Ready`: everything that makes a machine one that serves, readiness gates included."""
    of = [
        ConditionType.DELETING,
        ConditionType.BOOTSTRAP_CONFIG_READY,
        ConditionType.INFRASTRUCTURE_READY,
        ConditionType.NODE_HEALTHY,
    ]
    of += [t for t in (ConditionType.HEALTH_CHECK_SUCCEEDED,) if conditions.find(known, t) is not None]
    gates = facts.machine.spec.readiness_gates
    of += [gate.condition_type for gate in gates]
    negative = {ConditionType.DELETING, *(g.condition_type for g in gates if g.polarity == "Negative")}
    if facts.machine.metadata.annotations.get(Annotation.UPDATE_IN_PROGRESS) is not None:
        of.append(ConditionType.UPDATING)
        negative.add(ConditionType.UPDATING)
    if facts.deletion is not None:
        message = f"* Deleting: {conditions.first_said(facts.deletion.message) or 'in progress'}"
        return _false(ConditionType.READY, Reason.NOT_READY, message)
    return conditions.summary(ConditionType.READY, known, of=of, reasons=_READY, negative=negative)


def available(machine: Machine, known: tuple[Condition, ...], now: dt.datetime) -> Condition:
    """Whether the machine has been ready for long enough."""
    type_ = ConditionType.AVAILABLE
    told = conditions.find(known, ConditionType.READY)
    if told is None or told.status != "True":
        return _false(type_, Reason.NOT_READY)
    moment = available_at(machine, known)
    if moment is None or moment <= now:
        return Condition(type=type_, status="True", reason=Reason.AVAILABLE)
    return _false(type_, Reason.WAITING_FOR_MIN_READY_SECONDS)


def available_at(machine: Machine, known: tuple[Condition, ...]) -> dt.datetime | None:
    """When a ready machine will be available; None where it waits for no time."""
    seconds = machine.spec.min_ready_seconds or 0
    told = conditions.find(known, ConditionType.READY)
    if not seconds or told is None or told.status != "True" or told.last_transition_time is None:
        return None
    return told.last_transition_time + dt.timedelta(seconds=seconds)


def updating(machine: Machine) -> Condition:
    """Whether the machine is being updated in place."""
    type_ = ConditionType.UPDATING
    if Annotation.UPDATE_IN_PROGRESS in machine.metadata.annotations:
        return Condition(type=type_, status="True", reason=Reason.IN_PLACE_UPDATING)
    return _false(type_, Reason.NOT_UPDATING)


def deleting(step: DeletionStep | None) -> Condition:
    """Whether the machine is on its way out, and what it waits for."""
    if step is None:
        return _false(ConditionType.DELETING, Reason.NOT_DELETING)
    return Condition(type=ConditionType.DELETING, status="True", reason=step.reason, message=step.message)


# --- v1beta1


def legacy_conditions(facts: Facts, now: dt.datetime) -> tuple[V1Beta1Condition, ...]:
    """The conditions of v1beta1."""
    before = facts.world.machine.status.deprecated.v1beta1.conditions
    wanted = [_legacy_bootstrap(facts, now), _legacy_infrastructure(facts, now), legacy_node(facts, now)]
    if facts.deletion is not None:
        wanted += _legacy_deletion(facts.deletion, now)
    return legacy.set_all(before, wanted, _SUMMED_UP, now)


def legacy_node(facts: Facts, now: dt.datetime) -> V1Beta1Condition | None:
    """`NodeHealthy` of v1beta1."""
    type_, step = ConditionType.NODE_HEALTHY, facts.node
    match step.state:
        case "no provider ID":
            return legacy.false(type_, Reason.WAITING_FOR_NODE_REF, "Info", now)
        case "not connected" | "ambiguous":
            why = step.problem.message if step.problem is not None else facts.world.unavailable
            return replace_part(
                legacy.true(type_, now), status="Unknown", reason=Reason.NODE_INSPECTION_FAILED, message=why
            )
        case "awaited":
            message = f"Waiting for a node with provider ID {facts.machine.spec.provider_id}"
            return legacy.false(type_, Reason.NODE_PROVISIONING, "Warning", now, message)
        case "gone":
            message = step.problem.message if step.problem is not None else ""
            return legacy.false(type_, Reason.NODE_NOT_FOUND, "Error", now, message)
    assert step.node is not None
    status, message = nodes.summarize(step.node)
    if status == "False":
        return legacy.false(type_, Reason.NODE_CONDITIONS_FAILED, "Warning", now, message)
    if status == "Unknown":
        found = legacy.true(type_, now)
        return replace_part(found, status="Unknown", reason=Reason.NODE_CONDITIONS_FAILED, message=message)
    return legacy.true(type_, now)


def _legacy_bootstrap(facts: Facts, now: dt.datetime) -> V1Beta1Condition | None:
    type_, found = ConditionType.BOOTSTRAP_READY, facts.world.bootstrap
    if found is None:
        return legacy.true(type_, now)
    if isinstance(found, Absent):
        return legacy.false(type_, Reason.DELETED, "Info", now) if facts.deletion is not None else None
    ready_ = found.data_secret_created
    return legacy.mirrored(found.legacy_ready, type_, ready_, Reason.WAITING_FOR_DATA_SECRET, now)


def _legacy_infrastructure(facts: Facts, now: dt.datetime) -> V1Beta1Condition | None:
    type_, found = ConditionType.INFRASTRUCTURE_READY, facts.world.infra
    if isinstance(found, Absent):
        if facts.deletion is not None:
            return legacy.false(type_, Reason.DELETED, "Info", now)
        return legacy.false(type_, Reason.INCORRECT_EXTERNAL_REF, "Error", now, found.message)
    return legacy.mirrored(found.legacy_ready, type_, found.provisioned, Reason.WAITING_FOR_INFRASTRUCTURE, now)


def _legacy_deletion(step: DeletionStep, now: dt.datetime) -> list[V1Beta1Condition | None]:
    """How far a deletion is: the stages behind are True, the one it waits in is False."""
    stages = (
        ("hooks", ConditionType.PRE_DRAIN_DELETE_HOOK_SUCCEEDED),
        ("drain", ConditionType.DRAINING_SUCCEEDED),
        ("volumes", ConditionType.VOLUME_DETACH_SUCCEEDED),
        ("terminate hooks", ConditionType.PRE_TERMINATE_DELETE_HOOK_SUCCEEDED),
    )
    waiting = {
        Reason.WAITING_FOR_PRE_DRAIN_HOOK: (
            ConditionType.PRE_DRAIN_DELETE_HOOK_SUCCEEDED,
            Reason.WAITING_EXTERNAL_HOOK,
        ),
        Reason.DRAINING_NODE: (ConditionType.DRAINING_SUCCEEDED, Reason.DRAINING),
        Reason.WAITING_FOR_VOLUME_DETACH: (ConditionType.VOLUME_DETACH_SUCCEEDED, Reason.WAITING_FOR_VOLUME_DETACH),
        Reason.WAITING_FOR_PRE_TERMINATE_HOOK: (
            ConditionType.PRE_TERMINATE_DELETE_HOOK_SUCCEEDED,
            Reason.WAITING_EXTERNAL_HOOK,
        ),
    }
    found: list[V1Beta1Condition | None] = [legacy.true(type_, now) for name, type_ in stages if name in step.passed]
    if step.reason in waiting:
        type_, reason = waiting[step.reason]
        message = step.message if step.reason == Reason.DRAINING_NODE else ""
        found.append(legacy.false(type_, reason, "Info", now, message))
    return found


# --- parts


def _without_node(type_: str, facts: Facts) -> Condition:
    step, world = facts.node, facts.world
    if step.problem is not None:
        return _false(type_, step.problem.reason, step.problem.message)
    match step.state:
        case "gone":
            return _false(type_, Reason.NODE_DELETED, "Node has been deleted")
        case "not connected":
            message = f"The workload cluster is not connected: {world.unavailable}"
            return Condition(type=type_, status="Unknown", reason=Reason.CONNECTION_DOWN, message=message)
        case "awaited":
            message = f"Waiting for a Node with spec.providerID {facts.machine.spec.provider_id} to exist"
        case _:
            kind = facts.machine.spec.infrastructure_ref.kind
            message = f"Waiting for {kind} to report spec.providerID"
    return Condition(type=type_, status="Unknown", reason=Reason.INSPECTION_FAILED, message=message)


def _of_provider(type_: str, found: InfraMachine | BootstrapObject, ready_: bool, waits_to: str) -> Condition:
    obj = found.object
    fallback = Condition(type=type_, status="True", reason=Reason.READY)
    if not ready_:
        fallback = _false(type_, Reason.NOT_READY, f"waiting for {obj.kind} {obj.metadata.name} to {waits_to}")
    return conditions.mirror(found.ready, type_, fallback)


def _absent(type_: str, absent: Absent, was_ready: bool, facts: Facts) -> Condition:
    if absent.why == "not readable":
        return Condition(type=type_, status="Unknown", reason=Reason.INTERNAL_ERROR, message=absent.message)
    if was_ready or facts.deletion is not None:
        kind, name = absent.reference.kind, absent.reference.name
        return _false(type_, Reason.OBJECT_DELETED, f"{kind} {name} has been deleted")
    return _false(type_, Reason.OBJECT_DOES_NOT_EXIST, absent.message)


def _finished(condition: Condition, machine: Machine) -> Condition:
    generation = machine.metadata.generation
    message = condition.message[:_LONGEST]
    if not generation:
        return replace_part(condition, message=message)
    return replace_part(condition, message=message, observed_generation=generation)


def _false(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type=type_, status="False", reason=reason, message=message)
