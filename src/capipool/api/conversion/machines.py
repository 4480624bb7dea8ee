"""The specification of one machine, alone and as the template of pools, sets and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.api.conversion import fields, references
from capipool.api.conversion.lossless import Context
from capipool.machinery.objects import Raw


def spec_up(spec: Mapping[str, Any]) -> Raw:
    """A machine's spec to v1beta2."""
    new = dict(spec)
    fields.change(new, "infrastructureRef", references.up)
    fields.change(new, "bootstrap", _bootstrap_up)
    fields.timeouts_up(new)
    fields.drop_empty(new, ("readinessGates", "taints"))
    return new


def spec_down(spec: Mapping[str, Any], context: Context) -> Raw:
    """A machine's spec to v1beta1, which has no `minReadySeconds` there: take it out before."""
    old = {key: value for key, value in spec.items() if key != "minReadySeconds"}
    fields.change(old, "infrastructureRef", lambda ref: references.down(ref, context))
    fields.change(old, "bootstrap", lambda bootstrap: _bootstrap_down(bootstrap, context))
    fields.timeouts_down(old)
    return old


def template_up(template: Mapping[str, Any], min_ready_seconds: int | None) -> Raw:
    """A template to v1beta2, where the seconds that its owner had in v1beta1 belong to the machine."""
    new = dict(template)
    fields.drop_empty(new, ("metadata",))
    if "spec" in new or min_ready_seconds is not None:
        spec = spec_up(fields.part(new, "spec"))
        if min_ready_seconds is not None:
            spec["minReadySeconds"] = min_ready_seconds
        new["spec"] = spec
    return new


def template_down(template: Mapping[str, Any], context: Context) -> tuple[Raw, int | None]:
    """A template to v1beta1, and the seconds that its owner has there."""
    old = dict(template)
    spec = fields.part(old, "spec")
    fields.change(old, "spec", lambda spec: spec_down(spec, context))
    return old, spec.get("minReadySeconds")


def _bootstrap_up(bootstrap: Mapping[str, Any]) -> Raw:
    new = dict(bootstrap)
    fields.drop_empty(new, ("configRef",))
    fields.change(new, "configRef", references.up)
    return new


def _bootstrap_down(bootstrap: Mapping[str, Any], context: Context) -> Raw:
    old = dict(bootstrap)
    fields.change(old, "configRef", lambda ref: references.down(ref, context))
    return old


def replicas_up(spec: Mapping[str, Any]) -> Raw:
    """What sets and deployments have in common: the template with its seconds, and how machines are named."""
    new = dict(spec)
    min_ready_seconds = new.pop("minReadySeconds", None)
    if "template" in new or min_ready_seconds is not None:
        new["template"] = template_up(fields.part(new, "template"), min_ready_seconds)
    fields.move(new, "machineNamingStrategy", new, "machineNaming")
    fields.drop_empty(new, ("machineNaming",))
    return new


def replicas_down(spec: Mapping[str, Any], context: Context) -> Raw:
    """The other way."""
    old = dict(spec)
    if "template" in old:
        old["template"], min_ready_seconds = template_down(fields.part(old, "template"), context)
        if min_ready_seconds is not None:
            old["minReadySeconds"] = min_ready_seconds
    fields.move(old, "machineNaming", old, "machineNamingStrategy")
    return old
