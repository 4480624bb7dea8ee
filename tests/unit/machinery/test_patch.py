"""The three patch formats do what a Kubernetes API server does with them."""

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.machinery import errors
from capipool.machinery.patch import json, merge, strategic

SCHEMA = {
    "properties": {
        "metadata": {
            "properties": {"finalizers": {"type": "array", strategic.STRATEGY: "merge", "items": {"type": "string"}}}
        },
        "spec": {
            "properties": {
                "containers": {
                    strategic.STRATEGY: "merge",
                    strategic.MERGE_KEY: "name",
                    "items": {
                        "properties": {
                            "env": {strategic.STRATEGY: "merge", strategic.MERGE_KEY: "name", "items": {}},
                            "args": {"items": {"type": "string"}},
                        }
                    },
                },
                "strategy": {strategic.STRATEGY: "retainKeys", "properties": {}},
                "whole": {strategic.STRATEGY: "replace", "properties": {}},
            }
        },
    }
}

JSON_VALUES: st.SearchStrategy[Any] = st.recursive(
    st.booleans() | st.integers(-2, 2) | st.text("ab", max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("xyz", max_size=2), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.text("abc", max_size=2), JSON_VALUES, max_size=4)


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": spec}


@given(OBJECTS, OBJECTS)
def test_a_merge_diff_applied_to_the_old_gives_the_new(old: dict[str, Any], new: dict[str, Any]) -> None:
    patch = merge.diff(old, new)
    result = old if patch is None else merge.apply(old, patch)
    assert repr(sorted_keys(result)) == repr(sorted_keys(new))


@given(OBJECTS, OBJECTS)
def test_a_merge_patch_never_changes_its_input(old: dict[str, Any], patch: dict[str, Any]) -> None:
    before = copy.deepcopy((old, patch))
    merge.apply(old, patch)
    assert (old, patch) == before


@given(OBJECTS, OBJECTS)
def test_without_a_schema_a_strategic_patch_is_a_merge_patch(old: dict[str, Any], patch: dict[str, Any]) -> None:
    assert strategic.apply(old, patch, {}) == merge.apply(old, patch)


def sorted_keys(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: sorted_keys(value[k]) for k in sorted(value)}
    return [sorted_keys(v) for v in value] if isinstance(value, list) else value


def test_equal_documents_have_no_diff() -> None:
    assert merge.diff({"a": {"b": [1]}}, {"a": {"b": [1]}}) is None


def test_a_number_that_becomes_a_boolean_is_a_change() -> None:
    assert merge.diff({"a": 1, "b": [0]}, {"a": True, "b": [False]}) == {"a": True, "b": [False]}


def test_a_merge_patch_removes_with_null() -> None:
    assert merge.apply({"a": 1, "b": {"c": 1, "d": 2}}, {"a": None, "b": {"c": None}}) == {"b": {"d": 2}}


@pytest.mark.parametrize(
    ("patch", "expected"),
    [
        pytest.param(
            {"containers": [{"name": "b", "image": "2"}]},
            [{"name": "a", "image": "1", "args": ["x"]}, {"name": "b", "image": "2"}],
            id="new items follow",
        ),
        pytest.param(
            {"containers": [{"name": "a", "image": "2"}]},
            [{"name": "a", "image": "2", "args": ["x"]}],
            id="items are merged by key",
        ),
        pytest.param(
            {"containers": [{"name": "a", "args": ["y", "z"]}]},
            [{"name": "a", "image": "1", "args": ["y", "z"]}],
            id="lists without a key are replaced",
        ),
        pytest.param({"containers": [{"name": "a", "$patch": "delete"}]}, [], id="items are deleted by directive"),
        pytest.param(
            {"containers": [{"$patch": "replace"}, {"name": "c"}]},
            [{"name": "c"}],
            id="a list is replaced by directive",
        ),
        pytest.param(
            {
                "containers": [{"name": "c"}, {"name": "a"}],
                "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            },
            [{"name": "c"}, {"name": "a", "image": "1", "args": ["x"]}],
            id="the order is set",
        ),
    ],
)
def test_lists_with_a_merge_key(patch: dict[str, Any], expected: list[Any]) -> None:
    before = pod(containers=[{"name": "a", "image": "1", "args": ["x"]}])
    kept = copy.deepcopy(before)
    assert strategic.apply(before, {"spec": patch}, SCHEMA)["spec"]["containers"] == expected
    assert before == kept


def test_items_that_the_patch_does_not_order_stay_where_they_were() -> None:
    before = pod(containers=[{"name": n} for n in ("server", "a", "b")])
    patch = pod(**{"$setElementOrder/containers": [{"name": "b"}, {"name": "a"}]})
    result = strategic.apply(before, patch, SCHEMA)["spec"]["containers"]
    assert [c["name"] for c in result] == ["server", "b", "a"]


def test_lists_of_values_are_united_and_deleted_from() -> None:
    before = {"metadata": {"finalizers": ["a", "b"]}}
    added = strategic.apply(before, {"metadata": {"finalizers": ["b", "c"]}}, SCHEMA)
    assert added["metadata"]["finalizers"] == ["a", "b", "c"]
    removed = strategic.apply(added, {"metadata": {"$deleteFromPrimitiveList/finalizers": ["b"]}}, SCHEMA)
    assert removed["metadata"]["finalizers"] == ["a", "c"]


def test_retain_keys_drops_every_other_field() -> None:
    before = pod(strategy={"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}})
    patch = pod(strategy={"$retainKeys": ["type"], "type": "Recreate"})
    assert strategic.apply(before, patch, SCHEMA) == pod(strategy={"type": "Recreate"})


def test_objects_are_replaced_by_directive_or_by_schema() -> None:
    before = pod(any={"a": 1}, whole={"a": 1}, gone={"a": 1})
    patch = pod(any={"$patch": "replace", "b": 2}, whole={"b": 2}, gone={"$patch": "delete"})
    assert strategic.apply(before, patch, SCHEMA) == pod(any={"b": 2}, whole={"b": 2}, gone={})


def test_directives_and_nulls_do_not_enter_new_objects() -> None:
    patch = pod(containers=[{"name": "a", "env": [{"name": "x", "$patch": "delete"}], "image": None}])
    assert strategic.apply({}, patch, SCHEMA) == pod(containers=[{"name": "a", "env": []}])


@pytest.mark.parametrize(
    "patch",
    [
        {"$patch": "upsert"},
        pod(containers=[{"image": "no name"}]),
        pod(containers=[{"name": {}}]),
        pod(containers=["a", {"name": "a"}]),
        pod(strategy={"$retainKeys": ["a"], "b": 1}),
        pod(**{"$setElementOrder/containers": 1}),
        {"metadata": {"$deleteFromPrimitiveList/finalizers": "a"}},
        [],
    ],
)
def test_a_malformed_strategic_patch_is_a_bad_request(patch: Any) -> None:
    before = {"metadata": {"finalizers": ["a"]}} | pod(containers=[{"name": "a"}], strategy={})
    with pytest.raises(errors.BadRequest):
        strategic.apply(before, patch, SCHEMA)


def test_a_json_patch_applies_all_operations_in_order() -> None:
    before = {"a": {"b": [1, 2]}}
    ops = [
        {"op": "test", "path": "/a/b/0", "value": 1},
        {"op": "add", "path": "/a/b/-", "value": 3},
        {"op": "remove", "path": "/a/b/0"},
        {"op": "move", "from": "/a", "path": "/c~1d"},
    ]
    assert json.apply(before, ops) == {"c/d": {"b": [2, 3]}}
    assert before == {"a": {"b": [1, 2]}}


@pytest.mark.parametrize(
    ("op", "says"),
    [
        ({"op": "test", "path": "/a", "value": "secret"}, r"operation 0 \(test /a: the value there is another\)"),
        ({"op": "remove", "path": "/x/y"}, "remove /x/y: there is no such path"),
        ({"op": "replace", "path": "/list/7", "value": 1}, "replace /list/7"),
        ({"op": "add", "path": "/a/b", "value": 1}, "add /a/b"),
        ({"op": "copy", "from": "/x", "path": "/y"}, "copy /y: /x"),
    ],
)
def test_a_json_patch_that_does_not_fit_is_invalid(op: dict[str, Any], says: str) -> None:
    with pytest.raises(errors.Invalid, match=says) as caught:
        json.apply({"a": 1, "list": []}, [op])
    assert caught.value.http_code == 422
    assert "secret" not in caught.value.message


@pytest.mark.parametrize(
    "ops",
    [{}, ["x"], [{"op": "upsert", "path": "/a"}], [{"op": "add", "path": "/a"}], [{"op": "remove", "path": "a"}], [{}]],
)
def test_a_malformed_json_patch_is_a_bad_request(ops: Any) -> None:
    with pytest.raises(errors.BadRequest):
        json.apply({}, ops)
