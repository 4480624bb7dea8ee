"""Whether applying an object would change it."""

from typing import Any

import pytest

from capipool.core import serverside
from capipool.machinery import objects
from capipool.machinery.objects import Unstructured

WANTED: dict[str, Any] = {
    "metadata": {"labels": {"a": "1"}},
    "spec": {"taints": [{"key": "k", "effect": "NoSchedule"}]},
}
OWNED: dict[str, Any] = {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:taints": {'k:{"key":"k"}': {}}}}


def existing(labels: dict[str, str], owned: Any = OWNED, manager: str = "us") -> Unstructured:
    entry = {"manager": manager, "operation": "Apply", "fieldsV1": owned}
    taints = [{"key": "k", "effect": "NoSchedule", "value": "theirs"}, {"key": "other", "effect": "NoExecute"}]
    raw = {"metadata": {"name": "x", "labels": labels, "managedFields": [entry]}, "spec": {"taints": taints}}
    return objects.from_raw(Unstructured, raw)


@pytest.mark.parametrize(
    ("there", "needed"),
    [
        (existing({"a": "1"}), False),
        (existing({"a": "1", "theirs": "2"}), False),
        (existing({"a": "2"}), True),
        (existing({}), True),
        (existing({"a": "1", "b": "2"}, {"f:metadata": {"f:labels": {"f:a": {}, "f:b": {}}}}), True),
        (existing({"a": "1", "b": "2"}, {"f:metadata": {"f:labels": {"f:b": {}}}}, "somebody else"), False),
        (existing({"a": "1"}, {"f:spec": {"f:taints": {'k:{"key":"k"}': {}, 'k:{"key":"other"}': {}}}}), True),
    ],
)
def test_what_is_missing_other_or_no_longer_wanted_of_ours(there: Unstructured, needed: bool) -> None:
    assert serverside.needs_apply(there, WANTED, "us") is needed
