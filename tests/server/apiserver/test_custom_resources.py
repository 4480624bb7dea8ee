"""CustomResourceDefinitions: kinds that come, are checked, convert, and go; rules and converters of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from capipool.apiserver.store.journal import MemoryJournal
from capipool.machinery import calls, errors
from capipool.machinery.admission import Admit, Converter, Rules, Verdict
from capipool.machinery.resource import Resource
from tests.server.apiserver import world as worlds
from tests.server.apiserver.world import CRDS, POOLS, Raw, World, pool

OLD = POOLS.at("v1beta1")


async def test_a_kind_is_served_as_soon_as_its_definition_is_acknowledged(world: World) -> None:
    made = await world.create(CRDS, worlds.crd())
    conditions = {c["type"]: c["status"] for c in made["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}
    assert made["status"]["acceptedNames"]["listKind"] == "PoolList"
    assert made["status"]["storedVersions"] == ["v1"]
    assert (await world.create(POOLS, pool("a")))["spec"] == {"replicas": 1, "color": "blue"}


@pytest.mark.parametrize(
    ("spec", "path"),
    [
        ({"replicas": -1}, "spec.replicas"),
        ({"replicas": "three"}, "spec.replicas"),
        ({}, "spec.replicas"),
        ({"replicas": 1, "color": "green"}, "spec.color"),
    ],
)
async def test_what_breaks_the_schema_is_refused_with_the_field(pools: World, spec: Raw, path: str) -> None:
    with pytest.raises(errors.Invalid) as error:
        await pools.create(POOLS, pool("a") | {"spec": spec})
    assert [e.path for e in error.value.errors] == [path]
    assert error.value.http_code == 422
    assert error.value.details["causes"][0]["field"] == path


async def test_a_definition_can_change_while_it_is_served(pools: World) -> None:
    await pools.create(POOLS, pool("a"))
    raw = await pools.get(CRDS, "pools.example.org")
    raw["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"]["x"] = {
        "type": "string"
    }
    changed = await pools.update(CRDS, raw)
    assert changed["metadata"]["generation"] == 2
    assert (await pools.patch(POOLS, "a", {"spec": {"x": "y"}}))["spec"]["x"] == "y"


async def test_names_that_another_has_are_not_accepted(pools: World) -> None:
    other = worlds.crd(names={"plural": "puddles", "kind": "Pool"})
    other["metadata"]["name"] = "puddles.example.org"
    made = await pools.create(CRDS, other)
    conditions = {c["type"]: (c["status"], c["reason"]) for c in made["status"]["conditions"]}
    assert conditions["NamesAccepted"] == ("False", "NamesConflict")
    assert conditions["Established"] == ("False", "NotAccepted")
    await pools.create(POOLS, pool("a"))


async def test_a_malformed_definition_is_refused(world: World) -> None:
    with pytest.raises(errors.Invalid, match=r"metadata\.name"):
        await world.create(CRDS, worlds.crd(group="other.org"))
    with pytest.raises(errors.Invalid):
        await world.create(CRDS, worlds.crd(versions=[]))
    with pytest.raises(errors.Invalid):
        await world.create(CRDS, worlds.crd(names="pools"))
    with pytest.raises(errors.Invalid):
        await world.create(CRDS, worlds.crd(versions=[1]))
    with pytest.raises(errors.Invalid):
        await world.create(CRDS, worlds.crd(names={"plural": "pools", "kind": "Pool", "shortNames": 7}))
    assert await world.names(CRDS) == []


async def test_the_objects_go_before_their_kind(pools: World) -> None:
    held = pool("held")
    held["metadata"]["finalizers"] = ["example.org/x"]
    await pools.create(POOLS, held)
    await pools.create(POOLS, pool("free"))
    marked = await pools.delete(CRDS, "pools.example.org")
    assert marked["metadata"]["finalizers"] == ["customresourcecleanup.apiextensions.k8s.io"]
    await pools.settle()
    assert await pools.names(POOLS) == ["held"]
    with pytest.raises(errors.MethodNotAllowed, match="terminating"):
        await pools.create(POOLS, pool("late"))
    await pools.patch(POOLS, "held", {"metadata": {"finalizers": None}})
    await pools.gone(CRDS, "pools.example.org")
    with pytest.raises(errors.NotFound):
        await pools.list(POOLS)
    await pools.create(CRDS, worlds.crd())
    assert await pools.names(POOLS) == []


async def test_a_kind_that_is_served_no_more_is_still_cleaned_up(pools: World) -> None:
    await pools.create(worlds.NAMESPACES, {"metadata": {"name": "n"}})
    await pools.create(POOLS, pool("a"), namespace="n")
    await pools.create(POOLS, pool("b"))
    off = [{"op": "replace", "path": f"/spec/versions/{i}/served", "value": False} for i in range(2)]
    await pools.patch(CRDS, "pools.example.org", off, content_type=calls.JSON_PATCH)
    with pytest.raises(errors.NotFound):
        await pools.list(POOLS)
    await pools.delete(worlds.NAMESPACES, "n")
    await pools.gone(worlds.NAMESPACES, "n")
    collection = pools.server.context.store.collection("", "example.org", "pools")
    assert [e.name for e in collection.entries()] == ["b"]
    await pools.delete(CRDS, "pools.example.org")
    await pools.gone(CRDS, "pools.example.org")
    assert collection.count() == 0


async def test_no_definition_takes_the_place_of_a_built_in_kind(world: World) -> None:
    names = {"plural": "leases", "kind": "Lease"}
    raw = worlds.crd(group="coordination.k8s.io", names=names)
    raw["metadata"]["name"] = "leases.coordination.k8s.io"
    made = await world.create(CRDS, raw)
    assert {c["type"]: c["status"] for c in made["status"]["conditions"]}["Established"] == "False"
    leases = Resource("coordination.k8s.io", "v1", "Lease", "leases")
    await world.create(leases, {"metadata": {"name": "a"}, "spec": {"holderIdentity": "me"}})
    await world.delete(CRDS, "leases.coordination.k8s.io")
    await world.gone(CRDS, "leases.coordination.k8s.io")
    assert await world.names(leases) == ["a"]


async def test_kinds_and_objects_outlive_the_process() -> None:
    journal = MemoryJournal()
    async with worlds.running(journal) as world:
        await world.create(CRDS, worlds.crd())
        made = await world.create(POOLS, pool("a"))
    async with worlds.running(journal) as world:
        assert await world.get(POOLS, "a") == made
        later = await world.patch(POOLS, "a", {"spec": {"replicas": 2}})
        assert int(later["metadata"]["resourceVersion"]) > int(made["metadata"]["resourceVersion"])


async def test_without_a_converter_versions_differ_in_name_only(pools: World) -> None:
    await pools.create(OLD, pool("a") | {"apiVersion": "example.org/v1beta1"})
    assert (await pools.get(POOLS, "a"))["apiVersion"] == "example.org/v1"
    assert (await pools.get(OLD, "a"))["apiVersion"] == "example.org/v1beta1"
    assert (await pools.list(OLD))["items"][0]["apiVersion"] == "example.org/v1beta1"
    changed = await pools.patch(OLD, "a", {"spec": {"replicas": 4}})
    assert changed["apiVersion"] == "example.org/v1beta1"
    assert (await pools.get(POOLS, "a"))["spec"]["replicas"] == 4


def convert(raw: Mapping[str, Any], version: str) -> Raw:
    """In v1beta1 the color is written in capitals."""
    spec = dict(raw["spec"])
    if color := spec.get("color"):
        spec["color"] = color.upper() if version == "v1beta1" else color.lower()
    return {**raw, "apiVersion": f"example.org/{version}", "spec": spec}


def free_crd() -> Raw:
    raw = worlds.crd()
    for version in raw["spec"]["versions"]:
        version["schema"] = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    return raw


async def test_a_converter_stands_between_the_versions(world: World) -> None:
    world.server.add_converter(Converter(group="example.org", kind="Pool", convert=convert))
    await world.create(CRDS, free_crd())
    made = await world.create(OLD, pool("a", color="RED") | {"apiVersion": "example.org/v1beta1"})
    assert made["spec"]["color"] == "RED"
    assert (await world.get(POOLS, "a"))["spec"]["color"] == "red"
    watch = world.watch(OLD)
    (event,) = await anext(watch)
    assert b'"RED"' in event.object
    await world.patch(POOLS, "a", {"spec": {"color": "blue"}})
    (event,) = await anext(watch)
    assert b'"BLUE"' in event.object
    before = await world.get(OLD, "a")
    assert await world.update(OLD, before) == before


async def test_rules_fill_in_judge_and_warn_in_their_version(pools: World) -> None:
    seen: list[Admit] = []

    def default(admit: Admit) -> Raw:
        assert admit.object is not None
        return {**admit.object, "spec": {"color": "red", **admit.object["spec"]}}

    def validate(admit: Admit) -> Verdict:
        seen.append(admit)
        if admit.operation == "DELETE":
            return Verdict(refusal="it is still needed")
        assert admit.object is not None
        bad = admit.object["spec"]["replicas"] == 13
        return Verdict(
            errors=(errors.invalid("spec.replicas", 13, "must not be unlucky"),) if bad else (),
            warnings=("think twice",),
        )

    pools.server.add_rules(Rules(resource=OLD, default=default, validate=validate))
    reply = await pools.call("create", POOLS, body=pool("a"))
    assert reply.warnings == ("think twice",)
    assert worlds.decoded(reply)["spec"]["color"] == "blue"  # the schema's own default comes first
    assert seen[0].object is not None
    assert seen[0].object["apiVersion"] == "example.org/v1beta1"
    with pytest.raises(errors.Invalid, match="must not be unlucky"):
        await pools.patch(POOLS, "a", {"spec": {"replicas": 13}})
    asked = len(seen)
    await pools.patch(POOLS, "a", {"status": {"replicas": 1}}, subresource="status")
    assert len(seen) == asked
    with pytest.raises(errors.Forbidden, match="it is still needed"):
        await pools.delete(POOLS, "a")
