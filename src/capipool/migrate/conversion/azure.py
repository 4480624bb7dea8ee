"""AzureMachinePool and AzureManagedControlPlane v1alpha3 -> v1alpha4 -> v1beta1.

v1alpha3                            v1alpha4
spec.maxSurge, spec.maxUnavailable  spec.strategy.rollingUpdate
spec.template.image.defaulted       no place: the controller remembers it in its status
status.longRunningOperationState    status.longRunningOperationStates, a list; its `futureData` is `data`
spec.defaultPoolRef                 no place (AzureManagedControlPlane)

Source: Azure provider 0.4 and 0.5. Other kinds of the group changed the group only.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.migrate.conversion.steps import Step, identity

_BUDGETS = ("maxSurge", "maxUnavailable")


def _pool_up(body: Mapping[str, Any]) -> Raw:
    new = dict(body)
    if isinstance(new.get("spec"), Mapping):
        new["spec"] = _spec_up(new["spec"])
    if isinstance(new.get("status"), Mapping):
        new["status"] = _status_up(new["status"])
    return new


def _spec_up(spec: Mapping[str, Any]) -> Raw:
    new = {key: value for key, value in spec.items() if key not in _BUDGETS}
    budgets = {key: spec[key] for key in _BUDGETS if spec.get(key) is not None}
    if budgets:
        new["strategy"] = {"type": "RollingUpdate", "rollingUpdate": budgets}
    template = spec.get("template")
    if isinstance(template, Mapping) and isinstance(template.get("image"), Mapping):
        image = {key: value for key, value in template["image"].items() if key != "defaulted"}
        kept = {key: value for key, value in template.items() if key != "image"}
        new["template"] = {**kept, "image": image} if image else kept
    return new


def _status_up(status: Mapping[str, Any]) -> Raw:
    new = {key: value for key, value in status.items() if key != "longRunningOperationState"}
    future = status.get("longRunningOperationState")
    if isinstance(future, Mapping):
        rest = {key: value for key, value in future.items() if key != "futureData"}
        new["longRunningOperationStates"] = [{"serviceName": "", **rest, "data": future.get("futureData", "")}]
    return new


def _pool_down(body: Mapping[str, Any]) -> Raw:
    old = dict(body)
    if isinstance(old.get("spec"), Mapping):
        rolling = (old["spec"].get("strategy") or {}).get("rollingUpdate") or {}
        kept = {key: value for key, value in old["spec"].items() if key != "strategy"}
        old["spec"] = {**kept, **{key: rolling[key] for key in _BUDGETS if key in rolling}}
    if isinstance(old.get("status"), Mapping):
        old["status"] = _status_down(old["status"])
    return old


def _status_down(status: Mapping[str, Any]) -> Raw:
    old = {key: value for key, value in status.items() if key != "longRunningOperationStates"}
    futures = status.get("longRunningOperationStates") or []
    if futures:
        rest = {key: value for key, value in futures[0].items() if key not in ("data", "serviceName")}
        old["longRunningOperationState"] = {**rest, "futureData": futures[0].get("data", "")}
    return old


def _control_plane_up(body: Mapping[str, Any]) -> Raw:
    new = dict(body)
    if isinstance(new.get("spec"), Mapping):
        new["spec"] = {key: value for key, value in new["spec"].items() if key != "defaultPoolRef"}
    return new


_SAME = Step("v1alpha4", "v1beta1", identity, identity)
POOL_STEPS = (Step("v1alpha3", "v1alpha4", _pool_up, _pool_down), _SAME)
CONTROL_PLANE_STEPS = (Step("v1alpha3", "v1alpha4", _control_plane_up, identity), _SAME)
