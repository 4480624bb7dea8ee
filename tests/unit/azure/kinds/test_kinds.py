"""What our CRDs of Azure accept is what upstream's accept: names, types, limits, columns, subresources."""

import pytest

from capipool.providers.azure import kinds
from tests import upstream

OURS = {crd["metadata"]["name"]: crd for crd in kinds.crds()}
DIFFERENCES = {"machineTemplate.properties": "an object without fields: ours says so, upstream's does not"}
"""End of a path in a CRD -> why ours is not upstream's."""


@pytest.mark.parametrize("name", OURS)
def test_a_kind_accepts_what_upstream_accepts(name: str) -> None:
    assert upstream.refused(OURS[name], "v1beta1", DIFFERENCES) == []


@pytest.mark.parametrize("name", OURS)
def test_a_kind_is_named_as_upstream_names_it(name: str) -> None:
    assert upstream.renamed(OURS[name]) == []


@pytest.mark.parametrize("name", OURS)
def test_a_kind_says_which_contract_it_follows(name: str) -> None:
    assert OURS[name]["metadata"]["labels"]["cluster.x-k8s.io/v1beta1"] == "v1beta1"


@pytest.mark.parametrize("name", OURS)
def test_a_schema_compiles(name: str) -> None:
    assert upstream.validate(OURS[name], "v1beta1") == []
