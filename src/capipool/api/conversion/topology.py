"""The topology of a Cluster between v1beta1 and v1beta2."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from capipool.api.conversion import fields, healthchecks
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw

_OPTIONAL = ("metadata", "readinessGates", "taints", "failureDomains", "variables")


def up(topology: Mapping[str, Any]) -> Raw:
    """To v1beta2. `rolloutAfter`, which never did anything, has no place there."""
    new = {key: value for key, value in topology.items() if key != "rolloutAfter"}
    reference: Raw = {}
    fields.move(new, "class", reference, "name")
    fields.move(new, "classNamespace", reference, "namespace")
    fields.place(new, "classRef", reference)
    fields.change(new, "variables", _variables_up)
    fields.change(new, "controlPlane", _part_up)
    fields.change(new, "workers", lambda workers: _workers(workers, _deployment_up, _part_up))
    fields.drop_empty(new, ("variables", "controlPlane", "workers"))
    return new


def down(topology: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    old = dict(topology)
    reference = fields.part(old, "classRef")
    old.pop("classRef", None)
    fields.move(reference, "name", old, "class")
    fields.move(reference, "namespace", old, "classNamespace")
    fields.change(old, "controlPlane", lambda part: _part_down(part, context)[0])
    fields.change(
        old,
        "workers",
        lambda workers: _workers(
            workers, lambda part: _deployment_down(part, context), lambda part: _part_down(part, context)[0]
        ),
    )
    return old


def _workers(
    workers: Mapping[str, Any],
    deployment: Callable[[Mapping[str, Any]], Raw],
    pool: Callable[[Mapping[str, Any]], Raw],
) -> Raw:
    made = dict(workers)
    fields.change(made, "machineDeployments", lambda parts: [deployment(p) for p in parts])
    fields.change(made, "machinePools", lambda parts: [pool(p) for p in parts])
    fields.drop_empty(made, ("machineDeployments", "machinePools"))
    return made


def _part_up(part: Mapping[str, Any]) -> Raw:
    """What the control plane, a deployment and a pool have in common."""
    new = dict(part)
    fields.timeouts_up(new)
    check = fields.part(new, "machineHealthCheck")
    new.pop("machineHealthCheck", None)
    fields.move(check, "enable", check, "enabled")
    healthchecks.up(check)
    fields.place(new, "healthCheck", check)
    variables = fields.part(new, "variables")
    fields.change(variables, "overrides", _variables_up)
    fields.drop_empty(variables, ("overrides",))
    fields.place(new, "variables", variables)
    fields.drop_empty(new, _OPTIONAL)
    return new


def _part_down(part: Mapping[str, Any], context: Context) -> tuple[Raw, Raw]:
    """The other way. The second of what it returns is what v1beta1 has under `strategy`, for deployments."""
    old = dict(part)
    deletion = fields.timeouts_down(old)
    check = fields.part(old, "healthCheck")
    old.pop("healthCheck", None)
    remediation = healthchecks.down(check, context)
    fields.move(check, "enabled", check, "enable")
    fields.place(old, "machineHealthCheck", check)
    strategy: Raw = {}
    if "maxInFlight" in remediation:
        strategy["remediation"] = remediation
    if "order" in deletion:
        strategy["rollingUpdate"] = {"deletePolicy": deletion["order"]}
    return old, strategy


def _deployment_up(part: Mapping[str, Any]) -> Raw:
    new = dict(part)
    strategy = fields.part(new, "strategy")
    new.pop("strategy", None)
    rolling = fields.part(strategy, "rollingUpdate")
    remediation = fields.part(strategy, "remediation")
    strategy.pop("remediation", None)
    order = rolling.pop("deletePolicy", None)
    fields.place(strategy, "rollingUpdate", rolling)
    new = _part_up(new)
    rollout = fields.part(new, "rollout")
    fields.place(rollout, "strategy", strategy if strategy.get("type") else {})
    fields.place(new, "rollout", rollout)
    if order:
        new["deletion"] = {**fields.part(new, "deletion"), "order": order}
    if remediation.get("maxInFlight") is not None:
        check = fields.part(new, "healthCheck")
        check["remediation"] = {**fields.part(check, "remediation"), **remediation}
        new["healthCheck"] = check
    return new


def _deployment_down(part: Mapping[str, Any], context: Context) -> Raw:
    old, strategy = _part_down(part, context)
    rollout = fields.part(old, "rollout")
    wanted = fields.part(rollout, "strategy")
    rollout.pop("strategy", None)
    fields.place(old, "rollout", rollout)
    rolling = {**fields.part(wanted, "rollingUpdate"), **fields.part(strategy, "rollingUpdate")}
    merged = {**wanted, **strategy}
    fields.place(merged, "rollingUpdate", rolling)
    fields.place(old, "strategy", merged)
    return old


def _variables_up(variables: Iterable[Mapping[str, Any]]) -> list[Raw]:
    return [{key: value for key, value in v.items() if key != "definitionFrom"} for v in variables]
