"""The development provider's kinds accept what upstream's do."""

from __future__ import annotations

import json
import os
import pathlib
from typing import Any

import pytest

from capipool.providers.dev import kinds

SHARED = pathlib.Path(os.environ.get("CAPIPOOL_SHARED", pathlib.Path(__file__).parents[4] / "shared"))
OURS = {crd["metadata"]["name"]: crd for crd in kinds.crds()}
UPSTREAM = [name for name in OURS if name.startswith("dev") and "infrastructure" in name]
LIMITS = ("pattern", "maxLength", "minLength", "maximum", "minimum", "maxItems", "minItems", "minProperties")


@pytest.mark.parametrize("name", UPSTREAM)
def test_every_field_of_upstream_is_there_with_its_type_and_limits(name: str) -> None:
    path = SHARED / "upstream" / "crds" / f"{name}.json"
    if not path.exists():
        pytest.skip(f"upstream's schemas are not beside the repository: set CAPIPOOL_SHARED (looked for {path.name})")
    theirs = json.loads(path.read_text())
    wanted = next(v for v in theirs["spec"]["versions"] if v["name"] == "v1beta2")
    made = OURS[name]["spec"]["versions"][0]
    assert theirs["spec"]["names"]["plural"] == OURS[name]["spec"]["names"]["plural"]
    assert list(_missing(wanted["schema"]["openAPIV3Schema"], made["schema"]["openAPIV3Schema"], "")) == []


def _missing(wanted: dict[str, Any], made: dict[str, Any], path: str) -> Any:
    if wanted.get("type") != made.get("type"):
        yield f"{path}: {wanted.get('type')} is {made.get('type')}"
    for keyword in LIMITS:
        if wanted.get(keyword) != made.get(keyword) and path != ".metadata":
            yield f"{path}: {keyword} {wanted.get(keyword)} is {made.get(keyword)}"
    if set(made.get("required", ())) - set(wanted.get("required", ())) - ({"spec"} if not path else set()):
        yield f"{path}: requires {made['required']}"
    for field, schema in (wanted.get("properties") or {}).items():
        if field not in (made.get("properties") or {}):
            yield f"{path}.{field} is missing"
        else:
            yield from _missing(schema, made["properties"][field], f"{path}.{field}")
    for part in ("items", "additionalProperties"):
        if isinstance(wanted.get(part), dict):
            yield from _missing(wanted[part], made.get(part) or {}, f"{path}[]")
