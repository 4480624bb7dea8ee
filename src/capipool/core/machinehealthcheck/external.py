"""Remediation by somebody else's controller: a request object for each unhealthy machine, from a template. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.constants import Annotation, ConditionType, Label, Reason
from capipool.core import ownership
from capipool.core.machinehealthcheck.health import Target
from capipool.core.machinehealthcheck.world import External
from capipool.core.writes import ObjectDeletion
from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource


def requests(external: External | None, targets: Iterable[Target]) -> tuple[tuple[Resource, Raw], ...]:
    """The requests that are missing."""
    if external is None or external.template is None or external.resource is None:
        return ()
    resource = external.resource
    missing = [t for t in targets if t.machine.metadata.name not in external.requests]
    return tuple((resource, _request(external, resource, t)) for t in missing)


def obsolete(external: External | None, well: Iterable[Target]) -> list[ObjectDeletion]:
    """The requests for machines that are well again."""
    if external is None or external.resource is None:
        return []
    found = (external.requests.get(t.machine.metadata.name) for t in well)
    return [ObjectDeletion(external.resource, r.key, r.metadata.uid) for r in found if r is not None and not r.deleting]


def condition(external: External) -> Condition:
    """`ExternallyRemediated` on an unhealthy machine."""
    type_ = ConditionType.EXTERNALLY_REMEDIATED
    if external.template is None:
        reason, message = Reason.REMEDIATION_TEMPLATE_NOT_FOUND, "The remediation template does not exist"
    elif external.resource is None:
        reason, message = (
            Reason.REMEDIATION_REQUEST_CREATION_FAILED,
            "The kind of the template's requests is not served",
        )
    else:
        reason, message = Reason.WAITING_FOR_REMEDIATION, "Waiting for external remediation"
    return Condition(type=type_, status="False", reason=reason, message=message)


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
