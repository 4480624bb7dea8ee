"""Conditions that sets and deployments have in common: computed from their machines and numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capipool.api.constants import ConditionType, Reason
from capipool.api.core import Machine
from capipool.api.shared import StatusVersion
from capipool.machinery import conditions
from capipool.machinery.conditions import Condition, Reasons
from capipool.machinery.objects import replace_part

_READY = Reasons(Reason.READY, Reason.NOT_READY, Reason.READY_UNKNOWN)
_UP_TO_DATE = Reasons(Reason.UP_TO_DATE, Reason.NOT_UP_TO_DATE, Reason.UP_TO_DATE_UNKNOWN)
_LONGEST = 32768


def machines_ready(machines: Iterable[Machine]) -> Condition:
    """Whether all machines are ready, and which are not."""
    return _over(machines, ConditionType.MACHINES_READY, ConditionType.READY, _READY)


def machines_up_to_date(machines: Iterable[Machine]) -> Condition:
    """Whether all machines are as wanted."""
    return _over(machines, ConditionType.MACHINES_UP_TO_DATE, ConditionType.UP_TO_DATE, _UP_TO_DATE)


def scaling_up(wanted: int | None, there: int, blockers: Sequence[str] = ()) -> Condition:
    """Whether machines are still to come, and what they wait for."""
    type_ = ConditionType.SCALING_UP
    if wanted is None:
        return _waiting_for_replicas(type_)
    if there >= wanted:
        told = [f"Scaling up would be blocked because {b}" for b in blockers] if blockers else []
        return _false(type_, Reason.NOT_SCALING_UP, "\n".join(told))
    return _true(type_, Reason.SCALING_UP, _listed(f"Scaling up from {there} to {wanted} replicas", blockers))


def scaling_down(wanted: int | None, there: int, machines: Iterable[Machine]) -> Condition:
    """Whether machines are still to go, and what those that take long wait for."""
    type_ = ConditionType.SCALING_DOWN
    if wanted is None:
        return _waiting_for_replicas(type_)
    if there <= wanted:
        return _false(type_, Reason.NOT_SCALING_DOWN)
    message = f"Scaling down from {there} to {wanted} replicas"
    return _true(type_, Reason.SCALING_DOWN, _listed(message, going(machines)))


def remediating(machines: Iterable[Machine]) -> Condition:
    """Whether unhealthy machines are being replaced."""
    type_ = ConditionType.REMEDIATING
    found = [
        (m.metadata.name, c)
        for m in machines
        if (c := conditions.find(m.status.conditions, ConditionType.OWNER_REMEDIATED)) is not None
        and c.status == "False"
    ]
    if not found:
        return _false(type_, Reason.NOT_REMEDIATING)
    merged = conditions.aggregate(type_, found, kind="Machine", reasons=_READY)
    return _true(type_, Reason.REMEDIATING, merged.message)


def deleting(is_deleting: bool, machines: Sequence[Machine]) -> Condition:
    """Whether all of it goes, and how many machines are left."""
    type_ = ConditionType.DELETING
    if not is_deleting:
        return _false(type_, Reason.NOT_DELETING)
    if not machines:
        return _true(type_, Reason.DELETION_COMPLETED, "Deletion completed")
    message = f"Deleting {len(machines)} Machine{'s' if len(machines) > 1 else ''}"
    return _true(type_, Reason.DELETING, _listed(message, going(machines)))


def going(machines: Iterable[Machine]) -> list[str]:
    """What machines that are being deleted wait for, one line each, at most three spelled out."""
    waiting = [
        (m.metadata.name, c)
        for m in machines
        if m.deleting and (c := conditions.find(m.status.conditions, ConditionType.DELETING)) is not None
    ]
    merged = conditions.aggregate(
        ConditionType.DELETING,
        [(n, replace_part(c, status="False")) for n, c in waiting],
        kind="Machine",
        reasons=_READY,
    )
    return [merged.message] if waiting and merged.message else []


def versions(machines: Iterable[Machine]) -> tuple[StatusVersion, ...]:
    """How many machines run each version of Kubernetes, as their nodes say."""
    counted: dict[str, int] = {}
    for machine in machines:
        if machine.status.node_info is not None and (told := machine.status.node_info.kubelet_version):
            counted[told] = counted.get(told, 0) + 1
    return tuple(StatusVersion(version=v, replicas=n) for v, n in sorted(counted.items()))


def count(machines: Iterable[Machine], type_: str) -> int:
    """How many machines have a condition that is True."""
    return sum(conditions.is_true(m.status.conditions, type_) for m in machines)


def finished(condition: Condition, generation: int) -> Condition:
    """A condition with its generation, and a message that fits."""
    message = condition.message[:_LONGEST]
    if not generation:
        return replace_part(condition, message=message)
    return replace_part(condition, message=message, observed_generation=generation)


def _over(machines: Iterable[Machine], type_: str, of: str, reasons: Reasons) -> Condition:
    parts = [(m.metadata.name, conditions.find(m.status.conditions, of)) for m in machines]
    if not parts:
        return _true(type_, Reason.NO_REPLICAS)
    return conditions.aggregate(type_, parts, kind="Machine", reasons=reasons)


def _listed(message: str, blockers: Sequence[str]) -> str:
    lines = [b if b.startswith("* ") else f"* {b}" for b in blockers]
    return f"{message} waits for:\n" + "\n".join(lines) if lines else message


def _waiting_for_replicas(type_: str) -> Condition:
    message = "Waiting for spec.replicas set"
    return Condition(type=type_, status="Unknown", reason=Reason.WAITING_FOR_REPLICAS_SET, message=message)


def _true(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type=type_, status="True", reason=reason, message=message)


def _false(type_: str, reason: str, message: str = "") -> Condition:
    return Condition(type=type_, status="False", reason=reason, message=message)
