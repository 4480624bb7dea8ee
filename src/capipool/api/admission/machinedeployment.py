"""Defaults and rules of MachineDeployment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from capipool.api.admission import checks, machines, machineset, replicas
from capipool.api.admission.checks import part
from capipool.api.constants import Label, RolloutStrategyType
from capipool.api.core import MachineDeployment
from capipool.machinery import errors, names
from capipool.machinery.admission import Admit, Rules, Verdict
from capipool.machinery.errors import FieldError
from capipool.machinery.objects import Raw

MAX_SURGE, MAX_UNAVAILABLE = 1, 0

_ROLLING = "spec.rollout.strategy.rollingUpdate"


def rules(gates: Mapping[str, bool]) -> Rules:
    """What admission does for deployments under these feature gates; a gate that is not named is on."""
    return Rules(resource=MachineDeployment.RESOURCE, default=default, validate=lambda admit: validate(admit, gates))


def default(admit: Admit) -> Raw:
    """The cluster's label, replicas, the strategy, a selector by name and cluster, and the `v` of the version."""
    raw = dict(admit.object or {})
    spec = raw.get("spec")
    if not isinstance(spec, dict):
        return raw
    name = str(part(raw, "metadata").get("name", ""))
    own = {} if machines.has_selector(spec) else {Label.MACHINE_DEPLOYMENT_NAME: name}
    made = machines.selected(spec, own | {Label.CLUSTER_NAME: spec.get("clusterName", "")})
    made = machines.with_template_version(made)
    made["rollout"] = _rollout(part(spec, "rollout"))
    if made.get("replicas") is None:
        made["replicas"] = replicas.default(admit)
    return {**raw, "metadata": machines.with_cluster(raw, spec), "spec": made}


def _rollout(rollout: Mapping[str, object]) -> Raw:
    strategy = {"type": RolloutStrategyType.ROLLING_UPDATE, **part(rollout, "strategy")}
    if strategy["type"] == RolloutStrategyType.ROLLING_UPDATE:
        given = {k: v for k, v in part(strategy, "rollingUpdate").items() if v is not None}
        strategy["rollingUpdate"] = {"maxSurge": MAX_SURGE, "maxUnavailable": MAX_UNAVAILABLE} | given
    return {**rollout, "strategy": strategy}


def validate(admit: Admit, gates: Mapping[str, bool]) -> Verdict:
    """Judge the object. Deletion is always allowed."""
    return checks.verdict(admit, _errors(admit, gates))


def _errors(admit: Admit, gates: Mapping[str, bool]) -> Iterator[FieldError]:
    name = str(part(admit.object, "metadata").get("name", ""))
    if not names.is_label_value(name):
        message = "a MachineDeployment's name becomes a label value: letters, digits, '-', '_' and '.', at most 63"
        yield errors.invalid("metadata.name", name, message)
    spec = part(admit.object, "spec")
    yield from replicas.errors_of(spec)
    wrong, selects = machines.selector(spec)
    if wrong is not None:
        yield wrong
    if not selects:
        yield errors.forbidden("spec.template.metadata.labels", machines.must_match(spec))
    yield from checks.same_cluster(admit)
    yield from _strategy(part(spec, "rollout", "strategy"))
    yield from machines.int_or_percent("spec.remediation.maxInFlight", part(spec, "remediation").get("maxInFlight"))
    yield from machines.template(spec, gates)
    yield from machines.machine_naming(spec)
    yield from machineset.skipped_preflight_checks(part(admit.object, "metadata", "annotations"))
    yield from checks.own_namespace(admit)


def _strategy(strategy: Mapping[str, object]) -> Iterator[FieldError]:
    rolling = part(strategy, "rollingUpdate")
    surge, unavailable = rolling.get("maxSurge"), rolling.get("maxUnavailable")
    yield from machines.int_or_percent(f"{_ROLLING}.maxSurge", surge)
    yield from machines.int_or_percent(f"{_ROLLING}.maxUnavailable", unavailable)
    if surge == 0 and unavailable == 0:
        yield errors.invalid(f"{_ROLLING}.maxUnavailable", unavailable, "may not be 0 when maxSurge is 0")
