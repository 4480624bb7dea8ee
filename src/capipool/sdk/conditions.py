"""Conditions by the contract of v1beta1, with a severity: for providers whose kinds speak that contract. Pure.

Beside `Report.v1beta2`, which is for kinds of the newer one. Which types and reasons a kind has is the provider's.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from capipool.api.shared import V1Beta1Condition
from capipool.machinery import clock
from capipool.machinery.objects import Raw

INFO, WARNING, ERROR = "Info", "Warning", "Error"
_LONGEST = 10240


def condition(type_: str, ok: bool, *, reason: str = "", message: str = "", severity: str = INFO) -> Raw:
    """A condition; a reason only while it is False."""
    if ok:
        return {"type": type_, "status": "True"}
    said = {"reason": reason, "message": message[:_LONGEST]}
    return {"type": type_, "status": "False", "severity": severity} | {k: v for k, v in said.items() if v}


def merged(before: Sequence[V1Beta1Condition], wanted: Iterable[Raw], now: dt.datetime) -> list[Raw]:
    """With the times of their last change; others' are kept. Sorted by type, `Ready` first."""
    known = {c.type: c for c in before}
    made = {c.type: _raw(c) for c in before}
    for each in wanted:
        old = known.get(each["type"])
        same = old is not None and old.status == each["status"]
        since = old.last_transition_time if old is not None and same else clock.to_seconds(now)
        made[each["type"]] = {**each, "lastTransitionTime": clock.format_time(since)}
    return sorted(made.values(), key=lambda c: (c["type"] != "Ready", c["type"]))


def _raw(old: V1Beta1Condition) -> Raw:
    said = {"severity": old.severity, "reason": old.reason, "message": old.message}
    when = clock.format_time(old.last_transition_time)
    return {"type": old.type, "status": old.status, "lastTransitionTime": when} | {k: v for k, v in said.items() if v}
