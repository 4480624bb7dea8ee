"""What our CRDs accept is what upstream's accept: names, types, limits, columns, subresources."""

import json
from typing import Any

import pytest

from capipool.api import crds
from capipool.machinery.crd import Webhook
from tests.shared import shared

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

_PROSE = ("description", "message", "deprecationWarning")


def ours(plural: str) -> dict[str, Any]:
    return next(c for c in crds.crds() if c["spec"]["names"]["plural"] == plural)


def facts(node: Any, *, names: bool = False) -> Any:
    """A CRD without prose, and without order where order says nothing. `names`: the keys are names of properties."""
    if isinstance(node, dict):
        kept = {k: v for k, v in node.items() if names or not (k in _PROSE and isinstance(v, str))}
        return {k: facts(v, names=k == "properties" and not names) for k, v in kept.items()}
    if isinstance(node, list):
        plain = [facts(v) for v in node]
        return sorted(plain) if all(isinstance(v, str) for v in plain) else plain
    return node


def differing(left: Any, right: Any, path: str = "") -> list[str]:
    if isinstance(left, dict) and isinstance(right, dict):
        return [
            found
            for key in sorted(left.keys() | right.keys())
            for found in differing(left.get(key), right.get(key), f"{path}.{key}")
        ]
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right):
        return [f for i, (a, b) in enumerate(zip(left, right, strict=True)) for f in differing(a, b, f"{path}[{i}]")]
    return [] if left == right else [f"{path}: {left!r} is not upstream's {right!r}"]


def version(crd: dict[str, Any], name: str) -> dict[str, Any]:
    return next(v for v in crd["spec"]["versions"] if v["name"] == name)


@pytest.mark.parametrize("name", ["v1beta1", "v1beta2"])
@pytest.mark.parametrize("plural", KINDS)
def test_a_version_accepts_what_upstream_accepts(plural: str, name: str) -> None:
    upstream = json.loads(shared(f"upstream/crds/{plural}.cluster.x-k8s.io.json").read_text())
    mine, theirs = facts(version(ours(plural), name)), facts(version(upstream, name))
    mine.setdefault("subresources", {})
    found = [d for d in differing(mine, theirs) if d.split(":")[0] not in DIFFERENCES]
    assert found == []


@pytest.mark.parametrize("plural", KINDS)
def test_a_kind_is_named_as_upstream_names_it(plural: str) -> None:
    upstream = json.loads(shared(f"upstream/crds/{plural}.cluster.x-k8s.io.json").read_text())
    mine = ours(plural)
    assert mine["metadata"]["name"] == upstream["metadata"]["name"]
    for part in ("group", "scope", "names"):
        assert facts(mine["spec"][part]) == facts(upstream["spec"][part])


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
