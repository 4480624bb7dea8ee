"""The schema engine prunes, defaults and validates as Kubernetes does with a CRD's structural schema."""

import copy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from capipool.machinery.schema import cel, engine, metadata, structural

NAME = {"type": "string"}
LIST_MAP = {
    "type": "array",
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["key", "side"],
    "items": {
        "type": "object",
        "required": ["key"],
        "properties": {"key": NAME, "side": {"type": "string", "default": "left"}, "n": {"type": "integer"}},
    },
}


def structural_of(**properties: Any) -> engine.Structural:
    return engine.compile({"type": "object", "properties": {"spec": {"type": "object", "properties": properties}}})


def errors_of(schema: Any, value: Any, old: Any = None) -> list[str]:
    before = None if old is None else {"spec": {"x": old}}
    return [str(e) for e in structural_of(x=schema).validate({"spec": {"x": value}}, before)]


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (NAME, 1, 'spec.x: Invalid value: "integer": spec.x in body must be of type string: "integer"'),
        (
            {"type": "integer"},
            "a",
            'spec.x: Invalid value: "string": spec.x in body must be of type integer: "string"',
        ),
        ({"type": "integer"}, True, "must be of type integer: "),
        ({"type": "object"}, [], 'must be of type object: "array"'),
        (NAME, None, 'must be of type string: "null"'),
        (
            {"type": "integer", "minimum": 0},
            -1,
            "spec.x: Invalid value: -1: spec.x in body should be greater than or equal to 0",
        ),
        ({"type": "integer", "maximum": 3}, 4, "should be less than or equal to 3"),
        ({"type": "integer", "maximum": 3, "exclusiveMaximum": True}, 3, "should be less than 3"),
        ({"type": "integer", "multipleOf": 2}, 3, "should be a multiple of 2"),
        ({"type": "integer", "format": "int32"}, 2**31, "must be of type int32"),
        ({"type": "string", "minLength": 1}, "", 'Invalid value: "": spec.x in body should be at least 1 chars long'),
        ({"type": "string", "maxLength": 2}, "abc", "spec.x: Too long: may not be more than 2 bytes"),
        ({"type": "string", "pattern": "^a+$"}, "ab", "spec.x in body should match '^a+$'"),
        ({"type": "string", "pattern": "^a+$"}, "a\n", "should match"),
        (
            {"type": "string", "enum": ["a", "b"]},
            "c",
            'spec.x: Unsupported value: "c": supported values: "a", "b"',
        ),
        ({"type": "string", "format": "date-time"}, "2026-02-30T00:00:00Z", "must be of type date-time: "),
        ({"type": "string", "format": "duration"}, "10", "must be of type duration"),
        ({"type": "string", "format": "byte"}, "a", "must be of type byte"),
        ({"type": "string", "format": "cidr"}, "10.0.0.0", "must be of type cidr"),
        ({"type": "array", "items": NAME, "maxItems": 1}, ["a", "b"], "spec.x: Too many: 2: must have at most 1 items"),
        ({"type": "array", "items": NAME, "minItems": 1}, [], "should have at least 1 items"),
        (
            {"type": "object", "additionalProperties": NAME, "minProperties": 1},
            {},
            "spec.x in body should have at least 1 properties",
        ),
        ({"type": "object", "additionalProperties": NAME}, {"a/b": 1}, 'spec.x[a/b]: Invalid value: "integer"'),
        ({"type": "object", "required": ["y"], "properties": {"y": NAME}}, {}, "spec.x.y: Required value"),
        (
            {"type": "array", "items": NAME, "x-kubernetes-list-type": "set"},
            ["a", "a"],
            'spec.x[1]: Duplicate value: "a"',
        ),
        (
            LIST_MAP,
            [{"key": "a"}, {"key": "a", "side": "left", "n": 1}],
            'spec.x[1]: Duplicate value: {"key":"a","side":"left"}',
        ),
        (LIST_MAP, [{"key": "a"}, {"n": "b"}], "spec.x[1].key: Required value"),
        ({"x-kubernetes-int-or-string": True}, 1.5, "must be of type integer,string"),
        (
            {"type": "object", "x-kubernetes-embedded-resource": True},
            {"kind": ""},
            "spec.x.apiVersion: Required value: must not be empty",
        ),
        (
            {"anyOf": [{"minimum": 3}, {"maximum": 1}], "type": "integer"},
            2,
            "must validate at least one schema (anyOf)",
        ),
        ({"oneOf": [{"minimum": 1}, {"minimum": 2}], "type": "integer"}, 2, "one and only one schema (oneOf)"),
        ({"not": {"minimum": 1}, "type": "integer"}, 2, "must not validate the schema (not)"),
    ],
)
def test_what_is_wrong_is_said_as_kubernetes_says_it(schema: Any, value: Any, expected: str) -> None:
    assert expected in errors_of(schema, value)[0]


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string", "nullable": True, "enum": ["a"]}, None),
        ({"type": "integer"}, 1.0),
        ({"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]}, "50%"),
        ({"type": "string", "format": "date-time"}, "2026-01-29T10:00:00.123456+02:00"),
        ({"type": "string", "format": "duration"}, "1h30m"),
        ({"type": "string", "format": "byte"}, "aGVsbG8="),
        ({"type": "string", "format": "nobody-knows"}, "?"),
        (LIST_MAP, [{"key": "a"}, {"key": "a", "side": "right"}]),
        ({"type": "array", "items": NAME, "nullable": True, "x-kubernetes-list-type": "set"}, None),
        ({"x-kubernetes-preserve-unknown-fields": True}, {"any": [1, None]}),
    ],
)
def test_what_is_right_has_no_errors(schema: Any, value: Any) -> None:
    assert errors_of(schema, value) == []


