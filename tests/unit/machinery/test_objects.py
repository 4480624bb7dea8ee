"""Typed objects keep what they do not know."""

import json

from hypothesis import given
from hypothesis import strategies as st

from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Model, Object, ObjectMeta, Unstructured


class Port(Model):
    name: str
    number: int = 0


class WidgetSpec(Model):
    provider_id_list: tuple[str, ...] = ()
    size: int | None = None
    ports: tuple[Port, ...] = ()


class Latch(Model):
    open: bool | None = None


class WidgetStatus(Model):
    latch: Latch = Latch()


class Widget(Object):
    spec: WidgetSpec = WidgetSpec()
    status: WidgetStatus = WidgetStatus()
    conditions: tuple[Condition, ...] = ()


def widget(**raw: object) -> Widget:
    return objects.from_raw(Widget, {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": {"name": "w"}} | raw)


def test_wire_names_follow_kubernetes_spelling() -> None:
    assert objects.wire_name("provider_id_list") == "providerIDList"
    assert objects.wire_name("api_version") == "apiVersion"
    assert objects.wire_name("from_") == "from"


def test_unknown_fields_survive_a_change_at_every_depth() -> None:
    before = widget(
        spec={"size": 1, "new": {"deep": [1]}, "ports": [{"name": "a", "protocol": "TCP"}, {"name": "b"}]}, top="kept"
    )
    after = objects.replace(before, spec=objects.replace_part(before.spec, size=2))
    raw = objects.to_raw(after)
    assert raw["spec"]["size"] == 2
    assert raw["spec"]["new"] == {"deep": [1]}
    assert raw["spec"]["ports"][0] == {"name": "a", "protocol": "TCP"}
    assert raw["top"] == "kept"


def test_a_field_that_was_set_back_to_its_default_is_gone_from_the_wire() -> None:
    before = widget(spec={"size": 1})
    after = objects.replace(before, spec=objects.replace_part(before.spec, size=None))
    assert "size" not in objects.to_raw(after)["spec"]


def test_a_default_that_was_spelled_out_stays_and_so_does_what_is_unknown_inside_it() -> None:
    raw = {"apiVersion": "v1", "kind": "W", "metadata": {}, "spec": {"ports": [], "new": {"deep": 1}}, "conditions": []}
    assert objects.to_raw(objects.from_raw(Widget, raw)) == raw
    empty = {"apiVersion": "v1", "kind": "W", "metadata": {"name": "w"}, "spec": {}}
    assert objects.to_raw(objects.from_raw(Unstructured, empty)) == empty


def test_emptying_a_list_takes_it_off_the_wire() -> None:
    before = widget(spec={"ports": [{"name": "a"}], "size": 1})
    raw = objects.to_raw(objects.replace(before, spec=objects.replace_part(before.spec, ports=())))
    assert raw["spec"] == {"size": 1}


def test_a_part_set_back_to_its_default_keeps_only_what_its_type_does_not_know() -> None:
    before = widget(spec={"size": 1, "new": 2})
    assert objects.to_raw(objects.replace(before, spec=WidgetSpec()))["spec"] == {"new": 2}


def test_list_items_keep_their_unknown_fields_when_the_order_changes() -> None:
    before = widget(spec={"ports": [{"name": "a", "x": 1}, {"name": "b", "x": 2}]})
    ports = (Port(name="b", number=9), Port(name="c"))
    raw = objects.to_raw(objects.replace(before, spec=objects.replace_part(before.spec, ports=ports)))
    assert raw["spec"]["ports"] == [{"name": "b", "x": 2, "number": 9}, {"name": "c"}]


def test_list_items_without_an_identity_are_replaced_as_they_are() -> None:
    before = widget(spec={"ports": [{"name": "a", "x": 1}, {"name": "a", "x": 2}]})
    raw = objects.to_raw(objects.replace(before, spec=objects.replace_part(before.spec, ports=(Port(name="a"),))))
    assert raw["spec"]["ports"] == [{"name": "a"}]


def test_an_object_made_here_has_no_origin() -> None:
    assert objects.origin(Widget()) == {}
    assert json.loads(objects.encode(Widget(api_version="v1", kind="Widget", metadata=ObjectMeta(name="w")))) == {
        "apiVersion": "v1",
        "kind": "Widget",
        "metadata": {"name": "w"},
    }


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
EXTRA = st.dictionaries(st.text(min_size=1, max_size=6).map(lambda s: f"x-{s}"), JSON_VALUES, max_size=3)


@given(top=EXTRA, spec=EXTRA, metadata=EXTRA)
def test_reading_and_writing_without_a_change_gives_the_same_object(top: dict, spec: dict, metadata: dict) -> None:
    raw = {"apiVersion": "v1", "kind": "Widget", "metadata": metadata | {"name": "w"}, "spec": spec | {"size": 3}} | top
    assert objects.to_raw(objects.from_raw(Widget, raw)) == raw
    assert objects.to_raw(objects.from_raw(Unstructured, raw)) == raw


def test_a_part_that_says_nothing_is_left_away_however_it_came_to_be() -> None:
    """An empty object on the wire is refused by schemas that want at least one property."""
    status = objects.replace_part(WidgetStatus(), latch=objects.replace_part(Latch(), open=None))
    assert objects.part_to_raw(status) == {}
    emptied = objects.replace_part(WidgetStatus(latch=Latch(open=True)), latch=Latch(open=None))
    assert objects.part_to_raw(emptied) == {}
