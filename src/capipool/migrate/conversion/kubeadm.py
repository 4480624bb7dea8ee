"""KubeadmConfig and KubeadmConfigTemplate v1alpha3 -> v1alpha4 -> v1beta1. What follows is the provider's own.

v1alpha3                                      v1alpha4
spec.clusterConfiguration.useHyperKubeImage   no place
spec.clusterConfiguration.dns.type            no place: kube-dns is gone
status.bootstrapData                          not kept at all: it is the data, with its token, that the Secret has
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from capipool.machinery.objects import Raw
from capipool.migrate.conversion.steps import Step, identity


def _up(body: Mapping[str, Any]) -> Raw:
    new = dict(body)
    if isinstance(new.get("spec"), Mapping):
        new["spec"] = _spec_up(new["spec"])
    return new


def _template_up(body: Mapping[str, Any]) -> Raw:
    new = dict(body)
    template = (new.get("spec") or {}).get("template")
    if isinstance(template, Mapping) and isinstance(template.get("spec"), Mapping):
        new["spec"] = {**new["spec"], "template": {**template, "spec": _spec_up(template["spec"])}}
    return new


def _spec_up(spec: Mapping[str, Any]) -> Raw:
    cluster = spec.get("clusterConfiguration")
    if not isinstance(cluster, Mapping):
        return dict(spec)
    cluster = {key: value for key, value in cluster.items() if key != "useHyperKubeImage"}
    if isinstance(cluster.get("dns"), Mapping):
        cluster["dns"] = {key: value for key, value in cluster["dns"].items() if key != "type"}
    return {**spec, "clusterConfiguration": cluster}


def without_bootstrap_data(raw: Raw) -> tuple[Raw, bool]:
    """A config without the bootstrap data in its status, and whether there was any."""
    status = raw.get("status")
    if not isinstance(status, Mapping) or "bootstrapData" not in status:
        return raw, False
    return {**raw, "status": {key: value for key, value in status.items() if key != "bootstrapData"}}, True


_SAME = Step("v1alpha4", "v1beta1", identity, identity)
STEPS = (Step("v1alpha3", "v1alpha4", _up, identity), _SAME)
TEMPLATE_STEPS = (Step("v1alpha3", "v1alpha4", _template_up, identity), _SAME)
