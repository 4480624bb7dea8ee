"""Conditions (`metav1.Condition`): setting one moves its transition time only when its status changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Literal

import msgspec

from capipool.machinery.clock import to_seconds
from capipool.machinery.objects import Model

ConditionStatus = Literal["True", "False", "Unknown"]


class Condition(Model, omit_defaults=False):
    """One observed fact. `message` is there even when empty, as the API requires; times are to the second."""

    type: str
    status: str
    reason: str = ""
    message: str = ""
    last_transition_time: dt.datetime | None = None
    observed_generation: int | msgspec.UnsetType = msgspec.UNSET


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of this type, if there is one."""
    return next((c for c in conditions if c.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the condition is there and `True`."""
    found = find(conditions, type_)
    return found is not None and found.status == "True"


def set_all(before: Iterable[Condition], wanted: Iterable[Condition], now: dt.datetime) -> tuple[Condition, ...]:
    """Put conditions beside those of other types.

    The transition time of each is the old one where its status stays, and `now` where it changes or is new. The order
    of what was there stays, new types follow in the order given, so that writing the same facts changes nothing.
    """
    result = {c.type: c for c in before}
    for condition in wanted:
        old = result.get(condition.type)
        since = old.last_transition_time if old is not None and old.status == condition.status else None
        result[condition.type] = msgspec.structs.replace(condition, last_transition_time=since or to_seconds(now))
    return tuple(result.values())