def test_paths_reach_into_lists_and_objects() -> None:
    taints = {"type": "array", "items": {"type": "object", "properties": {"key": {"type": "string", "minLength": 1}}}}
    assert errors_of(taints, [{"key": "a"}, {"key": ""}])[0].startswith("spec.x[1].key: Invalid value")


def test_every_error_is_reported() -> None:
    schema = {"type": "object", "required": ["a", "b"], "properties": {"a": NAME, "b": NAME, "c": NAME}}
    assert len(errors_of(schema, {"c": 1})) == 3


def test_an_update_lets_what_did_not_change_be() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "maxLength": 1}, "b": NAME}}
    assert errors_of(schema, {"a": "too long", "b": "new"}, {"a": "too long", "b": "old"}) == []
    assert len(errors_of(schema, {"a": "longer still"}, {"a": "too long"})) == 1


def test_a_number_in_the_place_of_an_equal_boolean_is_a_change() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "boolean"}}}
    assert len(errors_of(schema, {"a": 0}, {"a": False})) == 1


def test_metadata_is_typed_even_where_the_schema_says_nothing() -> None:
    errors = structural_of().validate({"metadata": {"labels": {"a": 1}, "finalizers": "x"}})
    assert [e.path for e in errors] == ["metadata.labels[a]", "metadata.finalizers"]


# -- pruning and defaults ---------------------------------------------------------------------------------------------


def test_unknown_fields_are_dropped_and_named() -> None:
    inner = {"type": "array", "items": {"type": "object", "properties": {"a": NAME}}}
    obj = {
        "apiVersion": "v1",
        "kind": "K",
        "metadata": {"name": "n", "what": 1, "creationTimestamp": None},
        "spec": {"x": [{"a": "1"}, {"a": "1", "b": {}}], "free": {"y": {"z": 1}}, "typo": 1},
        "extra": True,
    }
    before = copy.deepcopy(obj)
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    pruned, paths = structural_of(x=inner, free=free).prune(obj)
    assert paths == ["extra", "metadata.what", "spec.typo", "spec.x[1].b"]
    assert pruned["spec"] == {"x": [{"a": "1"}, {"a": "1"}], "free": {"y": {"z": 1}}}
    assert pruned["metadata"] == {"name": "n"}
    assert obj == before


def test_nothing_is_copied_where_nothing_is_dropped_or_missing() -> None:
    schema = structural_of(x=LIST_MAP)
    obj = {"spec": {"x": [{"key": "a", "side": "left"}]}}
    assert schema.prune(obj) == (obj, [])
    assert schema.prune(obj)[0] is obj
    assert schema.default(obj) is obj


