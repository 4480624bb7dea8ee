"""Which machines a MachineSet deletes first. Pure.

What is going anyway counts towards the number; then come those that somebody marked, those in the middle of an update,
those that are unwell, and those that do not serve yet; only then the set's policy decides by age, and at last the name,
so that the answer is always the same. `Random` is no dice either: it is by name.

Upstream does not ask who serves. It matters where a rollout, to get on, takes a machine from a set of which one waits
for `minReadySeconds`: without that question, the one that serves may be the one to go.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.api.constants import Annotation, ConditionType, DeletionOrder
from capipool.api.core import Machine
from capipool.machinery import conditions

_ORDERS = (DeletionOrder.RANDOM, DeletionOrder.NEWEST, DeletionOrder.OLDEST)


def resolve(order: str) -> str:
    """The policy that is meant; none is `Random`. Raises ValueError for one that nobody knows."""
    if order and order not in _ORDERS:
        raise ValueError(f"{order!r} is not a deletion order: it must be one of {', '.join(_ORDERS)}")
    return order or DeletionOrder.RANDOM


def pick(machines: Iterable[Machine], count: int, order: str) -> list[Machine]:
    """As many machines as have to go, the first to go first. Raises ValueError for an unknown order."""
    policy = resolve(order)
    return sorted(machines, key=lambda machine: _rank(machine, policy))[: max(count, 0)]


def is_healthy(machine: Machine) -> bool:
    """Whether nothing is known against a machine that has a node. What is unknown is not held against it."""
    if machine.status.node_ref is None:
        return False
    failing = (ConditionType.NODE_HEALTHY, ConditionType.HEALTH_CHECK_SUCCEEDED)
    found = (conditions.find(machine.status.conditions, type_) for type_ in failing)
    return not any(c is not None and c.status == "False" for c in found)


def is_updating(machine: Machine) -> bool:
    """Whether the machine is being updated in place: it serves nobody meanwhile."""
    return Annotation.UPDATE_IN_PROGRESS in machine.metadata.annotations


def _rank(machine: Machine, policy: str) -> tuple[bool, bool, bool, bool, bool, float, str]:
    marked = Annotation.DELETE_MACHINE in machine.metadata.annotations
    return (
        not machine.deleting,
        not marked,
        not is_updating(machine),
        is_healthy(machine),
        conditions.is_true(machine.status.conditions, ConditionType.AVAILABLE),
        _by_age(machine.metadata.creation_timestamp, policy),
        machine.metadata.name,
    )


def _by_age(created: dt.datetime | None, policy: str) -> float:
    """What sorts first goes first. A machine without an age counts as the newest."""
    moment = created.timestamp() if created is not None else float("inf")
    match policy:
        case DeletionOrder.NEWEST:
            return -moment
        case DeletionOrder.OLDEST:
            return moment
        case _:
            return 0.0
