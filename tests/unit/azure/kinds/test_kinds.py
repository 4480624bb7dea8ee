"""What our CRDs of Azure accept is what upstream's accept: names, types, limits, columns, subresources."""

import json
from typing import Any

import pytest

from capipool.machinery.schema import engine
from capipool.providers.azure import kinds
from tests.shared import shared
from tests.unit.api.test_crds import differing, facts, version

KINDS = tuple(crd["spec"]["names"]["plural"] for crd in kinds.crds())
DIFFERENCES = {"machineTemplate.properties": "an object without fields: ours says so, upstream's does not"}
"""End of a path in a CRD -> why ours is not upstream's."""


def ours(plural: str) -> dict[str, Any]:
    return next(c for c in kinds.crds() if c["spec"]["names"]["plural"] == plural)


def theirs(plural: str) -> dict[str, Any]:
    path = shared(f"upstream/crds/{plural}.infrastructure.cluster.x-k8s.io.json")
    loaded: dict[str, Any] = json.loads(path.read_text())
    return loaded


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_accepts_what_upstream_accepts(plural: str) -> None:
    found = differing(facts(version(ours(plural), "v1beta1")), facts(version(theirs(plural), "v1beta1")))
    assert [d for d in found if not d.split(":")[0].endswith(tuple(DIFFERENCES))] == []


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_is_named_as_upstream_names_it(plural: str) -> None:
    mine, upstream = ours(plural), theirs(plural)
    assert mine["metadata"]["name"] == upstream["metadata"]["name"]
    for part in ("group", "scope", "names"):
        assert facts(mine["spec"][part]) == facts(upstream["spec"][part])


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_says_which_contract_it_follows(plural: str) -> None:
    assert ours(plural)["metadata"]["labels"]["cluster.x-k8s.io/v1beta1"] == "v1beta1"


@pytest.mark.parametrize("plural", KINDS)
def test_a_schema_compiles(plural: str) -> None:
    schema = version(ours(plural), "v1beta1")["schema"]["openAPIV3Schema"]
    assert engine.compile(schema).validate({"apiVersion": "x", "kind": "y", "metadata": {"name": "a"}}) is not None
