"""What an AWSManagedMachinePool says of itself, by the contract of v1beta1. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

from capipool.machinery.objects import Raw
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups import picture
from capipool.providers.aws.eks.nodegroups.deciding import Note
from capipool.providers.aws.eks.nodegroups.picture import MOST_ISSUES, NodeGroup, Template
from capipool.providers.aws.eks.nodegroups.updates import RETRY, Record
from capipool.sdk import ProviderError
from capipool.sdk.conditions import condition, merged

NODEGROUP, ROLES, TEMPLATE = "EKSNodegroupReady", "IAMNodegroupRolesReady", "LaunchTemplateReady"
UPDATED = "LastUpdateSucceeded"
"""Ours, beside upstream's three: whether EKS could do what it was asked for last."""
FAILED: Mapping[str, str] = {
    NODEGROUP: "EKSNodegroupReconciliationFailed",
    ROLES: "IAMNodegroupRolesReconciliationFailed",
    TEMPLATE: "LaunchTemplateReconcileFailed",
}
"""The condition that is about a part -> upstream's reason for its failure."""
_UNDER_WAY = {picture.CREATING: "Creating", picture.UPDATING: "Updating", picture.DELETING: "Deleting"}

Failures = Mapping[str, ProviderError]
"""What went wrong, by the condition that is about it."""


def of_group(
    obj: AWSManagedMachinePool,
    group: NodeGroup | None,
    *,
    notes: Sequence[Note],
    failures: Failures,
    records: Mapping[str, Record],
    template: Template | None,
    now: dt.datetime,
) -> Raw:
    """All but the replicas. `group` None: it is not there yet."""
    made: Raw = {"ready": group is not None and group.serves, **_failure(group)}
    if template is not None:
        made |= {"launchTemplateID": template.id, "launchTemplateVersion": str(template.number)}
    wanted = _conditions(obj, group, notes=notes, failures=failures, records=records)
    return made | {"conditions": merged(obj.status.conditions, wanted, now)}


def waiting(obj: AWSManagedMachinePool, note: Note, now: dt.datetime) -> Raw:
    """Where nothing is known of the group now, or nothing can be done."""
    wanted = [_false(type_, note) for type_ in ("Ready", NODEGROUP)]
    return {"conditions": merged(obj.status.conditions, wanted, now)}


def of_failures(obj: AWSManagedMachinePool, failures: Failures, now: dt.datetime) -> Raw:
    """Where AWS could not be asked."""
    wanted = _of_failures(failures)
    return {"conditions": merged(obj.status.conditions, wanted, now)}


def _failure(group: NodeGroup | None) -> Raw:
    """Upstream's two fields about a group that failed; empty again as soon as it has not."""
    if group is None or not group.status.endswith("_FAILED"):
        return {"failureReason": None, "failureMessage": None}
    said = "; ".join(group.issues[:MOST_ISSUES])
    return {
        "failureReason": "CreateError" if group.status == picture.CREATE_FAILED else "DeleteError",
        "failureMessage": f"EKS nodegroup in failed {group.status} status{': ' if said else ''}{said}",
    }


def _conditions(
    obj: AWSManagedMachinePool,
    group: NodeGroup | None,
    *,
    notes: Sequence[Note],
    failures: Failures,
    records: Mapping[str, Record],
) -> list[Raw]:
    state = _of_state(group)
    broken = [_of_update(r) for r in records.values() if r.error]
    first = next(iter([*_first(failures), *([state] if state else []), *broken, *notes]), None)
    told = {c["type"]: c for c in _of_failures(failures)}
    made = [_false("Ready", first) if first is not None else condition("Ready", True)]
    made.append(told.get(NODEGROUP) or (_false(NODEGROUP, state) if state is not None else condition(NODEGROUP, True)))
    made.append(told.get(ROLES) or condition(ROLES, True))
    if obj.spec.aws_launch_template is not None:
        made.append(told.get(TEMPLATE) or condition(TEMPLATE, True))
    if broken:
        made.append(_false(UPDATED, broken[0]))
    elif any(c.type == UPDATED for c in obj.status.conditions) and not records:
        made.append(condition(UPDATED, True))
    return made


def _of_state(group: NodeGroup | None) -> Note | None:
    """Why a node group is not, or not wholly, as it should be."""
    if group is None:
        return Note("Creating", "the node group is not there yet", "Info")
    said = f"the node group is {group.status}"
    if group.issues:
        said += f": {'; '.join(group.issues[:MOST_ISSUES])}"
    if group.status == picture.CREATE_FAILED:
        way_out = "Change the spec, or delete the node group: it is made anew"
        return Note("EKSNodegroupCreateFailed", f"{said}. {way_out}", "Error")
    if group.status == picture.DELETE_FAILED:
        return Note("DeletingFailed", said, "Error")
    if group.status in _UNDER_WAY:
        return Note(_UNDER_WAY[group.status], said, "Info")
    return Note("EKSNodegroupDegraded", said) if group.status == picture.DEGRADED or group.issues else None


def _of_update(record: Record) -> Note:
    minutes = int(RETRY.total_seconds() // 60)
    said = f"the update to {record.about} failed: {record.error}. It is tried again in {minutes} minutes, or at once "
    return Note("EKSNodegroupUpdateFailed", said + "if something else is wanted")


def _first(failures: Failures) -> list[Note]:
    return [_of_failure(type_, error) for type_, error in failures.items()]


def _of_failures(failures: Failures) -> list[Raw]:
    made = [_false(type_, note) for (type_, _), note in zip(failures.items(), _first(failures), strict=True)]
    return [_false("Ready", _first(failures)[0]), *made] if failures else []


def _of_failure(type_: str, error: ProviderError) -> Note:
    if error.quiet:
        return Note(error.reason, str(error), "Info")
    return Note(FAILED[type_], f"{error.reason}: {error}", "Error")


def _false(type_: str, note: Note) -> Raw:
    return condition(type_, False, reason=note.reason, message=note.message, severity=note.severity)
