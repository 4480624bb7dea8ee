"""MachinePool between v1beta1 and v1beta2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.conversion import fields, machines, statuses
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw

_LEGACY = (*statuses.FAILURE, "readyReplicas", "availableReplicas", "unavailableReplicas")
_COUNTERS = ("readyReplicas", "availableReplicas", "upToDateReplicas")
_INITIALIZATION = {
    "bootstrapReady": "bootstrapDataSecretCreated",
    "infrastructureReady": "infrastructureProvisioned",
}


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    new = dict(body)
    fields.change(new, "spec", _spec_up)
    new["status"] = _status_up(fields.part(new, "status"))
    return new


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    return fields.parts(body, spec=lambda spec: _spec_down(spec, context), status=_status_down)


def _spec_up(spec: Mapping[str, Any]) -> Raw:
    new = dict(spec)
    min_ready_seconds = new.pop("minReadySeconds", None)
    if "template" in new or min_ready_seconds is not None:
        new["template"] = machines.template_up(fields.part(new, "template"), min_ready_seconds)
    return new


def _spec_down(spec: Mapping[str, Any], context: Context) -> Raw:
    old = dict(spec)
    if "template" in old:
        old["template"], min_ready_seconds = machines.template_down(fields.part(old, "template"), context)
        if min_ready_seconds is not None:
            old["minReadySeconds"] = min_ready_seconds
    return old


def _status_up(status: Raw) -> Raw:
    statuses.up(status, legacy=_LEGACY, counters=_COUNTERS, initialization=_INITIALIZATION, always_deprecated=True)
    fields.drop_zero(status, ("replicas",))
    fields.drop_empty(status, ("versions",))
    return status


def _status_down(status: Raw) -> Raw:
    statuses.down(status, legacy=_LEGACY, counters=_COUNTERS, initialization=_INITIALIZATION)
    return status
