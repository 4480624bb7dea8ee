"""MachinePool v1alpha3 -> v1alpha4 -> v1beta1. What follows is `api.conversion`'s.

v1alpha3                                          v1alpha4
spec.strategy                                     no place: no controller ever acted on it
spec.template.metadata.{name,generateName,        no place
    namespace,ownerReferences}
spec.template.spec.bootstrap.data                 a Secret, by `inline_bootstrap`, before the steps

Between v1alpha4 and v1beta1 nothing changed on the way up.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from capipool.api.constants import Label
from capipool.machinery.objects import Raw
from capipool.migrate.conversion.steps import Step, identity

_TEMPLATE_METADATA = ("labels", "annotations")
_SINCE_BETA = ("nodeVolumeDetachTimeout", "nodeDeletionTimeout", "readinessGates", "taints")


def _up(body: Mapping[str, Any]) -> Raw:
    """v1alpha3 to v1alpha4."""
    new = dict(body)
    if isinstance(new.get("spec"), Mapping):
        spec = {key: value for key, value in new["spec"].items() if key != "strategy"}
        if isinstance(spec.get("template"), Mapping):
            spec["template"] = _template(spec["template"])
        new["spec"] = spec
    return new


def _template(template: Mapping[str, Any]) -> Raw:
    metadata = template.get("metadata")
    if not isinstance(metadata, Mapping):
        return dict(template)
    kept = {key: metadata[key] for key in _TEMPLATE_METADATA if key in metadata}
    rest = {key: value for key, value in template.items() if key != "metadata"}
    return {"metadata": kept, **rest} if kept or not metadata else rest


def _from_beta(body: Mapping[str, Any]) -> Raw:
    """v1beta1 to v1alpha4, which has none of the fields that came later."""
    old = dict(body)
    machine = ((old.get("spec") or {}).get("template") or {}).get("spec")
    if isinstance(machine, Mapping):
        kept = {key: value for key, value in machine.items() if key not in _SINCE_BETA}
        old["spec"] = {**old["spec"], "template": {**old["spec"]["template"], "spec": kept}}
    if isinstance(old.get("status"), Mapping):
        old["status"] = {key: value for key, value in old["status"].items() if key != "v1beta2"}
    return old


STEPS = (Step("v1alpha3", "v1alpha4", _up, identity), Step("v1alpha4", "v1beta1", identity, _from_beta))


def local_references(raw: Raw) -> Raw:
    """A v1alpha3 pool whose references say their namespace: left out, it was the pool's own."""
    spec = raw.get("spec") or {}
    machine = (spec.get("template") or {}).get("spec")
    if not isinstance(machine, Mapping):
        return raw
    namespace = (raw.get("metadata") or {}).get("namespace", "")
    machine = dict(machine)
    if isinstance(machine.get("infrastructureRef"), Mapping):
        machine["infrastructureRef"] = {"namespace": namespace, **machine["infrastructureRef"]}
    bootstrap = machine.get("bootstrap")
    if isinstance(bootstrap, Mapping) and isinstance(bootstrap.get("configRef"), Mapping):
        machine["bootstrap"] = {**bootstrap, "configRef": {"namespace": namespace, **bootstrap["configRef"]}}
    return {**raw, "spec": {**spec, "template": {**spec["template"], "spec": machine}}}


def inline_bootstrap(raw: Raw) -> tuple[Raw, Raw | None]:
    """A v1alpha3 pool whose bootstrap data is in a Secret, and that Secret where the data was inline.

    The Secret has no owner yet. Data that is base64, as v1alpha2 wanted it, is taken as that.
    """
    spec = raw.get("spec") or {}
    machine = (spec.get("template") or {}).get("spec") or {}
    bootstrap = machine.get("bootstrap") or {}
    data = bootstrap.get("data")
    if not isinstance(data, str):
        return raw, None
    kept = {key: value for key, value in bootstrap.items() if key != "data"}
    if kept.get("dataSecretName"):
        return _with_bootstrap(raw, kept), None
    metadata = raw.get("metadata") or {}
    name = f"{metadata.get('name', '')}-bootstrap-data"
    secret: Raw = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {
            "name": name,
            "namespace": metadata.get("namespace", ""),
            "labels": {Label.CLUSTER_NAME: spec.get("clusterName", "")},
        },
        "type": "cluster.x-k8s.io/secret",
        "data": {"value": _base64(data)},
    }
    return _with_bootstrap(raw, {**kept, "dataSecretName": name}), secret


def _with_bootstrap(raw: Raw, bootstrap: Raw) -> Raw:
    spec = raw["spec"]
    template = spec["template"]
    return {**raw, "spec": {**spec, "template": {**template, "spec": {**template["spec"], "bootstrap": bootstrap}}}}


def _base64(data: str) -> str:
    try:
        base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError):
        return base64.b64encode(data.encode()).decode()
    return data
