"""Server-side apply: intents meet, and each field belongs to who last decided it."""

import datetime as dt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capipool.apiserver.builtin.table import RESOURCES
from capipool.apiserver.fieldmanager import owners, paths, values
from capipool.machinery import errors
from capipool.machinery.patch import merge
from capipool.machinery.schema import engine

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
LATER = NOW + dt.timedelta(hours=1)
NAME = {"type": "string"}
SCHEMA = engine.compile(
    {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "properties": {
                    "replicas": {"type": "integer"},
                    "paused": {"type": "boolean"},
                    "selector": {"type": "object", "x-kubernetes-map-type": "atomic", "additionalProperties": NAME},
                    "plain": {"type": "array", "items": NAME},
                    "names": {"type": "array", "items": NAME, "x-kubernetes-list-type": "set"},
                    "ports": {
                        "type": "array",
                        "x-kubernetes-list-type": "map",
                        "x-kubernetes-list-map-keys": ["port", "protocol"],
                        "items": {
                            "type": "object",
                            "properties": {
                                "port": {"type": "integer"},
                                "protocol": {"type": "string", "default": "TCP"},
                                "name": NAME,
                            },
                        },
                    },
                    "any": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                },
            },
            "status": {"type": "object", "properties": {"phase": NAME, "ready": {"type": "boolean"}}},
        },
    }
).schema


