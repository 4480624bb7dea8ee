"""Defaults and rules of MachineSet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capipool.api import labels
from capipool.api.admission import checks, machines, replicas
from capipool.api.admission.checks import part
from capipool.api.constants import Annotation, Label, PreflightCheck
from capipool.api.core import MachineSet
from capipool.machinery import errors
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

PREFLIGHT_CHECKS = (
    PreflightCheck.ALL,
    PreflightCheck.KUBEADM_VERSION_SKEW,
    PreflightCheck.KUBERNETES_VERSION_SKEW,
    PreflightCheck.CONTROL_PLANE_IS_STABLE,
    PreflightCheck.CONTROL_PLANE_VERSION_SKEW,
)


def rules(gates: Mapping[str, bool]) -> Rules:
    """What admission does for sets under these feature gates; a gate that is not named is on."""
    return Rules(resource=MachineSet.RESOURCE, default=default, validate=lambda admit: validate(admit, gates))


def default(admit: Admit) -> Raw:
    """The label with the cluster's name, replicas, a selector by the set's own name, and the `v` of the version."""
    raw = dict(admit.object or {})
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return raw
    name = labels.format_value(str(part(raw, "metadata").get("name", "")))
    made = spec if machines.has_selector(spec) else machines.selected(spec, {Label.MACHINE_SET_NAME: name})
    made = machines.with_template_version(made)
    if made.get("replicas") is None:
        made["replicas"] = replicas.default(admit)
    return {**raw, "metadata": machines.with_cluster(raw, spec), "spec": made}


def validate(admit: Admit, gates: Mapping[str, bool]) -> Verdict:
    """Judge the object. Deletion is always allowed."""
    return checks.verdict(admit, _errors(admit, gates))


def _errors(admit: Admit, gates: Mapping[str, bool]) -> Iterator[FieldError]:
    spec = part(admit.object, "spec")
    yield from replicas.errors_of(spec)
    wrong, selects = machines.selector(spec)
    if wrong is not None:
        yield wrong
    if not selects:
        found = part(spec, "template", "metadata", "labels")
        yield errors.invalid("spec.template.metadata.labels", found, machines.must_match(spec))
    yield from checks.same_cluster(admit)
    yield from machines.template(spec, gates)
    yield from machines.machine_naming(spec)
    yield from skipped_preflight_checks(part(admit.object, "metadata", "annotations"))
    yield from checks.own_namespace(admit)


def skipped_preflight_checks(annotations: Mapping[str, object]) -> Iterator[FieldError]:
    """The annotation that skips checks: every name in it must be one."""
    key = Annotation.MACHINE_SET_SKIP_PREFLIGHT_CHECKS
    named = [name.strip() for name in str(annotations.get(key) or "").split(",")]
    if unknown := [name for name in named if name and name not in PREFLIGHT_CHECKS]:
        message = f"{', '.join(unknown)}: no such check; there are {', '.join(PREFLIGHT_CHECKS)}"
        yield errors.invalid(f"metadata.annotations[{key}]", annotations.get(key), message)
