"""What our CRDs of AWS accept is what upstream's accept: names, types, limits, columns, subresources."""

import pytest

from capipool.providers.aws import kinds
from tests import upstream

OURS = {crd["metadata"]["name"]: crd for crd in kinds.crds()}
WITHOUT_ONE = ("eksconfigtemplates.", "nodeadmconfigtemplates.")
"""Kinds whose CRD of upstream's is not at hand: they are compared with the kind that they hold."""
COMPARED = [name for name in OURS if not name.startswith(WITHOUT_ONE)]
DIFFERENCES = {
    "capacityReservationPreference.allOf": "upstream says the same enumeration twice",
    "capacityReservationPreference.enum": "upstream says the same enumeration twice",
}
"""End of a path in a CRD -> why ours is not upstream's."""


@pytest.mark.parametrize("name", COMPARED)
def test_a_kind_accepts_what_upstream_accepts(name: str) -> None:
    assert upstream.refused(OURS[name], "v1beta2", DIFFERENCES) == []


@pytest.mark.parametrize("name", COMPARED)
def test_a_kind_is_named_as_upstream_names_it(name: str) -> None:
    assert upstream.renamed(OURS[name]) == []


@pytest.mark.parametrize("name", OURS)
def test_a_schema_compiles(name: str) -> None:
    assert upstream.validate(OURS[name], "v1beta2") == []


@pytest.mark.parametrize("kind", ["EKSConfig", "NodeadmConfig"])
def test_a_template_takes_what_its_kind_takes(kind: str) -> None:
    by_kind = {c["spec"]["names"]["kind"]: upstream.version(c, "v1beta2") for c in OURS.values()}
    spec = by_kind[kind]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    template = by_kind[f"{kind}Template"]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["template"]
    inner = {k: v for k, v in template["properties"]["spec"].items() if k != "nullable"}
    assert upstream.facts(inner) == upstream.facts(spec)
