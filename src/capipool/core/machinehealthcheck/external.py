"""Remediation by somebody else's controller: a request object for each unhealthy machine, from a template. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.api.constants import Annotation, ConditionType, Label, Reason
from capipool.api.core import Machine
from capipool.api.shared import V1Beta1Condition
from capipool.core import legacy, ownership
from capipool.core.machinehealthcheck.health import Target
from capipool.core.machinehealthcheck.world import External, Request
from capipool.core.writes import ObjectDeletion
from capipool.machinery import conditions, objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource

RETRY = dt.timedelta(seconds=30)
"""How long a request that its controller removed stays away while its machine is unwell, and a template that cannot be
read: who removes requests as fast as they are made would have us both run in circles."""

_OUR_FAILURES = (Reason.REMEDIATION_TEMPLATE_NOT_FOUND, Reason.REMEDIATION_REQUEST_CREATION_FAILED)


def requests(external: External | None, targets: Iterable[Target]) -> tuple[Request, ...]:
    """The requests that are missing."""
    if external is None or external.template is None or external.resource is None:
        return ()
    resource = external.resource
    missing = [t for t in targets if t.machine.metadata.name not in external.requests]
    return tuple(Request(t.machine, resource, _request(external, resource, t)) for t in missing)


def obsolete(external: External | None, well: Iterable[Target]) -> list[ObjectDeletion]:
    """The requests for machines that are well again."""
    if external is None or external.resource is None:
        return []
    found = (external.requests.get(t.machine.metadata.name) for t in well)
    return [ObjectDeletion(external.resource, r.key, r.metadata.uid) for r in found if r is not None and not r.deleting]


def condition(external: External, machine: Machine) -> Condition | None:
    """`ExternallyRemediated` to put on an unhealthy machine; None where it is to stay as it is.

    Once there is a request, the condition is its controller's, to update or to delete. Only that we failed before is no
    longer true then. That a request could not be made stays said until one is.
    """
    type_ = ConditionType.EXTERNALLY_REMEDIATED
    before = conditions.find(machine.status.conditions, type_)
    told = before.reason if before is not None and before.status == "False" else ""
    if machine.metadata.name not in external.requests:
        if external.template is None:
            reason = Reason.REMEDIATION_TEMPLATE_NOT_FOUND
            return Condition(type=type_, status="False", reason=reason, message=external.why)
        if external.resource is None:
            return failed(external.why)
        if told == Reason.REMEDIATION_REQUEST_CREATION_FAILED:
            return None
    elif told not in _OUR_FAILURES:
        return None
    reason, message = Reason.WAITING_FOR_REMEDIATION, "Waiting for external remediation"
    return Condition(type=type_, status="False", reason=reason, message=message)


def failed(why: str) -> Condition:
    """`ExternallyRemediated` where the request cannot be created."""
    reason = Reason.REMEDIATION_REQUEST_CREATION_FAILED
    return Condition(type=ConditionType.EXTERNALLY_REMEDIATED, status="False", reason=reason, message=why)


def legacy_available(external: External | None, now: dt.datetime) -> V1Beta1Condition | None:
    """`ExternalRemediationTemplateAvailable` of v1beta1, on the health check; None without external remediation."""
    if external is None:
        return None
    type_ = ConditionType.EXTERNAL_REMEDIATION_TEMPLATE_AVAILABLE
    if external.template is not None:
        return legacy.true(type_, now)
    reason = Reason.EXTERNAL_REMEDIATION_TEMPLATE_NOT_FOUND
    return legacy.false(type_, reason, "Error", now, external.why)


def _request(external: External, resource: Resource, target: Target) -> Raw:
    """A request, named after its machine, which owns it."""
    template, machine = external.template, target.machine
    assert template is not None
    inner = template.spec.get("template") or {}
    meta = inner.get("metadata") or {}
    cloned = {
        Annotation.TEMPLATE_CLONED_FROM_NAME: template.metadata.name,
        Annotation.TEMPLATE_CLONED_FROM_GROUP_KIND: str(template.group_kind),
    }
    return {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": {
            "name": machine.metadata.name,
            "namespace": machine.metadata.namespace,
            "labels": {**(meta.get("labels") or {}), Label.CLUSTER_NAME: machine.spec.cluster_name},
            "annotations": {**(meta.get("annotations") or {}), **cloned},
            "ownerReferences": [objects.part_to_raw(ownership.reference(machine))],
        },
        "spec": inner.get("spec") or {},
    }
