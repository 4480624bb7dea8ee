"""Groups, keys and references under their new names."""

from __future__ import annotations

import pytest

from capipool.machinery.patch import merge
from capipool.migrate import marks, references
from capipool.migrate.naming import NameTaken, Renaming

RENAMING = Renaming()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("machinepool.exp.cluster.x-k8s.io", "machinepool.cluster.x-k8s.io"),
        ("exp.cluster.x-k8s.io/tier", "cluster.x-k8s.io/tier"),
        ("azuremachinepool.exp.infrastructure.cluster.x-k8s.io", "azuremachinepool.infrastructure.cluster.x-k8s.io"),
        ("sub.exp.infrastructure.cluster.x-k8s.io/a", "sub.infrastructure.cluster.x-k8s.io/a"),
        ("cluster.x-k8s.io/cluster-name", "cluster.x-k8s.io/cluster-name"),
        ("notexp.cluster.x-k8s.io/a", "notexp.cluster.x-k8s.io/a"),
        ("foregroundDeletion", "foregroundDeletion"),
        ("a/exp.cluster.x-k8s.io", "a/exp.cluster.x-k8s.io"),
    ],
)
def test_a_key_is_renamed_where_its_domain_is_of_a_renamed_group(old: str, new: str) -> None:
    assert RENAMING.key(old) == new


def test_keys_that_would_meet_with_different_values_are_refused() -> None:
    with pytest.raises(NameTaken, match=r"cluster\.x-k8s\.io/a, which is there already"):
        RENAMING.keys({"exp.cluster.x-k8s.io/a": "1", "cluster.x-k8s.io/a": "2"})
    assert RENAMING.keys({"exp.cluster.x-k8s.io/a": "1", "cluster.x-k8s.io/a": "1"}) == {"cluster.x-k8s.io/a": "1"}


def test_references_are_found_and_turned_wherever_they_are() -> None:
    spec = {
        "ref": {"apiVersion": "exp.cluster.x-k8s.io/v1alpha3", "kind": "MachinePool", "name": "a", "uid": "u"},
        "list": [{"apiGroup": "exp.infrastructure.cluster.x-k8s.io", "kind": "X", "name": "b"}],
        "other": {"apiVersion": "v1", "kind": "Secret", "name": "s"},
        "plain": {"kind": "no reference"},
    }
    turned = references.renamed(
        spec, RENAMING, lambda kind, before: "v1beta2" if kind.group else before, {"u": "n"}.get
    )
    assert turned["ref"] == {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachinePool", "name": "a", "uid": "n"}
    assert turned["list"] == [{"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "X", "name": "b"}]
    assert turned["other"] is spec["other"]
    assert [found.path for found in references.find(spec)] == ["spec.ref", "spec.list[0]", "spec.other"]


def test_changes_in_several_writes_are_taken_back_together() -> None:
    raw = {"metadata": {"name": "a", "labels": {"x": "1"}}, "spec": {"a": 1}}
    first = merge.apply(raw, marks.change(raw, {**raw, "spec": {"a": 2}}) or {})
    second = merge.apply(first, marks.change(first, {**first, "spec": {"a": 2, "b": 3}}) or {})
    assert second["spec"] == {"a": 2, "b": 3}
    assert marks.unchanged(second) == raw
    assert marks.change(second, second) is None
