"""The status of a pool by the contract of v1beta1, with upstream's conditions and reasons. Pure.

`ready` says that the scale set was made, and stays: Cluster API reads the instances no further without it. Whether the
pool is well is `Ready`, the condition; that Azure has no room for more is told by `ScaleSetDesiredReplicas`.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.pools import comparing, resolving
from capipool.sdk import Group, InstanceState, Pool, Report
from capipool.sdk.conditions import ERROR, INFO, WARNING, condition, merged

GONE = (InstanceState.TERMINATING, InstanceState.FAILED)
BUSY = ("Creating", "Updating", "Migrating", "Deleting")


def status(pool: Pool[AzureMachinePool], report: Report, *, kind: str) -> Raw:
    """What is known now; the rest stays as it is."""
    obj, group = pool.object, report.group
    made: Raw = {
        "conditions": merged(obj.status.conditions, conditions(pool, report), report.now),
        "infrastructureMachineKind": kind,
    }
    if group is None:
        return made
    state, wanted = group.native.state, _wanted(pool, group)
    there = [i for i in group.instances if i.state not in GONE]
    made |= {
        "ready": True,
        "replicas": len(there),
        "provisioningState": "Updating" if state == "Succeeded" and len(there) != wanted else state or None,
        "image": _image(group),
    }
    if not report.waits and len(there) == wanted:
        made["lastReconciledReplicas"] = wanted
    return made


def deletion(obj: AzureMachinePool, report: Report) -> Raw:
    """What a pool says while it goes."""
    said = report.deleting
    wanted = [
        condition("Ready", False, reason="Deleting", message=said),
        condition("ScaleSetRunning", False, reason="ScaleSetDeleting", message=said),
        condition("BootstrapSucceeded", False, reason="Deleting", message=said),
    ]
    return {"conditions": merged(obj.status.conditions, wanted, report.now), "provisioningState": "Deleting"}


def conditions(pool: Pool[AzureMachinePool], report: Report) -> list[Raw]:
    """`Ready` sums up, and carries the reason of what holds the pool up."""
    group = report.group
    if report.paused and group is None:
        return [condition("Ready", False, reason="Paused", message="reconciliation is paused")]
    return [*_summary(report), *(_of_group(pool, report, group) if group is not None else _without_group(report))]


def _summary(report: Report) -> Iterator[Raw]:
    if not report.waits:
        yield condition("Ready", True)
        return
    said = "; ".join(wait.message for wait in report.waits)
    yield condition("Ready", False, reason=report.waits[0].reason, message=said, severity=_severity(report))


def _severity(report: Report) -> str:
    reasons = {wait.reason for wait in report.waits}
    if reasons & {"InvalidConfiguration", "PermissionDenied", "QuotaExceeded", "InstanceGroupNotOwned"}:
        return ERROR
    return WARNING if reasons & {"InsufficientCapacity", "InstanceFailed", "CloudUnavailable"} else INFO


def _without_group(report: Report) -> Iterator[Raw]:
    """Nothing is known of the scale set: only what keeps it from being made is said."""
    if report.was_provisioned or not report.waits:
        return
    first = report.waits[0]
    failed = _severity(report) == ERROR
    reason = "ScaleSetProvisionFailed" if failed else first.reason
    yield condition("ScaleSetRunning", False, reason=reason, message=first.message, severity=_severity(report))


def _of_group(pool: Pool[AzureMachinePool], report: Report, group: Group) -> Iterator[Raw]:
    state = group.native.state
    problem = group.problem
    if problem is not None:
        yield condition("BootstrapSucceeded", False, reason="Failed", message=str(problem), severity=ERROR)
    elif group.operation:
        yield condition("BootstrapSucceeded", False, reason="Creating", message=f"Azure is busy with {group.operation}")
    else:
        yield condition("BootstrapSucceeded", True)
    yield _running(state, str(problem) if problem is not None else "")
    yield condition(
        "ScaleSetModelUpdated",
        not report.outdated and state != "Updating",
        reason="ScaleSetModelOutOfDate",
        message=f"{report.outdated} of {len(group.instances)} instances are of an older model",
    )
    yield _replicas(pool, group)


def _running(state: str, problem: str) -> Raw:
    reasons = {"Creating": "ScaleSetCreating", "Deleting": "ScaleSetDeleting", "Failed": "ScaleSetProvisionFailed"}
    running = state in ("Succeeded", "Updating", "Migrating", "")
    return condition("ScaleSetRunning", running, reason=reasons.get(state, state), message=problem)


def _replicas(pool: Pool[AzureMachinePool], group: Group) -> Raw:
    """Whether there are as many as wanted. What Azure refuses is told here, with its code."""
    wanted = _wanted(pool, group)
    there = sum(i.state is InstanceState.RUNNING for i in group.instances)
    reason = "ScaleSetScalingUp" if there < wanted else "ScaleSetScalingDown"
    said = f"{there} of {wanted} instances run" + (f"; {group.problem}" if group.problem is not None else "")
    severity = WARNING if group.problem is not None else INFO
    return condition("ScaleSetDesiredReplicas", there == wanted, reason=reason, message=said, severity=severity)


def _wanted(pool: Pool[AzureMachinePool], group: Group) -> int:
    replicas = pool.machine_pool.spec.replicas
    return group.desired if replicas is None else replicas


def _image(group: Group) -> Raw | None:
    image = resolving.as_image(comparing.image_of(group.native.raw))
    if image is None:
        return None
    made: Raw = msgspec.to_builtins(image)
    return made
