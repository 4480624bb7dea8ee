"""MachineSet between v1beta1 and v1beta2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.conversion import fields, machines, statuses
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw

_LEGACY = (*statuses.FAILURE, "readyReplicas", "availableReplicas", "fullyLabeledReplicas")
_COUNTERS = ("readyReplicas", "availableReplicas", "upToDateReplicas")


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    return fields.parts(body, spec=_spec_up, status=_status_up)


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    return fields.parts(body, spec=lambda spec: _spec_down(spec, context), status=_status_down)


def _spec_up(spec: Mapping[str, Any]) -> Raw:
    new = machines.replicas_up(spec)
    deletion: Raw = {}
    fields.move(new, "deletePolicy", deletion, "order")
    fields.drop_empty(deletion, ("order",))
    fields.place(new, "deletion", deletion)
    return new


def _spec_down(spec: Mapping[str, Any], context: Context) -> Raw:
    old = machines.replicas_down(spec, context)
    deletion = fields.part(old, "deletion")
    old.pop("deletion", None)
    fields.move(deletion, "order", old, "deletePolicy")
    return old


def _status_up(status: Raw) -> Raw:
    statuses.up(status, legacy=_LEGACY, counters=_COUNTERS)
    fields.drop_zero(status, ("replicas",))
    fields.drop_empty(status, ("versions", "selector"))
    return status


def _status_down(status: Raw) -> Raw:
    statuses.down(status, legacy=_LEGACY, counters=_COUNTERS)
    return status
