"""Conditions of provider objects, in whichever form they keep them, and how they show up among ours.

contract v1beta2      status.conditions: metav1 conditions; status.deprecated.v1beta1.conditions: the older form
contract v1beta1      status.conditions: the older form; status.v1beta2.conditions: metav1 conditions, of some
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any

from capipool.api.shared import V1Beta1Condition
from capipool.contract import fields
from capipool.contract.versions import V1BETA2
from capipool.machinery import clock
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Unstructured

NO_REASON = "NoReasonReported"
"""The reason of a condition that gives none, as upstream says it."""


def find(obj: Unstructured, type_: str) -> Condition | None:
    """A provider's condition as a condition of ours: the newer form where the object has it, else the older one."""
    for path in (("v1beta2", "conditions"), ("conditions",)):
        if (found := _of_type(fields.objects(obj.status, *path), type_)) is not None:
            return Condition(
                type=type_,
                status=_status(found),
                reason=fields.text(found, "reason") or NO_REASON,
                message=fields.text(found, "message"),
                last_transition_time=_time(found),
            )
    return None


def find_legacy(obj: Unstructured, type_: str, contract: str) -> V1Beta1Condition | None:
    """A provider's condition in the older form, which has a severity."""
    path = ("deprecated", "v1beta1", "conditions") if contract == V1BETA2 else ("conditions",)
    found = _of_type(fields.objects(obj.status, *path), type_)
    since = _time(found) if found is not None else None
    if found is None or since is None:
        return None
    return V1Beta1Condition(
        type=type_,
        status=_status(found),
        severity=fields.text(found, "severity"),
        last_transition_time=since,
        reason=fields.text(found, "reason"),
        message=fields.text(found, "message"),
    )


def mirror(found: Condition | None, type_: str, fallback: Condition) -> Condition:
    """A provider's condition under a type of ours; the fallback where the provider does not have it.

    The transition time is left for `machinery.conditions.set_all`, which knows what we showed before.
    """
    if found is None:
        return fallback
    return Condition(type=type_, status=found.status, reason=found.reason, message=found.message)


def _of_type(conditions: Iterable[Mapping[str, Any]], type_: str) -> Mapping[str, Any] | None:
    return next((c for c in conditions if c.get("type") == type_), None)


def _status(condition: Mapping[str, Any]) -> str:
    status = fields.text(condition, "status")
    return status if status in ("True", "False") else "Unknown"


def _time(condition: Mapping[str, Any]) -> dt.datetime | None:
    try:
        return clock.parse_time(fields.text(condition, "lastTransitionTime"))
    except ValueError:
        return None
