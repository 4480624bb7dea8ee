"""The kinds accept what upstream's accept, field by field and limit by limit."""

from __future__ import annotations

import json
from typing import Any

import pytest

from capipool.providers.kubeadm import kinds
from tests.shared import shared

KINDS = ("kubeadmconfigs", "kubeadmconfigtemplates")
_PROSE = ("description", "message")


def facts(node: Any, *, names: bool = False) -> Any:
    """A schema without prose, and without order where order says nothing. `names`: keys are names of properties."""
    if isinstance(node, dict):
        kept = {k: v for k, v in node.items() if names or not (k in _PROSE and isinstance(v, str))}
        return {k: facts(v, names=k == "properties" and not names) for k, v in kept.items()}
    if isinstance(node, list):
        plain = [facts(v) for v in node]
        return sorted(plain) if all(isinstance(v, str) for v in plain) else plain
    return node


def versions(crd: dict[str, Any]) -> dict[str, Any]:
    return {version["name"]: version for version in crd["spec"]["versions"]}


@pytest.mark.parametrize("plural", KINDS)
@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_schema_and_columns_are_upstreams(plural: str, version: str) -> None:
    upstream = json.loads(shared(f"upstream/crds/{plural}.bootstrap.cluster.x-k8s.io.json").read_text())
    ours = next(c for c in kinds.crds() if c["spec"]["names"]["plural"] == plural)
    found, wanted = versions(ours)[version], versions(upstream)[version]
    assert facts(found["schema"]["openAPIV3Schema"]) == facts(wanted["schema"]["openAPIV3Schema"])
    assert found["additionalPrinterColumns"] == wanted["additionalPrinterColumns"]
    for flag in ("served", "storage", "deprecated"):
        assert found.get(flag, False) == wanted.get(flag, False)
    assert (found.get("subresources") or {}) == (wanted.get("subresources") or {})
    assert ours["spec"]["names"] == {**upstream["spec"]["names"]}
