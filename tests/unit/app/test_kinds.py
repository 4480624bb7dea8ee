"""All kinds that a server may serve."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from capipool.app import kinds


def _descriptions(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(said := part.get("description"), str):
            yield said
        part = list(part.values())
    for each in part if isinstance(part, list) else ():
        yield from _descriptions(each)


def test_what_kubectl_explains_has_no_names_of_python_in_it() -> None:
    said = list(_descriptions(kinds.crds()))
    assert len(said) > 100
    assert [text for text in said if re.search(r"[a-z]_[a-z]", text)] == []
