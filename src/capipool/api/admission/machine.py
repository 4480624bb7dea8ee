"""Defaults and rules of Machine."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capipool.api.admission import checks, machines
from capipool.api.admission.checks import part
from capipool.api.constants import Label
from capipool.api.core import Machine
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

NODE_DELETION_TIMEOUT_SECONDS = 10


def rules(gates: Mapping[str, bool]) -> Rules:
    """What admission does for machines under these feature gates; a gate that is not named is on."""
    return Rules(resource=Machine.RESOURCE, default=default, validate=lambda admit: validate(admit, gates))


def default(admit: Admit) -> Raw:
    """The label with the cluster's name, the node deletion timeout, and the `v` of the version."""
    raw = dict(admit.object or {})
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return raw
    deletion = {k: v for k, v in part(spec, "deletion").items() if v is not None}
    made = {
        **machines.with_v(spec),
        "deletion": {"nodeDeletionTimeoutSeconds": NODE_DELETION_TIMEOUT_SECONDS} | deletion,
    }
    return {**raw, "metadata": machines.with_cluster(raw, spec), "spec": made}


def validate(admit: Admit, gates: Mapping[str, bool]) -> Verdict:
    """Judge the object. Deletion is always allowed."""
    return checks.verdict(admit, _errors(admit, gates))


def _errors(admit: Admit, gates: Mapping[str, bool]) -> Iterator[FieldError]:
    spec = part(admit.object, "spec")
    if not _is_of_pool(part(admit.object, "metadata")):
        yield from checks.bootstrap_given("spec.bootstrap", part(spec, "bootstrap"))
    yield from checks.same_cluster(admit)
    yield from checks.version("spec.version", spec.get("version"))
    yield from machines.taints("spec.taints", spec.get("taints") or (), gates)
    yield from checks.own_namespace(admit)


def _is_of_pool(metadata: Mapping[str, object]) -> bool:
    """Whether a machine follows an instance of a pool: what it boots with is the pool's."""
    owners = metadata.get("ownerReferences")
    kinds = {part({"owner": o}, "owner").get("kind") for o in owners} if isinstance(owners, list) else set()
    return Label.MACHINE_POOL_NAME in part(metadata, "labels") or "MachinePool" in kinds