def test_specified_fields_are_pruned_inside_preserved_ones() -> None:
    known = {"type": "object", "properties": {"a": NAME}}
    schema = {"type": "object", "x-kubernetes-preserve-unknown-fields": True, "properties": {"known": known}}
    pruned, paths = structural_of(x=schema).prune({"spec": {"x": {"known": {"a": "1", "b": 1}, "other": {"b": 1}}}})
    assert paths == ["spec.x.known.b"]
    assert pruned["spec"]["x"]["other"] == {"b": 1}


def test_defaults_are_laid_from_the_outside_in() -> None:
    inner = {"type": "object", "default": {}, "properties": {"n": {"type": "integer", "default": 3}}}
    schema = structural_of(x=inner, y={"type": "object", "properties": {"z": {"type": "string", "default": "q"}}})
    assert schema.default({"spec": {}}) == {"spec": {"x": {"n": 3}}}
    assert schema.default({"spec": {"y": {}, "x": {"n": 1}}}) == {"spec": {"y": {"z": "q"}, "x": {"n": 1}}}


def test_a_null_is_defaulted_only_where_the_field_may_not_be_null() -> None:
    schema = structural_of(x={"type": "string", "default": "a"}, y={"type": "string", "default": "a", "nullable": True})
    assert schema.default({"spec": {"x": None, "y": None}}) == {"spec": {"x": "a", "y": None}}


def test_a_default_is_nobodys_to_change() -> None:
    schema = structural_of(x={"type": "array", "items": NAME, "default": ["a"]})
    first: Any = schema.default({"spec": {}})
    first["spec"]["x"].append("b")
    assert schema.default({"spec": {}}) == {"spec": {"x": ["a"]}}


def test_a_null_counts_as_absent_where_the_field_may_not_be_null() -> None:
    schema = structural_of(x=NAME, y={"type": "string", "nullable": True}, z={"type": "string", "default": "a"})
    pruned, dropped = schema.prune({"spec": {"x": None, "y": None, "z": None}})
    assert (pruned, dropped) == ({"spec": {"y": None, "z": None}}, [])
    assert schema.default(pruned) == {"spec": {"y": None, "z": "a"}}
    labels = structural_of(x={"type": "object", "additionalProperties": NAME})
    assert labels.prune({"spec": {"x": {"a": None, "b": "c"}}})[0] == {"spec": {"x": {"b": "c"}}}


def test_nulls_of_builtin_kinds_count_as_absent() -> None:
    schema = engine.compile({"type": "object", "x-kubernetes-preserve-unknown-fields": True}, drop_nulls=True)
    obj = {"spec": {"a": None, "b": [{"c": None, "d": 1}]}}
    assert schema.prune(obj)[0] == {"spec": {"b": [{"d": 1}]}}


# -- CEL --------------------------------------------------------------------------------------------------------------


def ruled(schema: dict[str, Any], rule: str, **more: Any) -> dict[str, Any]:
    return {**schema, "x-kubernetes-validations": [{"rule": rule, **more}]}


RANGE = {"type": "object", "properties": {"min": {"type": "integer"}, "max": {"type": "integer"}}}


def test_a_rule_is_judged_and_its_message_said() -> None:
    schema = ruled(RANGE, "self.min <= self.max", message="min must not exceed max", fieldPath=".min")
    assert errors_of(schema, {"min": 1, "max": 2}) == []
    assert errors_of(schema, {"min": 3, "max": 2}) == ['spec.x.min: Invalid value: "object": min must not exceed max']


def test_a_rule_may_compute_its_message_and_give_its_reason() -> None:
    schema = ruled(
        RANGE, "self.min < 5", messageExpression="'min is ' + string(self.min)", reason="FieldValueForbidden"
    )
    assert errors_of(schema, {"min": 7}) == ["spec.x: Forbidden: min is 7"]


def test_a_rule_that_cannot_be_computed_is_broken() -> None:
    assert "rule evaluation error" in errors_of(ruled(RANGE, "self.min < 5"), {})[0]


def test_a_rule_without_a_message_names_itself() -> None:
    assert errors_of(ruled(NAME, "self.startsWith('a')"), "b") == [
        "spec.x: Invalid value: \"b\": failed rule: self.startsWith('a')"
    ]


