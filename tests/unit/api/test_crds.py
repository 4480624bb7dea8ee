"""What our CRDs accept is what upstream's accept: names, types, limits, columns, subresources."""

from typing import Any

import pytest

from capipool.api import crds
from capipool.machinery.crd import Webhook
from tests.upstream import differing, facts, renamed, theirs, version

KINDS = (
    "clusters",
    "machines",
    "machinesets",
    "machinedeployments",
    "machinepools",
    "machinehealthchecks",
    "machinedrainrules",
)
DIFFERENCES: dict[str, str] = {}
"""Path in a CRD -> why ours is not upstream's."""


def ours(plural: str) -> dict[str, Any]:
    return next(c for c in crds.crds() if c["spec"]["names"]["plural"] == plural)


@pytest.mark.parametrize("name", ["v1beta1", "v1beta2"])
@pytest.mark.parametrize("plural", KINDS)
def test_a_version_accepts_what_upstream_accepts(plural: str, name: str) -> None:
    upstream = theirs(f"{plural}.cluster.x-k8s.io")
    mine, wanted = facts(version(ours(plural), name)), facts(version(upstream, name))
    mine.setdefault("subresources", {})
    found = [d for d in differing(mine, wanted) if d.split(":")[0] not in DIFFERENCES]
    assert found == []


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_is_named_as_upstream_names_it(plural: str) -> None:
    assert renamed(ours(plural)) == []


def test_crds_are_made_once_a_process() -> None:
    assert crds.crds() is crds.crds()


def test_our_versions_carry_their_contract_as_a_label() -> None:
    for crd in crds.crds():
        assert crd["metadata"]["labels"]["cluster.x-k8s.io/v1beta2"] == "v1beta2"


def test_conversion_is_left_to_a_webhook_where_there_is_one() -> None:
    assert crds.crds()[0]["spec"]["conversion"] == {"strategy": "None"}
    conversion = crds.crds(Webhook(namespace="capi", name="webhooks"))[0]["spec"]["conversion"]
    assert conversion["strategy"] == "Webhook"
    assert conversion["webhook"]["clientConfig"]["service"]["path"] == "/convert"


def test_every_type_is_described() -> None:
    for crd in crds.crds():
        for v in crd["spec"]["versions"]:
            assert v["schema"]["openAPIV3Schema"]["description"]
