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
    new = dict(body)
    fields.change(new, "spec", _spec_up)
    fields.place(new, "status", _status_up(fields.part(new, "status")))
    return new


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    old = dict(body)
    fields.change(old, "spec", lambda spec: _spec_down(spec, context))
    fields.place(old, "status", _status_down(fields.part(old, "status")))
    return old


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
