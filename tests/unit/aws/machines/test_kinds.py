"""What our CRDs of machines and identities accept is what upstream's accept: names, types, limits, columns."""

from typing import Any

import pytest

from capipool.machinery.schema import engine
from capipool.providers.aws.identities import kinds as identities
from capipool.providers.aws.machines import kinds as machines
from tests.unit.api.test_crds import differing, facts, version
from tests.unit.aws.test_kinds import DIFFERENCES, theirs

KINDS = (
    "awsmachines",
    "awsmachinetemplates",
    "awsclustercontrolleridentities",
    "awsclusterroleidentities",
    "awsclusterstaticidentities",
)


def ours(plural: str) -> dict[str, Any]:
    made = [*machines.crds(), *identities.crds()]
    return next(c for c in made if c["spec"]["names"]["plural"] == plural)


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


@pytest.mark.parametrize("plural", KINDS)
def test_a_schema_compiles(plural: str) -> None:
    schema = version(ours(plural), "v1beta2")["schema"]["openAPIV3Schema"]
    assert engine.compile(schema).validate({"apiVersion": "x", "kind": "y", "metadata": {"name": "a"}}) == []
