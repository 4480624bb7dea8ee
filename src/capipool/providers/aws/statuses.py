"""Status by the contract of v1beta1, as upstream's AWS kinds have it: `ready`, and conditions with a severity. Pure."""

from __future__ import annotations

from capipool.api.constants import Reason
from capipool.machinery.objects import Raw
from capipool.providers.aws import refreshes
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.sdk import InstanceState, Pool, Report
from capipool.sdk.conditions import condition, merged

GONE = (InstanceState.TERMINATING, InstanceState.FAILED)
_UPSTREAM = {
    Reason.WAITING_FOR_CLUSTER_INFRASTRUCTURE_READY: "WaitingForClusterInfrastructure",
    Reason.WAITING_FOR_BOOTSTRAP_DATA: "WaitingForBootstrapData",
}
"""How upstream calls reasons of the engine's."""
_FAILED = {
    "ASGReady": "ASGProvisionFailed",
    "LaunchTemplateReady": "LaunchTemplateReconcileFailed",
    "LifecycleHookReady": "LifecycleHookUpdateFailed",
}
"""The condition that is about a part of the group -> upstream's reason for its failure."""


def status(pool: Pool[AWSMachinePool], report: Report, *, failed: str = "") -> Raw:
    """The status of a pool. What is not known now stays as it is. `failed`: the condition whose part failed."""
    obj, group = pool.object, report.group
    wanted = _conditions(report, failed) if group is None else _conditions_of_group(pool, report)
    made: Raw = {"conditions": merged(obj.status.conditions, wanted, report.now)}
    if group is None:
        return made
    there = [i for i in group.instances if i.state not in GONE]
    serving = any(i.state is InstanceState.RUNNING for i in there)
    made |= {
        "ready": bool(obj.status.ready) or serving or group.desired == 0,
        "replicas": len(there),
        "instances": [_instance(i.id, i.provider_id, report) for i in there],
        "asgStatus": "Delete in progress" if group.operation else None,
    }
    if group.native is not None:
        version = group.native.version
        made |= {"launchTemplateID": version.template, "launchTemplateVersion": str(version.number)}
    return made


def deletion(obj: AWSMachinePool, report: Report) -> Raw:
    """What a pool says that is being deleted."""
    wanted = [
        condition("Ready", False, reason="Deleting", message=report.deleting),
        condition("ASGReady", False, reason="ASGDeletionInProgress", message=report.deleting),
    ]
    return {"conditions": merged(obj.status.conditions, wanted, report.now)}


def _conditions(report: Report, failed: str) -> list[Raw]:
    """Without a picture of the group: what is waited for, or which part of it failed."""
    if report.paused:
        return [condition("Ready", False, reason="Paused", message="reconciliation is paused")]
    first = report.waits[0] if report.waits else None
    reason = _UPSTREAM.get(first.reason, first.reason) if first is not None else "ASGNotFound"
    said = "; ".join(wait.message for wait in report.waits)
    waiting = first is not None and first.reason in _UPSTREAM
    severity = "Info" if waiting else "Error"
    part = failed or "ASGReady"
    told = reason if waiting else _FAILED[part]
    made = [condition("Ready", False, reason=reason, message=said, severity=severity)]
    made.append(condition(part, False, reason=told, message=said, severity=severity))
    return made


def _conditions_of_group(pool: Pool[AWSMachinePool], report: Report) -> list[Raw]:
    group = report.group
    assert group is not None
    reason = report.waits[0].reason if report.waits else ""
    said = "; ".join(wait.message for wait in report.waits)
    deleting = "the group is being deleted; it is made anew when it is gone"
    old = f"{report.outdated} instances were launched from an older specification"
    problem = group.problem
    failed = condition(
        "LastScalingActivitySucceeded",
        problem is None,
        reason=problem.reason if problem is not None else "",
        message=str(problem) if problem is not None else "",
        severity="Warning",
    )
    hooks = [condition("LifecycleHookReady", True)] if pool.object.spec.lifecycle_hooks else []
    return [
        condition("Ready", not report.waits, reason=reason, message=said),
        condition("ASGReady", not group.operation, reason="ASGDeletionInProgress", message=deleting),
        condition("LaunchTemplateReady", True),
        condition("UpToDate", not report.outdated, reason="NotUpToDate", message=old),
        _bounds(pool),
        failed,
        *hooks,
        *_rollout(pool, report),
    ]


def _bounds(pool: Pool[AWSMachinePool]) -> Raw:
    """Whether the MachinePool wants as many as the group may have: otherwise it has as many as it may."""
    wanted = pool.machine_pool.spec.replicas
    least, most = pool.object.spec.min_size, pool.object.spec.max_size
    kept = min(max(1 if wanted is None else wanted, least), most)
    said = f"the MachinePool wants {wanted}, minSize and maxSize allow {least} to {most}: {kept} are kept"
    fine = wanted is None or wanted == kept
    return condition("ReplicasWithinBounds", fine, reason="ReplicasOutOfRange", message=said, severity="Warning")


def _rollout(pool: Pool[AWSMachinePool], report: Report) -> list[Raw]:
    """How the cloud's own rolling replacement goes, once there was one."""
    group = report.group
    assert group is not None
    found = group.native.refreshes if group.native is not None else ()
    if not found:
        before = any(c.type == "InstanceRefreshStarted" for c in pool.object.status.conditions)
        return [condition("InstanceRefreshStarted", True)] if before and not report.outdated else []
    if refreshes.active(found) is not None:
        return [condition("InstanceRefreshStarted", True) | {"message": group.rollout}]
    reason = "InstanceRefreshFailed" if refreshes.has_failed(found) else "InstanceRefreshNotReady"
    return [condition("InstanceRefreshStarted", False, reason=reason, message=group.rollout, severity="Warning")]


def _instance(id: str, provider_id: str, report: Report) -> Raw:
    node = report.nodes.get(provider_id)
    return {"instanceID": id} | ({"version": node.version} if node is not None and node.version else {})
