"""Machine between v1beta1 and v1beta2."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.constants import MachinePhase
from capipool.api.conversion import fields, machines, statuses
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw

_INITIALIZATION = {
    "bootstrapReady": "bootstrapDataSecretCreated",
    "infrastructureReady": "infrastructureProvisioned",
}


def up(body: Mapping[str, Any]) -> Raw:
    """To v1beta2."""
    return fields.parts(body, spec=machines.spec_up, status=_status_up)


def down(body: Mapping[str, Any], context: Context) -> Raw:
    """To v1beta1."""
    return fields.parts(body, spec=lambda spec: machines.spec_down(spec, context), status=_status_down)


def _status_up(status: Raw) -> Raw:
    statuses.up(status, legacy=statuses.FAILURE, initialization=_INITIALIZATION)
    fields.change(status, "nodeRef", lambda ref: {"name": ref["name"]} if ref.get("name") else {})
    fields.drop_empty(status, ("nodeRef", "addresses", "deletion"))
    return status


def _status_down(status: Raw) -> Raw:
    statuses.down(status, legacy=statuses.FAILURE, initialization=_INITIALIZATION)
    fields.change(status, "nodeRef", lambda ref: {"apiVersion": "v1", "kind": "Node", **ref})
    if status.get("phase") == MachinePhase.UPDATING:  # v1beta1 has no word for a machine that is changed in place
        status["phase"] = MachinePhase.RUNNING
    status.pop("failureDomain", None)
    return status
