"""Upstream's CRDs compile, and upstream's example manifests are valid by them."""

import functools
import json
import os
import pathlib
from typing import Any

import pytest

from capipool.apiserver.builtin import crds, table
from capipool.apiserver.builtin.definition import Definition
from capipool.machinery import codec
from capipool.machinery.schema import structural

SHARED = pathlib.Path(os.environ.get("CAPIPOOL_SHARED") or pathlib.Path(__file__).resolve().parents[4] / "shared")
CRDS = sorted((SHARED / "upstream" / "crds").glob("*.json"))
MANIFESTS = sorted((SHARED / "upstream" / "manifests").glob("*.yaml"))

pytestmark = pytest.mark.skipif(not CRDS, reason=f"upstream's schemas are not there ({SHARED.name}/upstream)")


def read(file: pathlib.Path) -> dict[str, Any]:
    return crds.prepare(json.loads(file.read_text()), None)


@functools.cache
def definitions() -> dict[tuple[str, str], Definition]:
    found = [*table.RESOURCES, *(d for file in CRDS for d in crds.definitions(read(file)))]
    return {(d.resource.api_version, d.resource.kind): d for d in found}


@pytest.mark.parametrize("file", CRDS, ids=lambda f: f.stem)
def test_every_crd_of_upstream_is_served(file: pathlib.Path) -> None:
    crd = read(file)
    for version in crd["spec"]["versions"]:
        assert structural.problems(version["schema"]["openAPIV3Schema"], version["name"]) == []
    assert crds.validate(crd, None) == []
    for definition in crds.definitions(crd):
        obj = {
            "apiVersion": definition.resource.api_version,
            "kind": definition.resource.kind,
            "metadata": {"name": "a"},
        }
        pruned, dropped = definition.structural.prune({**obj, "nobody": 1})
        assert dropped == ["nobody"]
        filled = definition.structural.default(pruned)
        assert definition.structural.validate(filled) == definition.structural.errors(filled)


@pytest.mark.parametrize("file", MANIFESTS, ids=lambda f: f.stem)
def test_every_example_of_upstream_is_valid(file: pathlib.Path) -> None:
    judged = 0
    for obj in codec.decode_yaml(file.read_text(), file.name):
        definition = definitions().get((obj["apiVersion"], obj["kind"]))
        if definition is None:
            continue  # the manifests name kinds of control planes that this project does not serve
        obj = json.loads(json.dumps(obj))
        pruned, dropped = definition.structural.prune(obj)
        if definition.prepare is not None:
            pruned = definition.prepare(pruned, None)
        errors = definition.check(definition.structural.default(pruned))
        assert ([str(e) for e in errors], dropped) == ([], []), f"{obj['kind']} {obj['metadata']['name']}"
        judged += 1
    assert judged
