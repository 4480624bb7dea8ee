"""Defaults and rules of MachinePool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capipool.api.admission import checks, replicas
from capipool.api.admission.checks import part
from capipool.api.constants import Label
from capipool.api.core import MachinePool
from capipool.machinery import errors
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

GATE, TAINTS_GATE = "MachinePool", "MachineTaintPropagation"
NODE_DELETION_TIMEOUT_SECONDS = 10

_MACHINE = "spec.template.spec"
_UNUSED = {
    f"{_MACHINE}.failureDomain": "use spec.failureDomains",
    f"{_MACHINE}.providerID": "the provider sets spec.providerIDList",
    f"{_MACHINE}.readinessGates": "replicas are ready when their Nodes are, or their Machines if there are any",
    f"{_MACHINE}.deletion.nodeVolumeDetachTimeoutSeconds": "only a pool's Machines wait for volumes",
}


def rules(gates: Mapping[str, bool]) -> Rules:
    """What admission does for pools under these feature gates; a gate that is not named is on."""
    return Rules(
        resource=MachinePool.RESOURCE,
        default=default,
        validate=lambda admit: validate(admit, gates),
    )


def default(admit: Admit) -> Raw:
    """The label with the cluster's name, replicas, the node deletion timeout, and the `v` of the version."""
    raw = dict(admit.object or {})
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return raw
    raw["metadata"] = _labelled(raw, spec.get("clusterName", ""))
    raw["spec"] = {**spec}
    if spec.get("replicas") is None:
        raw["spec"]["replicas"] = replicas.default(admit)
    template = part(spec, "template")
    raw["spec"]["template"] = {**template, "spec": _machine(part(template, "spec"))}
    return raw


def _labelled(raw: Raw, cluster: object) -> Raw:
    metadata = part(raw, "metadata")
    return {**metadata, "labels": {**part(metadata, "labels"), Label.CLUSTER_NAME: cluster}}


def _machine(spec: Mapping[str, object]) -> Raw:
    deletion = {"nodeDeletionTimeoutSeconds": NODE_DELETION_TIMEOUT_SECONDS} | {
        key: value for key, value in part(spec, "deletion").items() if value is not None
    }
    made = {**spec, "deletion": deletion}
    if "version" in spec:
        made["version"] = checks.with_v(spec["version"])
    return made


def validate(admit: Admit, gates: Mapping[str, bool]) -> Verdict:
    """Refuse new pools while the gate is off; else judge the object. Deletion is always allowed."""
    if admit.operation == "DELETE" or checks.is_going(admit):
        return ALLOWED
    if not gates.get(GATE, True) and admit.operation == "CREATE":
        way_out = f"start capipool with --feature-gates {GATE}=true to have new pools"
        return Verdict(refusal=str(errors.forbidden("spec", f"the feature gate {GATE} is off: {way_out}")))
    return Verdict(errors=tuple(_errors(admit, gates)), warnings=checks.unused(admit.object, _UNUSED))


def _errors(admit: Admit, gates: Mapping[str, bool]) -> Iterator[FieldError]:
    spec = part(admit.object, "spec")
    template = part(spec, "template")
    machine = part(template, "spec")
    cluster = spec.get("clusterName")
    yield from replicas.errors_of(spec)
    yield from checks.bootstrap_given(f"{_MACHINE}.bootstrap", part(machine, "bootstrap"))
    yield from checks.same_cluster(admit)
    if cluster != machine.get("clusterName"):
        yield errors.invalid("spec.clusterName", cluster, f"must be the same as {_MACHINE}.clusterName")
    yield from checks.version(f"{_MACHINE}.version", machine.get("version"))
    if machine.get("taints") and not gates.get(TAINTS_GATE, True):
        yield errors.forbidden(f"{_MACHINE}.taints", f"the feature gate {TAINTS_GATE} is off")
    yield from checks.template_metadata("spec.template.metadata", part(template, "metadata"))
    yield from checks.own_namespace(admit)
