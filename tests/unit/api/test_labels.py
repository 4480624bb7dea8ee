"""Labels and annotations, beyond what the behaviour cases say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.api import labels
from capipool.machinery.names import is_label_value
from capipool.machinery.objects import ObjectMeta, OwnerReference


@given(st.text(max_size=100))
def test_any_name_has_a_label_value_that_stands_for_it(name: str) -> None:
    value = labels.format_value(name)
    assert is_label_value(value)
    assert labels.value_matches(name, value)


@pytest.mark.parametrize(("filter_", "watched"), [("", True), ("a", True), ("b", False)])
def test_a_manager_looks_after_what_its_filter_names(filter_: str, watched: bool) -> None:
    assert labels.is_watched({"cluster.x-k8s.io/watch-filter": "a"}, filter_) is watched


def test_an_object_is_paused_by_its_cluster_or_by_an_annotation_of_any_value() -> None:
    marked = ObjectMeta(annotations={"cluster.x-k8s.io/paused": ""})
    assert labels.is_paused(marked, None)
    assert labels.is_paused(ObjectMeta(), True)
    assert not labels.is_paused(ObjectMeta(), False)


def test_an_owner_of_another_group_makes_no_pool_machine() -> None:
    owner = OwnerReference(api_version="example.com/v1", kind="MachinePool", name="p", uid="u")
    assert not labels.is_machine_pool_owned(ObjectMeta(owner_references=(owner,)))