def test_a_transition_rule_binds_updates_only() -> None:
    schema = ruled(NAME, "self == oldSelf", message="is immutable")
    assert errors_of(schema, "a") == []
    assert errors_of(schema, "a", "a") == []
    assert errors_of(schema, "b", "a") == ['spec.x: Invalid value: "b": is immutable']


def test_an_optional_old_self_binds_creations_too() -> None:
    schema = ruled(NAME, "oldSelf.hasValue() || self == 'first'", optionalOldSelf=True)
    assert errors_of(schema, "first") == []
    assert errors_of(schema, "second", "first") == []
    assert len(errors_of(schema, "second")) == 1


def test_items_of_list_maps_know_their_old_selves() -> None:
    schema = copy.deepcopy(LIST_MAP)
    schema["items"]["properties"]["n"] = ruled({"type": "integer"}, "self >= oldSelf", message="must not shrink")  # type: ignore[index]
    old = [{"key": "a", "n": 5}, {"key": "b", "n": 1}]
    assert errors_of(schema, [{"key": "b", "n": 2}, {"key": "a", "n": 5}], old) == []
    assert errors_of(schema, [{"key": "b", "n": 2}, {"key": "a", "n": 4}], old)[0].startswith("spec.x[1].n: ")


def test_times_durations_and_escaped_names_are_as_cel_has_them() -> None:
    schema = {
        "type": "object",
        "properties": {
            "at": {"type": "string", "format": "date-time"},
            "for": {"type": "string", "format": "duration"},
            "a-b": {"type": "number"},
        },
    }
    rule = (
        "self.at > timestamp('2026-01-01T00:00:00Z') && self.__for__ < duration('2h') && self.a__dash__b * 2.0 == 4.0"
    )
    value = {"at": "2026-06-01T00:00:00Z", "for": "1h30m", "a-b": 2}
    assert errors_of(ruled(schema, rule), value) == []


@pytest.mark.parametrize(
    "rule",
    [
        "self.lowerAscii() == 'a,b'",
        "self.split(',').size() == 2",
        "self.indexOf('B') == 2 && self.substring(2) == 'B'",
        "['a', 'b'].isSorted() && [1, 2].sum() == 3",
        "isURL('https://example.org:8080/x') && url('https://example.org:8080/x').getPort() == '8080'",
        "quantity('1Gi').isGreaterThan(quantity('1000M'))",
        "isIP('10.0.0.1') && cidr('10.0.0.0/8').containsIP('10.1.2.3') && !isCIDR('10.0.0.1')",
        "'a1b22'.findAll('[0-9]+').join('-') == '1-22'",
        "self.replace(',', '').trim() == 'AB'",
    ],
)
def test_the_functions_that_kubernetes_adds(rule: str) -> None:
    assert errors_of(ruled(NAME, rule), "A,B") == []


# -- structural -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("schema", "path"),
    [
        ({}, "s.properties[x].type"),
        ({"type": "text"}, "s.properties[x].type"),
        ({"type": "array"}, "s.properties[x].items"),
        ({"type": "string", "pattern": "("}, "s.properties[x].pattern"),
        ({"type": "string", "default": 1}, "s.properties[x].default"),
        ({"type": "object", "$ref": "#/x"}, "s.properties[x].$ref"),
        (
            {"type": "object", "properties": {"a": NAME}, "additionalProperties": NAME},
            "s.properties[x].additionalProperties",
        ),
        (
            {"type": "array", "items": {"type": "object"}, "x-kubernetes-list-type": "map"},
            "s.properties[x].x-kubernetes-list-map-keys",
        ),
        (ruled(NAME, "self.("), "s.properties[x].x-kubernetes-validations[0].rule"),
        (ruled(NAME, "self.nobody()"), "s.properties[x].x-kubernetes-validations[0].rule"),
        (ruled(NAME, ""), "s.properties[x].x-kubernetes-validations[0].rule"),
    ],
)
def test_a_schema_that_cannot_be_served_is_refused(schema: Any, path: str) -> None:
    problems = structural.problems({"type": "object", "properties": {"x": schema}}, "s")
    assert path in [p.path for p in problems]


