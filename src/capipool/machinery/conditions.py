"""Conditions (`metav1.Condition`): setting one moves its transition time only when its status changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec

from capipool.machinery.clock import to_seconds
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits

ConditionStatus = Literal["True", "False", "Unknown"]

QUALIFIED_NAME = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
"""A condition type: a name, with a DNS subdomain and a slash before it if wanted."""
REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


class Condition(Model, omit_defaults=False):
    """One observed fact. `message` is there even when empty, as the API requires; times are to the second."""

    type: Annotated[str, Limits(max_length=316, pattern=QUALIFIED_NAME)]
    status: Annotated[str, Limits(enum=("True", "False", "Unknown"))]
    reason: Annotated[str, Limits(min_length=1, max_length=1024, pattern=REASON, required=True)] = ""
    message: Annotated[str, Limits(max_length=32768, required=True)] = ""
    last_transition_time: Annotated[dt.datetime | None, Limits(required=True)] = None
    observed_generation: Annotated[Int64, Limits(minimum=0)] | msgspec.UnsetType = msgspec.UNSET


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
