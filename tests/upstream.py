"""Our CRDs beside upstream's: what of them is compared, and what is found to differ."""

import json
from collections.abc import Iterable
from typing import Any

from capipool.machinery.schema import engine
from tests.shared import shared

_PROSE = ("description", "message", "deprecationWarning")


def theirs(name: str) -> dict[str, Any]:
    """Upstream's CRD by its name, `<plural>.<group>`; skips the test where it is not here."""
    loaded: dict[str, Any] = json.loads(shared(f"upstream/crds/{name}.json").read_text())
    return loaded


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


def refused(mine: dict[str, Any], name: str, known: Iterable[str]) -> list[str]:
    """In what a version differs from upstream's. `known`: ends of paths where ours may be another."""
    found = differing(facts(version(mine, name)), facts(version(theirs(mine["metadata"]["name"]), name)))
    return [d for d in found if not d.split(":")[0].endswith(tuple(known))]


def renamed(mine: dict[str, Any]) -> list[str]:
    """In what a kind's names differ from upstream's."""
    upstream = theirs(mine["metadata"]["name"])
    parts = [(mine["metadata"]["name"], upstream["metadata"]["name"])]
    parts += [(mine["spec"][part], upstream["spec"][part]) for part in ("group", "scope", "names")]
    return [found for ours, wanted in parts for found in differing(facts(ours), facts(wanted))]


def validate(mine: dict[str, Any], name: str) -> list[Any]:
    """What a version's schema, compiled, says of an object with nothing in it."""
    schema = version(mine, name)["schema"]["openAPIV3Schema"]
    return list(engine.compile(schema).validate({"apiVersion": "x", "kind": "y", "metadata": {"name": "a"}}))
