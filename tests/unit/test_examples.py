"""The examples that need no cloud can be applied together: none changes what another one made."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from capipool.machinery import codec

FILES = sorted((Path(__file__).parents[2] / "examples").glob("*.yaml"))
EXAMPLES = [file for file in FILES if not file.name.startswith(("aws-", "azure-"))]


def test_no_two_examples_have_an_object_of_the_same_name() -> None:
    found: Counter[tuple[str, str, str]] = Counter()
    for file in EXAMPLES:
        for raw in codec.decode_yaml(file.read_text(), str(file)):
            found[raw["kind"], raw["metadata"].get("namespace", ""), raw["metadata"]["name"]] += 1
    assert len(EXAMPLES) > 1
    assert [key for key, times in found.items() if times > 1] == []