def test_a_structural_schema_has_no_problems() -> None:
    schema = {"type": "object", "properties": {"x": LIST_MAP, "y": ruled(NAME, "self.startsWith('a')", message="m")}}
    assert structural.problems(schema, "s") == []


@pytest.mark.parametrize(
    ("name", "spelt"), [("a", "a"), ("namespace", "__namespace__"), ("x-y.z", "x__dash__y__dot__z")]
)
def test_names_are_escaped_for_rules(name: str, spelt: str) -> None:
    assert cel.escape(name) == spelt


# -- the two halves agree ---------------------------------------------------------------------------------------------

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["", "a", "b", "aa", "2026-01-01T00:00:00Z"])
VALUES = st.recursive(
    SCALARS,
    lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from(["a", "key", "side"]), v, max_size=3),
    max_leaves=6,
)
LEAVES = st.sampled_from(
    [
        {"type": "string"},
        {"type": "string", "nullable": True, "minLength": 1},
        {"type": "string", "enum": ["a", "b"]},
        {"type": "string", "pattern": "^a*$", "maxLength": 1},
        {"type": "string", "format": "date-time"},
        {"type": "integer", "minimum": 0, "maximum": 2},
        {"type": "integer", "minimum": 0, "exclusiveMinimum": True},
        {"type": "boolean"},
        {"x-kubernetes-int-or-string": True},
        {"x-kubernetes-preserve-unknown-fields": True},
        {"type": "integer", "anyOf": [{"minimum": 2}, {"maximum": 0}]},
        LIST_MAP,
    ]
)
SCHEMAS = st.recursive(
    LEAVES,
    lambda s: (
        st.builds(lambda i: {"type": "array", "items": i}, s)
        | st.builds(lambda i: {"type": "array", "items": i, "x-kubernetes-list-type": "set"}, s)
        | st.builds(lambda a, b: {"type": "object", "properties": {"a": a, "key": b}, "required": ["a"]}, s, s)
        | st.builds(lambda i: {"type": "object", "additionalProperties": i, "maxProperties": 2}, s)
    ),
    max_leaves=4,
)


@settings(max_examples=300)
@given(SCHEMAS, VALUES)
def test_the_fast_half_never_lets_through_what_the_careful_half_would_not(schema: Any, value: Any) -> None:
    compiled = structural_of(x=schema)
    obj = {"spec": {"x": value}}
    assert compiled.validate(obj) == compiled.errors(obj)


@settings(max_examples=300)
@given(SCHEMAS, VALUES, st.booleans())
def test_what_is_taken_for_exact_has_nothing_to_prune(schema: Any, value: Any, drop_nulls: bool) -> None:
    compiled = engine.compile({"type": "object", "properties": {"spec": schema}}, drop_nulls=drop_nulls)
    obj = {"spec": value}
    if compiled._is_exact(obj):
        kept = engine.without_nulls(obj) if drop_nulls else obj
        assert kept is obj
        dropped: list[str] = []
        assert compiled._pruner is None or compiled._pruner(obj, None, dropped) == obj
        assert dropped == []


# -- metadata ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("meta", "path"),
    [
        ({}, "metadata.name"),
        ({"name": "A"}, "metadata.name"),
        ({"name": "a", "labels": {"a b": "c"}}, "metadata.labels"),
        ({"name": "a", "labels": {"a": "c d"}}, "metadata.labels"),
        ({"name": "a", "annotations": {"a b": "c"}}, "metadata.annotations"),
        ({"name": "a", "annotations": {"a": "x" * 300_000}}, "metadata.annotations"),
        ({"name": "a", "finalizers": ["/"]}, "metadata.finalizers"),
        (
            {"name": "a", "ownerReferences": [{"apiVersion": "v1", "kind": "K", "name": ""}]},
            "metadata.ownerReferences[0].name",
        ),
    ],
)
def test_metadata_that_no_server_takes(meta: dict[str, Any], path: str) -> None:
    assert metadata.validate(meta)[0].path == path


def test_two_controllers_are_one_too_many() -> None:
    owner = {"apiVersion": "v1", "kind": "K", "name": "o", "uid": "u", "controller": True}
    errors = metadata.validate({"name": "a", "ownerReferences": [owner, owner | {"uid": "v"}]})
    assert "Only one reference can have Controller set to true" in errors[0].message
