"""The kinds accept what upstream's accept, field by field and limit by limit."""

from __future__ import annotations

from typing import Any

import pytest

from capipool.providers.kubeadm import kinds
from tests.upstream import facts, theirs

KINDS = ("kubeadmconfigs", "kubeadmconfigtemplates")


def versions(crd: dict[str, Any]) -> dict[str, Any]:
    return {version["name"]: version for version in crd["spec"]["versions"]}


@pytest.mark.parametrize("plural", KINDS)
@pytest.mark.parametrize("version", ["v1beta1", "v1beta2"])
def test_schema_and_columns_are_upstreams(plural: str, version: str) -> None:
    upstream = theirs(f"{plural}.bootstrap.cluster.x-k8s.io")
    ours = next(c for c in kinds.crds() if c["spec"]["names"]["plural"] == plural)
    found, wanted = versions(ours)[version], versions(upstream)[version]
    assert facts(found["schema"]["openAPIV3Schema"]) == facts(wanted["schema"]["openAPIV3Schema"])
    assert found["additionalPrinterColumns"] == wanted["additionalPrinterColumns"]
    for flag in ("served", "storage", "deprecated"):
        assert found.get(flag, False) == wanted.get(flag, False)
    assert (found.get("subresources") or {}) == (wanted.get("subresources") or {})
    assert ours["spec"]["names"] == {**upstream["spec"]["names"]}
