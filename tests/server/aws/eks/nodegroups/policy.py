"""The actions that docs/eks-nodegroups.md has people allow, beside those of docs/eks.md for reading the cluster."""

from __future__ import annotations

from typing import Any

from capipool.machinery import codec
from tests.shared import REPOSITORY


def actions(page: str, only: str = "") -> set[str]:
    """The actions of the policy on a page; `only` of one statement."""
    text = (REPOSITORY / page).read_text()
    policy: Any = codec.decode_json_object(text.split("```json\n", 1)[1].split("```", 1)[0])
    those = [s["Action"] for s in policy["Statement"] if only in ("", s["Sid"])]
    return {action for each in those for action in ([each] if isinstance(each, str) else each)}


def allowed() -> set[str]:
    """What capipool may call for node groups."""
    return actions("docs/eks-nodegroups.md") | actions("docs/eks.md", "ReadTheCluster")
