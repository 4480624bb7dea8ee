"""Defaults and rules of MachineHealthCheck."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from capipool.api.admission import checks, machines
from capipool.api.admission.checks import part
from capipool.api.constants import Label
from capipool.api.core import MachineHealthCheck
from capipool.machinery import errors, selectors
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import BadRequest, FieldError
from capipool.machinery.objects import Raw

NODE_STARTUP_TIMEOUT_SECONDS = 600
MIN_NODE_STARTUP_TIMEOUT_SECONDS = 30
"""Shorter than this no machine starts, and all of them would be replaced for ever. 0 switches the check off."""
MAX_UNHEALTHY = "100%"

_TRIGGER = "spec.remediation.triggerIf"
_RANGE = re.compile(r"\[([0-9]+)-([0-9]+)\]")


def rules() -> Rules:
    """What admission does for health checks."""
    return Rules(resource=MachineHealthCheck.RESOURCE, default=default, validate=validate)


def default(admit: Admit) -> Raw:
    """The label with the cluster's name, the startup timeout, and how many machines may be unhealthy."""
    raw = dict(admit.object or {})
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return raw
    made = {**spec}
    given = {k: v for k, v in part(spec, "checks").items() if v is not None}
    made["checks"] = {"nodeStartupTimeoutSeconds": NODE_STARTUP_TIMEOUT_SECONDS} | given
    remediation = part(spec, "remediation")
    trigger = {k: v for k, v in part(remediation, "triggerIf").items() if v is not None}
    made["remediation"] = {**remediation, "triggerIf": {"unhealthyLessThanOrEqualTo": MAX_UNHEALTHY} | trigger}
    return {**raw, "metadata": machines.with_cluster(raw, spec), "spec": made}


def validate(admit: Admit) -> Verdict:
    """Judge the object. Deletion is always allowed."""
    return checks.verdict(admit, _errors(admit))


def _errors(admit: Admit) -> Iterator[FieldError]:
    spec = part(admit.object, "spec")
    cluster = spec.get("clusterName")
    yield from _selector(part(spec, "selector"), cluster)
    yield from checks.same_cluster(admit)
    timeout = part(spec, "checks").get("nodeStartupTimeoutSeconds")
    if isinstance(timeout, int) and 0 < timeout < MIN_NODE_STARTUP_TIMEOUT_SECONDS:
        message = f"must be at least {MIN_NODE_STARTUP_TIMEOUT_SECONDS}, or 0 for no timeout"
        yield errors.invalid("spec.checks.nodeStartupTimeoutSeconds", timeout, message)
    yield from _trigger(part(spec, "remediation", "triggerIf"))
    yield from checks.own_namespace(admit)


def _selector(wanted: Mapping[str, object], cluster: object) -> Iterator[FieldError]:
    if not wanted.get("matchLabels") and not wanted.get("matchExpressions"):
        yield errors.required("spec.selector", "an empty selector would select every machine of the cluster")
        return
    named = part(wanted, "matchLabels").get(Label.CLUSTER_NAME, cluster)
    if named != cluster:
        yield errors.invalid("spec.selector", wanted, f"asks for machines of cluster {named}, not of {cluster}")
    try:
        selectors.from_object(wanted)
    except BadRequest as error:
        yield errors.invalid("spec.selector", wanted, error.message)


def _trigger(trigger: Mapping[str, object]) -> Iterator[FieldError]:
    most = trigger.get("unhealthyLessThanOrEqualTo")
    yield from machines.int_or_percent(f"{_TRIGGER}.unhealthyLessThanOrEqualTo", most)
    within = str(trigger.get("unhealthyInRange") or "")
    found = _RANGE.fullmatch(within)
    if found is not None and int(found[1]) > int(found[2]):
        yield errors.invalid(f"{_TRIGGER}.unhealthyInRange", within, "must begin with the smaller number")