def thing(*, labels: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    meta: dict[str, Any] = {"name": "t"}
    return {"apiVersion": "x/v1", "kind": "T", "metadata": meta | ({"labels": labels} if labels else {}), "spec": spec}


def apply(live: Any, intent: Any, manager: str = "gitops", **more: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"force": False, "subresource": "", "now": NOW} | more
    return owners.apply(live, intent, manager=manager, schema=SCHEMA, api_version="x/v1", **given)


def update(
    old: Any, new: Any, manager: str = "editor", subresource: str = "", now: dt.datetime = NOW
) -> dict[str, Any]:
    return owners.track(old, new, manager=manager, subresource=subresource, schema=SCHEMA, now=now, api_version="x/v1")


def edited(obj: dict[str, Any], **spec: Any) -> dict[str, Any]:
    kept = {k: v for k, v in (obj["spec"] | spec).items() if v is not None}
    return {**obj, "spec": kept}


def owned_by(obj: dict[str, Any], manager: str, subresource: str | None = None) -> set[str]:
    found: set[str] = set()
    for entry in obj["metadata"].get("managedFields", ()):
        if entry["manager"] == manager and subresource in (None, entry.get("subresource", "")):
            found |= {paths.show(p) for p in paths.parse(entry["fieldsV1"])}
    return found


def test_an_apply_creates_and_owns_what_it_says() -> None:
    obj = apply(None, thing(labels={"a": "b"}, replicas=3))
    assert obj["spec"] == {"replicas": 3}
    assert owned_by(obj, "gitops") == {".metadata.labels.a", ".spec.replicas"}
    (entry,) = obj["metadata"]["managedFields"]
    assert entry == {
        "manager": "gitops",
        "operation": "Apply",
        "apiVersion": "x/v1",
        "time": "2026-01-01T00:00:00Z",
        "fieldsType": "FieldsV1",
        "fieldsV1": {"f:metadata": {"f:labels": {"f:a": {}}}, "f:spec": {"f:replicas": {}}},
    }


def test_applying_the_same_again_changes_nothing() -> None:
    obj = apply(None, thing(replicas=3, ports=[{"port": 80}]))
    assert apply(obj, thing(replicas=3, ports=[{"port": 80}]), now=LATER) is obj


def test_what_is_no_longer_applied_is_removed() -> None:
    obj = apply(None, thing(labels={"a": "b"}, replicas=3, paused=True, ports=[{"port": 80}, {"port": 81}]))
    obj = apply(obj, thing(replicas=3, ports=[{"port": 81}]))
    assert obj["spec"] == {"replicas": 3, "ports": [{"port": 81}]}
    assert "labels" not in obj["metadata"]


def test_what_another_applied_too_stays() -> None:
    obj = apply(None, thing(replicas=3, paused=True))
    obj = apply(obj, thing(paused=True), "other")
    obj = apply(obj, thing(replicas=3))
    assert obj["spec"]["paused"] is True
    assert owned_by(obj, "gitops") == {".spec.replicas"}
    assert owned_by(obj, "other") == {".spec.paused"}


def test_a_conflict_names_the_other_and_the_fields() -> None:
    obj = apply(None, thing(replicas=3, paused=True))
    with pytest.raises(errors.Conflict) as caught:
        apply(obj, thing(replicas=4), "other")
    assert caught.value.message == 'Apply failed with 1 conflict: conflict with "gitops": .spec.replicas'
    assert caught.value.details["causes"] == [
        {"reason": "FieldManagerConflict", "message": 'conflict with "gitops"', "field": ".spec.replicas"}
    ]
    with pytest.raises(
        errors.Conflict, match=r'Apply failed with 2 conflicts: conflicts with "gitops":\n- .spec.paused'
    ):
        apply(obj, thing(replicas=4, paused=False), "other")


def test_force_takes_the_field() -> None:
    obj = apply(None, thing(replicas=3, paused=True))
    obj = apply(obj, thing(replicas=4), "other", force=True)
    assert obj["spec"] == {"replicas": 4, "paused": True}
    assert owned_by(obj, "gitops") == {".spec.paused"}
    assert owned_by(obj, "other") == {".spec.replicas"}


def test_an_autoscaler_takes_replicas_over_and_the_manifest_that_leaves_them_out_never_takes_them_back() -> None:
    obj = apply(None, thing(replicas=3, paused=False))
    obj = update(obj, edited(obj, replicas=7), "cluster-autoscaler", "scale", LATER)
    assert owned_by(obj, "cluster-autoscaler", "scale") == {".spec.replicas"}
    obj = apply(obj, thing(paused=True))
    assert obj["spec"] == {"replicas": 7, "paused": True}
    with pytest.raises(errors.Conflict) as caught:
        apply(obj, thing(paused=True, replicas=3))
    assert 'conflict with "cluster-autoscaler" with subresource "scale" using x/v1 at 2026-01-01T01:00:00Z' in str(
        caught.value
    )


def test_who_gives_a_field_up_before_another_takes_it_removes_it() -> None:
    obj = apply(None, thing(replicas=3, paused=False))
    assert "replicas" not in apply(obj, thing(paused=False))["spec"]


def test_the_first_apply_finds_an_owner_of_what_was_there() -> None:
    live = thing(replicas=3, paused=False) | {"status": {"phase": "Running"}}
    obj = apply(live, thing(replicas=3, plain=["a"]))
    assert owned_by(obj, "before-first-apply", "") == {".spec.replicas", ".spec.paused"}
    assert owned_by(obj, "before-first-apply", "status") == {".status.phase"}
    with pytest.raises(errors.Conflict, match="before-first-apply"):
        apply(live, thing(replicas=4))
    assert apply(live, thing(replicas=4), force=True)["spec"] == {"replicas": 4, "paused": False}


def test_an_object_that_nobody_applied_is_not_tracked() -> None:
    old = thing(replicas=3)
    new = edited(old, replicas=4)
    assert update(old, new) is new
    assert update(None, new) is new


def test_an_update_takes_what_it_changes_and_drops_what_it_removes() -> None:
    obj = apply(None, thing(replicas=3, paused=True, names=["a"]))
    obj = update(obj, edited(obj, replicas=4, names=["a", "b"], paused=None))
    assert owned_by(obj, "gitops") == {'.spec.names[="a"]'}
    assert owned_by(obj, "editor") == {".spec.replicas", '.spec.names[="b"]'}


def test_an_update_that_changes_nothing_leaves_the_managed_fields() -> None:
    obj = apply(None, thing(replicas=3))
    sent = thing(replicas=3)
    assert update(obj, sent, now=LATER)["metadata"] == obj["metadata"]


def test_tracking_ends_where_a_client_asks_for_it() -> None:
    obj = apply(None, thing(replicas=3))
    sent = {**obj, "metadata": {**obj["metadata"], "managedFields": [{}]}}
    assert "managedFields" not in update(obj, sent)["metadata"]


def test_status_is_owned_apart() -> None:
    obj = apply(None, thing(replicas=3) | {"status": {"phase": "ignored"}})
    assert "status" not in obj
    obj = apply(obj, thing(replicas=9) | {"status": {"phase": "Running"}}, "controller", subresource="status")
    assert obj["spec"]["replicas"] == 3
    assert owned_by(obj, "controller", "status") == {".status.phase"}
    obj = apply(obj, thing(replicas=3))
    assert obj["status"] == {"phase": "Running"}


def test_items_of_list_maps_are_owned_one_by_one() -> None:
    obj = apply(None, thing(ports=[{"port": 80, "name": "http"}]))
    obj = apply(obj, thing(ports=[{"port": 443, "protocol": "TCP"}]), "other")
    assert [p["port"] for p in obj["spec"]["ports"]] == [80, 443]
    assert owned_by(obj, "gitops") == {
        '.spec.ports[port=80,protocol="TCP"]',
        '.spec.ports[port=80,protocol="TCP"].port',
        '.spec.ports[port=80,protocol="TCP"].name',
    }
    obj = apply(obj, thing())
    assert [p["port"] for p in obj["spec"]["ports"]] == [443]


def test_applied_items_keep_their_order_among_what_others_have() -> None:
    obj = apply(None, thing(ports=[{"port": n} for n in (1, 2)]))
    obj = apply(obj, thing(ports=[{"port": 9}]), "other")
    obj = apply(obj, thing(ports=[{"port": n} for n in (2, 1, 3)]))
    assert [p["port"] for p in obj["spec"]["ports"]] == [2, 1, 9, 3]


def test_atomic_lists_and_maps_have_one_owner() -> None:
    obj = apply(None, thing(plain=["a"], selector={"a": "b"}))
    assert owned_by(obj, "gitops") == {".spec.plain", ".spec.selector"}
    with pytest.raises(errors.Conflict):
        apply(obj, thing(selector={"c": "d"}), "other")
    assert apply(obj, thing(selector={"c": "d"}), "other", force=True)["spec"]["selector"] == {"c": "d"}


def test_what_the_schema_does_not_know_is_taken_apart_by_its_objects() -> None:
    obj = apply(None, thing(any={"a": {"b": 1}}))
    obj = apply(obj, thing(any={"a": {"c": [1]}}), "other")
    assert obj["spec"]["any"] == {"a": {"b": 1, "c": [1]}}
    assert apply(obj, thing())["spec"]["any"] == {"a": {"c": [1]}}


def test_an_intent_may_not_carry_managed_fields() -> None:
    obj = apply(None, thing(replicas=3))
    with pytest.raises(errors.BadRequest, match="managedFields must be nil"):
        apply(obj, obj)


def test_a_null_in_an_intent_says_nothing() -> None:
    obj = apply(None, thing(replicas=3, paused=None, any={"a": None}) | {"status": None})
    assert owned_by(obj, "gitops") == {".spec.replicas", ".spec.any"}
    assert obj["spec"] == {"replicas": 3, "any": {}}


def test_only_so_many_updaters_are_remembered_by_name() -> None:
    obj = apply(None, thing(replicas=0))
    for n in range(15):
        obj = update(
            obj, edited(obj, any={f"k{n}": n, **obj["spec"].get("any", {})}), f"m{n}", now=NOW + n * (LATER - NOW)
        )
    updaters = [e["manager"] for e in obj["metadata"]["managedFields"] if e["operation"] == "Update"]
    assert len(updaters) <= owners.MAX_UPDATERS + 1
    assert "ancient-changes" in updaters
    assert owned_by(obj, "ancient-changes") >= {".spec.any.k0", ".spec.any.k1"}


def test_containers_of_a_builtin_kind_are_a_list_map() -> None:
    deployment = next(d for d in RESOURCES if d.resource.kind == "Deployment").structural.schema

    def pod(*containers: Any) -> dict[str, Any]:
        return {"spec": {"template": {"spec": {"containers": list(containers)}}}}

    given: dict[str, Any] = {
        "subresource": "",
        "schema": deployment,
        "now": NOW,
        "api_version": "apps/v1",
        "force": False,
    }
    live = owners.apply(None, pod({"name": "a", "env": [{"name": "X", "value": "1"}]}), manager="one", **given)
    both = owners.apply(live, pod({"name": "a", "env": [{"name": "Y", "value": "2"}]}), manager="two", **given)
    (container,) = both["spec"]["template"]["spec"]["containers"]
    assert [e["name"] for e in container["env"]] == ["X", "Y"]


ELEMENTS = st.sampled_from(["f:a", "f:b", 'k:{"n":1}', 'v:"x"'])
PATHS = st.frozensets(st.lists(ELEMENTS, min_size=1, max_size=4).map(tuple), max_size=8)


@given(PATHS)
def test_a_set_of_fields_survives_its_wire_form(fields: paths.Fields) -> None:
    assert paths.parse(paths.to_v1(fields)) == fields


SPECS = st.fixed_dictionaries(
    {},
    optional={
        "replicas": st.integers(0, 2),
        "names": st.lists(st.sampled_from("abc"), unique=True, max_size=3),
        "plain": st.lists(st.sampled_from("ab"), max_size=2),
        "ports": st.lists(
            st.builds(lambda p: {"port": p}, st.integers(1, 3)), unique_by=lambda p: p["port"], max_size=3
        ),
    },
)


@given(st.lists(st.tuples(st.sampled_from(["a", "b", "c"]), SPECS), max_size=6), SPECS)
def test_after_a_forced_apply_the_object_says_what_the_intent_says(steps: list[tuple[str, Any]], last: Any) -> None:
    obj = None
    for manager, spec in [*steps, ("a", last)]:
        obj = apply(obj, thing(**spec), manager, force=True)
    assert obj is not None
    found = obj.get("spec", {})
    for key, value in last.items():
        if key == "ports":
            assert all(item in found.get(key, []) for item in value)
        elif key == "names":
            assert set(value) <= set(found.get(key, []))
        else:
            assert found[key] == value
    everyone = set[str]().union(*(owned_by(obj, m) for m in "abc"))
    assert (".spec.replicas" in everyone) == ("replicas" in found)


MAPS = st.dictionaries(st.sampled_from("ab"), st.sampled_from(["", "x"]), max_size=2)
FREE = st.recursive(MAPS, lambda inner: st.dictionaries(st.sampled_from("cd"), inner, max_size=2), max_leaves=4)
ANYTHING = st.fixed_dictionaries(
    {}, optional={"spec": SPECS, "status": MAPS, "labels": MAPS, "selector": MAPS, "any": FREE, "unknown": FREE}
)


@given(ANYTHING, ANYTHING)
def test_leaving_out_what_is_the_same_in_both_finds_the_same_changes(old: Any, new: Any) -> None:
    one, other = (_laid_out(each) for each in (old, new))
    before, after = (values.leaves(each, SCHEMA) for each in (one, other))
    changed = {p for p, v in after.values.items() if p not in before.values or not merge.same(before.values[p], v)}
    gone = {p for p in before.values if p not in after.values and p not in after.holders}
    before, after = values.differing(one, other, SCHEMA)
    assert {p for p, v in after.values.items() if p not in before.values or before.values[p] != v} == changed
    assert {p for p in before.values if p not in after.values and p not in after.holders} == gone


def _laid_out(parts: dict[str, Any]) -> dict[str, Any]:
    """Some parts in the spec, where the schema knows maps that are owned whole, free ones, and none at all."""
    inner = {key: parts[key] for key in ("selector", "any", "unknown") if key in parts}
    whole = thing(labels=parts.get("labels"), **parts.get("spec", {}), **inner)
    return whole | ({"status": parts["status"]} if "status" in parts else {})
