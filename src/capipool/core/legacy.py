"""Conditions as v1beta1 has them, with a severity: `status.deprecated.v1beta1.conditions` of all kinds. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from capipool.api.constants import ConditionType
from capipool.api.shared import V1Beta1Condition
from capipool.machinery import clock
from capipool.machinery.objects import replace_part

_SEVERITIES = ("Error", "Warning", "Info", "")
"""The worst first."""
_LONGEST = 10240


def true(type_: str, now: dt.datetime) -> V1Beta1Condition:
    """A condition that holds; one that does says nothing more."""
    return V1Beta1Condition(type=type_, status="True", last_transition_time=clock.to_seconds(now))


def false(type_: str, reason: str, severity: str, now: dt.datetime, message: str = "") -> V1Beta1Condition:
    """A condition that does not hold, and how bad that is."""
    return V1Beta1Condition(
        type=type_,
        status="False",
        severity=severity,
        reason=reason,
        message=message[:_LONGEST],
        last_transition_time=clock.to_seconds(now),
    )


def mirrored(told: V1Beta1Condition | None, type_: str, ready: bool, reason: str, now: dt.datetime) -> V1Beta1Condition:
    """A provider's own `Ready` under another type, or what its contract says where it has none."""
    if told is not None:
        return replace_part(told, type=type_)
    return true(type_, now) if ready else false(type_, reason, "Info", now)


def set_all(
    before: Iterable[V1Beta1Condition],
    wanted: Iterable[V1Beta1Condition | None],
    summed_up: Sequence[str],
    now: dt.datetime,
) -> tuple[V1Beta1Condition, ...]:
    """Put conditions beside those of other types (None leaves one as it was), and `Ready` over those summed up.

    The transition time moves whenever anything in a condition does, as upstream has it. `Ready` comes first.
    """
    found = {c.type: c for c in before}
    for condition in wanted:
        if condition is not None:
            found[condition.type] = _since(found.get(condition.type), condition)
    summary = _summary([found[t] for t in summed_up if t in found], now)
    if summary is not None:
        found[summary.type] = _since(found.get(summary.type), summary)
    return tuple(sorted(found.values(), key=lambda c: (c.type != ConditionType.READY, c.type)))


def _summary(parts: Iterable[V1Beta1Condition], now: dt.datetime) -> V1Beta1Condition | None:
    """`Ready` over the others: the first of the worst severity that is False, else Unknown, else True."""
    ranked = sorted(parts, key=_rank)
    if not ranked:
        return None
    worst = ranked[0]
    if worst.status == "True":
        return true(ConditionType.READY, now)
    return replace_part(worst, type=ConditionType.READY, last_transition_time=clock.to_seconds(now))


def _rank(condition: V1Beta1Condition) -> tuple[int, int]:
    status = {"False": 0, "Unknown": 1}.get(condition.status, 2)
    severity = _SEVERITIES.index(condition.severity) if condition.severity in _SEVERITIES else len(_SEVERITIES)
    return (status, severity if status == 0 else 0)


def _since(old: V1Beta1Condition | None, new: V1Beta1Condition) -> V1Beta1Condition:
    """The new condition, or the old one where they differ in nothing but the time."""
    if old is None or replace_part(old, last_transition_time=new.last_transition_time) != new:
        return new
    return old
