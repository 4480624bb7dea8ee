"""What our CRDs of EKS accept is what upstream's accept: names, types, limits, columns, subresources."""

import json
from typing import Any

import pytest

from capipool.machinery.schema import engine
from capipool.providers.aws.eks import kinds
from tests.shared import shared
from tests.unit.api.test_crds import differing, facts, version
from tests.unit.aws.test_kinds import DIFFERENCES

KINDS = (
    "awsmanagedcontrolplanes.controlplane",
    "awsmanagedclusters.infrastructure",
    "awsmanagedmachinepools.infrastructure",
    "eksconfigs.bootstrap",
    "nodeadmconfigs.bootstrap",
)


def ours(plural: str) -> dict[str, Any]:
    return next(c for c in kinds.crds() if c["metadata"]["name"] == f"{plural}.cluster.x-k8s.io")


def theirs(plural: str) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(shared(f"upstream/crds/{plural}.cluster.x-k8s.io.json").read_text())
    return loaded


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_accepts_what_upstream_accepts(plural: str) -> None:
    mine, upstream = facts(version(ours(plural), "v1beta2")), facts(version(theirs(plural), "v1beta2"))
    found = differing(mine, upstream)
    assert [d for d in found if not d.split(":")[0].endswith(tuple(DIFFERENCES))] == []


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_is_named_as_upstream_names_it(plural: str) -> None:
    mine, upstream = ours(plural), theirs(plural)
    assert mine["metadata"]["name"] == upstream["metadata"]["name"]
    for part in ("group", "scope", "names"):
        assert facts(mine["spec"][part]) == facts(upstream["spec"][part])


@pytest.mark.parametrize("crd", kinds.crds(), ids=lambda c: c["spec"]["names"]["kind"])
def test_a_schema_compiles(crd: dict[str, Any]) -> None:
    schema = version(crd, "v1beta2")["schema"]["openAPIV3Schema"]
    assert engine.compile(schema).validate({"apiVersion": "x", "kind": "y", "metadata": {"name": "a"}}) is not None


@pytest.mark.parametrize("kind", ["EKSConfig", "NodeadmConfig"])
def test_a_template_takes_what_its_kind_takes(kind: str) -> None:
    by_kind = {c["spec"]["names"]["kind"]: version(c, "v1beta2") for c in kinds.crds()}
    spec = by_kind[kind]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    template = by_kind[f"{kind}Template"]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["template"]
    inner = {k: v for k, v in template["properties"]["spec"].items() if k != "nullable"}
    assert facts(inner) == facts(spec)
