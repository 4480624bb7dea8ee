"""Structural schemas follow from types."""

import datetime as dt
from typing import Annotated, Any, ClassVar

import msgspec
import pytest

from capipool.machinery import crd
from capipool.machinery.objects import Model, Object
from capipool.machinery.resource import Resource
from capipool.machinery.schema import engine, structural
from capipool.machinery.schema.limits import Int32, Limits, Rule
from capipool.machinery.schema.types import from_type


class Part(Model):
    """A part.

    It has more to say.
    """

    LIMITS: ClassVar = Limits(min_properties=1, atomic=True)

    name: Annotated[str, Limits(max_length=3, pattern="^a")]


class Thing(Object, kw_only=True):
    """A thing, `open_` to all."""

    RESOURCE: ClassVar = Resource("example.com", "v1", "Thing", "things")

    count: Annotated[Int32, Limits(minimum=0)]
    parts: Annotated[tuple[Part, ...], Limits(max_items=2, list_map_keys=("name",))] = ()
    share: int | str | None = None
    when: dt.datetime | None = None
    labels: dict[str, Annotated[str, Limits(min_length=1)]] = msgspec.field(default_factory=dict)
    free: Any = None
    open_: dict[str, Any] = msgspec.field(default_factory=dict)
    told: Annotated[str, Limits(required=True, enum=("x", "y"), default="x")] = ""
    overridden: Annotated[Part, Limits(min_properties=2)] | None = None
    maybe: bool | msgspec.UnsetType = msgspec.UNSET
    checked: Annotated[str, Limits(rules=(Rule(rule="self != ''", message="say something"),))] = ""


PROPERTIES = from_type(Thing)["properties"]


def test_an_object_leaves_its_metadata_open() -> None:
    assert PROPERTIES["apiVersion"] == {"type": "string"}
    assert PROPERTIES["metadata"] == {"type": "object"}


def test_fields_without_a_default_are_required_and_so_are_those_that_say_it() -> None:
    assert from_type(Thing)["required"] == ["count", "told"]


def test_limits_add_up_from_the_inside_out() -> None:
    assert PROPERTIES["count"] == {"type": "integer", "format": "int32", "minimum": 0}


def test_a_class_says_limits_for_all_its_uses_and_a_field_overrides_them() -> None:
    assert PROPERTIES["parts"]["items"]["minProperties"] == 1
    assert PROPERTIES["overridden"]["minProperties"] == 2
    assert PROPERTIES["overridden"]["x-kubernetes-map-type"] == "atomic"


def test_a_docstring_becomes_the_description_in_one_line() -> None:
    assert PROPERTIES["overridden"]["description"] == "A part. It has more to say."


def test_a_description_calls_fields_as_manifests_do() -> None:
    assert from_type(Thing)["description"] == "A thing, `open` to all."


def test_list_map_keys_make_the_list_a_map() -> None:
    assert PROPERTIES["parts"]["x-kubernetes-list-type"] == "map"
    assert PROPERTIES["parts"]["x-kubernetes-list-map-keys"] == ["name"]


@pytest.mark.parametrize(
    ("field", "schema"),
    [
        ("share", {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}),
        ("when", {"type": "string", "format": "date-time"}),
        ("labels", {"type": "object", "additionalProperties": {"type": "string", "minLength": 1}}),
        ("free", {"x-kubernetes-preserve-unknown-fields": True}),
        ("open", {"type": "object", "x-kubernetes-preserve-unknown-fields": True}),
        ("told", {"type": "string", "enum": ["x", "y"], "default": "x"}),
        ("maybe", {"type": "boolean"}),
        (
            "checked",
            {"type": "string", "x-kubernetes-validations": [{"rule": "self != ''", "message": "say something"}]},
        ),
    ],
)
def test_each_type_has_its_schema(field: str, schema: dict[str, Any]) -> None:
    assert PROPERTIES[field] == schema


def test_a_type_without_a_schema_is_named() -> None:
    class Odd(Model):
        field: int | bytes = 0

    with pytest.raises(TypeError, match=r"Odd\.field"):
        from_type(Odd)


def test_a_crd_made_from_a_type_is_structural_and_judges_objects() -> None:
    made = crd.crd(crd.Version(type=Thing, storage=True, columns=(crd.AGE,), scale=crd.Scale()))
    schema = made["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    assert structural.problems(schema, "schema") == []
    errors = engine.compile(schema).validate({"count": -1, "told": "z", "parts": [{"name": "abcd"}]})
    assert {e.path for e in errors} == {"count", "told", "parts[0].name"}
