"""Status by the contract of v1beta1, as upstream's AWS kinds have it: `ready`, and conditions with a severity. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from capipool.api.shared import V1Beta1Condition
from capipool.machinery import clock
from capipool.machinery.objects import Raw
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.sdk import InstanceState, Report

GONE = (InstanceState.TERMINATING, InstanceState.FAILED)


def status(obj: AWSMachinePool, report: Report) -> Raw:
    """The status of a pool. What is not known now stays as it is."""
    made: Raw = {"conditions": conditions(obj.status.conditions, _conditions(report), report.now)}
    group = report.group
    if group is None:
        return made
    there = [i for i in group.instances if i.state not in GONE]
    made |= {
        "ready": True,
        "replicas": len(there),
        "instances": [_instance(i.id, i.provider_id, report) for i in there],
    }
    if group.native is not None:
        made |= {"launchTemplateID": group.native.template, "launchTemplateVersion": str(group.native.version)}
    return made


def conditions(before: Sequence[V1Beta1Condition], wanted: Iterable[Raw], now: dt.datetime) -> list[Raw]:
    """Conditions with the time of their last change; others' are kept. Sorted by type, `Ready` first."""
    known = {c.type: c for c in before}
    made = {c.type: _raw(c) for c in before}
    for condition in wanted:
        old = known.get(condition["type"])
        same = old is not None and old.status == condition["status"]
        since = old.last_transition_time if old is not None and same else clock.to_seconds(now)
        made[condition["type"]] = {**condition, "lastTransitionTime": clock.format_time(since)}
    return sorted(made.values(), key=lambda c: (c["type"] != "Ready", c["type"]))


def condition(type_: str, ok: bool, *, reason: str = "", message: str = "", severity: str = "Info") -> Raw:
    """A condition; a reason only while it is False."""
    if ok:
        return {"type": type_, "status": "True"}
    said = {"reason": reason, "message": message[:10240]}
    return {"type": type_, "status": "False", "severity": severity} | {k: v for k, v in said.items() if v}


def _raw(old: V1Beta1Condition) -> Raw:
    said = {"severity": old.severity, "reason": old.reason, "message": old.message}
    when = clock.format_time(old.last_transition_time)
    return {"type": old.type, "status": old.status, "lastTransitionTime": when} | {k: v for k, v in said.items() if v}


def _conditions(report: Report) -> list[Raw]:
    there = report.group is not None
    if report.paused and not there:
        return [condition("Ready", False, reason="Paused", message="reconciliation is paused")]
    first = report.waits[0] if report.waits else None
    reason = first.reason if first is not None else "ASGNotFound"
    said = "; ".join(wait.message for wait in report.waits)
    made = [condition("Ready", not report.waits, reason=reason, message=said)]
    for type_ in ("ASGReady", "LaunchTemplateReady"):
        made.append(condition(type_, there, reason=reason, message=said))
    if there:
        outdated = f"{report.outdated} instances were launched from an older specification"
        made.append(condition("UpToDate", not report.outdated, reason="NotUpToDate", message=outdated))
    return made


def _instance(id: str, provider_id: str, report: Report) -> Raw:
    node = report.nodes.get(provider_id)
    return {"instanceID": id} | ({"version": node.version} if node is not None and node.version else {})
