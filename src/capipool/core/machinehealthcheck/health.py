"""Whether a machine is well, and when to look again. Pure.

A machine is judged by its own conditions, by whether its node came in time, and by its node's conditions; each must
have held for longer than its timeout. Machines that will never be remediated are not judged at all.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import msgspec

from capipool.api.builtin import Node
from capipool.api.constants import Annotation, ConditionType, Label, Reason
from capipool.api.conversion import durations
from capipool.api.core import Cluster, Machine, MachineHealthCheck
from capipool.machinery import conditions, selectors
from capipool.machinery.conditions import Condition

DEFAULT_NODE_STARTUP_TIMEOUT_SECONDS = 600
"""Where the health check names none; 0 switches the check off."""

_SECOND = dt.timedelta(seconds=1)
HAS_NOT_TO = Annotation.MACHINE_SKIP_REMEDIATION, Annotation.PAUSED
"""Annotations that exempt from health checks."""


@dataclass(frozen=True, slots=True)
class Target:
    """A machine that a health check is for, and its node."""

    machine: Machine
    node: Node | None = None
    node_missing: bool = False
    """The machine had a node, and it is not there any more."""


@dataclass(frozen=True, slots=True)
class Health:
    """How a machine is. `Undecided` is a machine that may turn either way, or that cannot be judged yet."""

    verdict: Literal["Healthy", "Unhealthy", "Undecided"]
    reason: str = ""
    """Of the condition `HealthCheckSucceeded`, when unhealthy."""
    message: str = ""
    legacy_reason: str = ""
    next_check: dt.timedelta | None = None
    """When it may have turned unhealthy; None where only an event can change anything."""


HEALTHY = Health("Healthy")
UNDECIDED = Health("Undecided")
MARKED = Health(
    "Unhealthy",
    Reason.HAS_REMEDIATE_ANNOTATION,
    f"Health check failed: marked for remediation by the annotation {Annotation.REMEDIATE_MACHINE}",
    Reason.HAS_REMEDIATE_MACHINE_ANNOTATION,
)
"""Somebody asked for its remediation by hand."""


def targets(
    check: MachineHealthCheck, machines: Iterable[Machine], node_of: Callable[[str], Node | None] | None
) -> list[Target]:
    """The machines that a health check is for. `node_of` finds nodes by name; None while nodes cannot be asked for."""
    selector = selectors.from_object(msgspec.to_builtins(check.spec.selector))
    found = []
    for machine in machines:
        labels = machine.metadata.labels
        if labels.get(Label.CLUSTER_NAME) != check.spec.cluster_name or selector is None:
            continue
        if selector.matches(labels) and not any(a in machine.metadata.annotations for a in HAS_NOT_TO):
            found.append(_target(machine, node_of))
    return found


def _target(machine: Machine, node_of: Callable[[str], Node | None] | None) -> Target:
    if machine.status.node_ref is None or node_of is None:
        return Target(machine)
    node = node_of(machine.status.node_ref.name)
    return Target(machine, node, node_missing=node is None)


def judge(target: Target, check: MachineHealthCheck, cluster: Cluster, now: dt.datetime) -> Health:
    """How a target is. Before its cluster can serve it, a machine is not blamed for having no node."""
    machine = target.machine
    if Annotation.REMEDIATE_MACHINE in machine.metadata.annotations:
        return MARKED
    if not _is_cluster_ready(cluster, machine):
        return UNDECIDED
    of_machine = list(_machine_findings(machine, check, now))
    of_node = list(_node_findings(target, check, cluster, now))
    return _verdict(of_node, of_machine, target.node)


def judge_instance(node: Node | None, check: MachineHealthCheck, cluster: Cluster, now: dt.datetime) -> Health:
    """How an instance without a Machine is: by its node alone. Nobody knows since when one without a node has none."""
    if node is None or not conditions.is_true(cluster.status.conditions, ConditionType.INFRASTRUCTURE_READY):
        return UNDECIDED
    if not conditions.is_true(cluster.status.conditions, ConditionType.CONTROL_PLANE_INITIALIZED):
        return UNDECIDED
    return _verdict(list(_node_conditions(node, check, now)), [], node)


def _verdict(of_node: list[_Finding], of_machine: list[_Finding], node: Node | None) -> Health:
    wrong = [f for f in (*of_node, *of_machine) if f.failed]
    if wrong:
        return _unhealthy(wrong, any(f.failed for f in of_machine))
    waiting = [f.wait for f in (*of_node, *of_machine) if f.wait is not None]
    if waiting:
        return Health("Undecided", next_check=min(waiting))
    return HEALTHY if node is not None else UNDECIDED


@dataclass(frozen=True, slots=True)
class _Finding:
    """A check that does not pass: for long enough, or not yet."""

    reason: str
    legacy_reason: str
    message: str
    wait: dt.timedelta | None
    """How long until it has failed; None once it has."""

    @property
    def failed(self) -> bool:
        return self.wait is None


def _is_cluster_ready(cluster: Cluster, machine: Machine) -> bool:
    """A control plane machine is judged before the control plane is there: it may be what keeps it from coming."""
    known = cluster.status.conditions
    is_control_plane = Label.MACHINE_CONTROL_PLANE in machine.metadata.labels
    if not conditions.is_true(known, ConditionType.CONTROL_PLANE_INITIALIZED) and not is_control_plane:
        return False
    return conditions.is_true(known, ConditionType.INFRASTRUCTURE_READY)


def _machine_findings(machine: Machine, check: MachineHealthCheck, now: dt.datetime) -> Iterator[_Finding]:
    for wanted in check.spec.checks.unhealthy_machine_conditions:
        found = conditions.find(machine.status.conditions, wanted.type)
        if found is not None and found.status == wanted.status:
            message = _held("Machine", wanted.type, wanted.status, found.reason, wanted.timeout_seconds)
            wait = _remaining(found.last_transition_time, wanted.timeout_seconds, now)
            yield _Finding(Reason.UNHEALTHY_MACHINE, Reason.UNHEALTHY_MACHINE, message, wait)


def _node_findings(target: Target, check: MachineHealthCheck, cluster: Cluster, now: dt.datetime) -> Iterator[_Finding]:
    if target.node_missing:
        name = target.machine.status.node_ref.name if target.machine.status.node_ref else ""
        yield _Finding(Reason.NODE_DELETED, Reason.NODE_NOT_FOUND, f"Node {name} has been deleted", None)
    elif target.node is None:
        yield from _startup(target.machine, check, cluster, now)
    else:
        yield from _node_conditions(target.node, check, now)


def _startup(machine: Machine, check: MachineHealthCheck, cluster: Cluster, now: dt.datetime) -> Iterator[_Finding]:
    seconds = startup_timeout_seconds(check)
    if seconds == 0 or machine.status.node_ref is not None:
        return
    message = f"Node did not come up within {durations.from_seconds(seconds)}"
    wait = _remaining(_started(machine, cluster), seconds, now)
    yield _Finding(Reason.NODE_STARTUP_TIMEOUT, Reason.NODE_STARTUP_TIMEOUT, message, wait)


def startup_timeout_seconds(check: MachineHealthCheck) -> int:
    """How long a node may take to come."""
    seconds = check.spec.checks.node_startup_timeout_seconds
    return DEFAULT_NODE_STARTUP_TIMEOUT_SECONDS if seconds is None else seconds


def _started(machine: Machine, cluster: Cluster) -> dt.datetime | None:
    """Since when a machine could have had a node: when the last thing that it waits for was there."""
    moments = [
        machine.metadata.creation_timestamp,
        _since(cluster.status.conditions, ConditionType.CONTROL_PLANE_INITIALIZED),
        _since(cluster.status.conditions, ConditionType.INFRASTRUCTURE_READY),
        _since(machine.status.conditions, ConditionType.INFRASTRUCTURE_READY),
    ]
    return max((m for m in moments if m is not None), default=None)


def _since(known: Iterable[Condition], type_: str) -> dt.datetime | None:
    found = conditions.find(known, type_)
    return found.last_transition_time if found is not None and found.status == "True" else None


def _node_conditions(node: Node, check: MachineHealthCheck, now: dt.datetime) -> Iterator[_Finding]:
    for wanted in check.spec.checks.unhealthy_node_conditions:
        found = next((c for c in node.status.conditions if c.type == wanted.type), None)
        if found is not None and found.status == wanted.status:
            message = _held("Node", wanted.type, wanted.status, found.reason, wanted.timeout_seconds)
            wait = _remaining(found.last_transition_time, wanted.timeout_seconds, now)
            yield _Finding(Reason.UNHEALTHY_NODE, Reason.UNHEALTHY_NODE, message, wait)


def _held(whose: str, type_: str, status: str, reason: str, seconds: int) -> str:
    because = f" (reason {reason})" if reason else ""
    return f"Condition {type_} of the {whose} is {status}{because} for more than {durations.from_seconds(seconds)}"


def _remaining(since: dt.datetime | None, seconds: int, now: dt.datetime) -> dt.timedelta | None:
    """Time until a state has held for longer than its timeout, None once it has. Exactly as long is not longer."""
    if since is None:
        return None
    held, timeout = now - since, dt.timedelta(seconds=seconds)
    return None if held > timeout else timeout - held + _SECOND


def _unhealthy(wrong: list[_Finding], by_machine: bool) -> Health:
    """Everything that is wrong in one message; the reason is the machine's own where it has one."""
    first = next((f for f in wrong if f.reason == Reason.UNHEALTHY_MACHINE), wrong[0]) if by_machine else wrong[0]
    message = "Health check failed: " + "; ".join(f.message for f in wrong)
    return Health("Unhealthy", first.reason, message, first.legacy_reason)
