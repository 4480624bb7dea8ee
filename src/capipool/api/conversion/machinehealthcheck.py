"""MachineHealthCheck between v1beta1 and v1beta2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.conversion import fields, healthchecks, statuses
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    new = dict(body)
    if new.get("spec") is not None:
        spec = fields.part(new, "spec")
        healthchecks.up(spec)
        new["spec"] = spec
    status = fields.part(new, "status")
    statuses.up(status)
    fields.drop_empty(status, ("targets",))
    fields.place(new, "status", status)
    return new


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    old = dict(body)
    if old.get("spec") is not None:
        spec = fields.part(old, "spec")
        healthchecks.down(spec, context)
        old["spec"] = spec
    status = fields.part(old, "status")
    statuses.down(status)
    fields.place(old, "status", status)
    return old
