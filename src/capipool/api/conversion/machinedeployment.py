"""MachineDeployment between v1beta1 and v1beta2.

`progressDeadlineSeconds` and `revisionHistoryLimit`, which never did anything, have no place in v1beta2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.conversion import fields, machines, statuses
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw

_LEGACY = ("readyReplicas", "availableReplicas", "unavailableReplicas", "updatedReplicas")
_COUNTERS = ("readyReplicas", "availableReplicas", "upToDateReplicas")
_WITHOUT_EFFECT = ("progressDeadlineSeconds", "revisionHistoryLimit")


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    return fields.parts(body, spec=_spec_up, status=_status_up)


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    return fields.parts(body, spec=lambda spec: _spec_down(spec, context), status=_status_down)


def _spec_up(spec: Mapping[str, Any]) -> Raw:
    new = {key: value for key, value in machines.replicas_up(spec).items() if key not in _WITHOUT_EFFECT}
    strategy = fields.part(new, "strategy")
    new.pop("strategy", None)
    rolling, remediation = fields.part(strategy, "rollingUpdate"), fields.part(strategy, "remediation")
    strategy.pop("remediation", None)
    deletion: Raw = {}
    fields.move(rolling, "deletePolicy", deletion, "order")
    fields.drop_empty(deletion, ("order",))
    fields.place(strategy, "rollingUpdate", rolling)
    rollout: Raw = {}
    fields.move(new, "rolloutAfter", rollout, "after")
    # A strategy says its type in v1beta2; one without it is as good as none, and rides along in an annotation.
    fields.place(rollout, "strategy", strategy if strategy.get("type") else {})
    fields.place(new, "rollout", rollout)
    fields.place(new, "deletion", deletion)
    fields.place(new, "remediation", remediation)
    return new


def _spec_down(spec: Mapping[str, Any], context: Context) -> Raw:
    old = machines.replicas_down(spec, context)
    rollout, deletion = fields.part(old, "rollout"), fields.part(old, "deletion")
    remediation = fields.part(old, "remediation")
    for name in ("rollout", "deletion", "remediation"):
        old.pop(name, None)
    fields.move(rollout, "after", old, "rolloutAfter")
    strategy = fields.part(rollout, "strategy")
    rolling = fields.part(strategy, "rollingUpdate")
    fields.move(deletion, "order", rolling, "deletePolicy")
    fields.place(strategy, "rollingUpdate", rolling)
    fields.place(strategy, "remediation", remediation)
    fields.place(old, "strategy", strategy)
    return old


def _status_up(status: Raw) -> Raw:
    statuses.up(status, legacy=_LEGACY, counters=_COUNTERS)
    fields.drop_zero(status, ("replicas",))
    fields.drop_empty(status, ("versions", "selector", "phase"))
    return status


def _status_down(status: Raw) -> Raw:
    statuses.down(status, legacy=_LEGACY, counters=_COUNTERS)
    return status
