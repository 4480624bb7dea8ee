"""Defaults and rules of Cluster."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator

from capipool.api.admission import checks
from capipool.api.admission.checks import part
from capipool.api.core import Cluster
from capipool.machinery import errors, names
from capipool.machinery.admission import ALLOWED, Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

_SOURCES = ("controlPlaneRef", "infrastructureRef", "topology")
"""Where a cluster comes from. Upstream wants one of them; here a cluster without any is one that somebody brings."""
_UNUSED = {
    "spec.topology": "write the objects that the ClusterClass would make, and refer to them",
    "spec.availabilityGates": "Available follows the cluster's own conditions alone",
}


def rules() -> Rules:
    """What admission does for clusters."""
    return Rules(resource=Cluster.RESOURCE, default=default, validate=validate)


def default(admit: Admit) -> Raw:
    """The `v` of the topology's version."""
    raw = dict(admit.object or {})
    topology = part(raw, "spec", "topology")
    if "version" in topology:
        raw["spec"] = {**raw["spec"], "topology": {**topology, "version": checks.with_v(topology["version"])}}
    return raw


def validate(admit: Admit) -> Verdict:
    """Judge the object. Deletion is always allowed."""
    if admit.operation == "DELETE" or checks.is_going(admit):
        return ALLOWED
    return Verdict(errors=tuple(_errors(admit)), warnings=checks.unused(admit.object, _UNUSED))


def _errors(admit: Admit) -> Iterator[FieldError]:
    name = str(part(admit.object, "metadata").get("name", ""))
    if not names.is_label_value(name):
        yield errors.invalid("metadata.name", name, "a Cluster's name becomes a label value: at most 63 characters")
    spec, before = part(admit.object, "spec"), part(admit.old, "spec")
    for source in _SOURCES:
        if before.get(source) and not spec.get(source):
            yield errors.forbidden(f"spec.{source}", "cannot be removed")
    for kind in ("pods", "services"):
        yield from _ranges(
            f"spec.clusterNetwork.{kind}.cidrBlocks", part(spec, "clusterNetwork", kind).get("cidrBlocks") or ()
        )
    yield from checks.version("spec.topology.version", part(spec, "topology").get("version"))
    yield from checks.own_namespace(admit)


def _ranges(path: str, blocks: Iterable[str]) -> Iterator[FieldError]:
    for index, block in enumerate(blocks):
        try:
            if "/" not in block:
                raise ValueError(block)
            ipaddress.ip_network(block, strict=False)
        except ValueError:
            yield errors.invalid(f"{path}[{index}]", block, "must be an address range such as 10.0.0.0/16")
