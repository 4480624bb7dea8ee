"""What a server says about itself is what kubectl, old and new, looks for."""

import json
from typing import Any

import pytest

from capipool.apiserver.builtin import crds
from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.builtin.table import RESOURCES
from capipool.apiserver.discovery import listings, protobuf
from capipool.apiserver.discovery.catalog import Catalog

AGGREGATED = (
    "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,"
    "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json"
)
PROTOBUF = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf"


def pools() -> list[Definition]:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["replicas"],
                "properties": {
                    "replicas": {"type": "integer", "nullable": True, "default": 1},
                    "port": {"x-kubernetes-int-or-string": True, "anyOf": [{"type": "integer"}, {"type": "string"}]},
                    "free": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
                    "labels": {"type": "object", "additionalProperties": {"type": "string"}},
                },
            }
        },
    }
    versions = [
        {
            "name": name,
            "served": True,
            "storage": name == "v1",
            "schema": {"openAPIV3Schema": schema},
            "subresources": {"status": {}, "scale": {}},
        }
        for name in ("v1beta1", "v1")
    ]
    names = {"plural": "pools", "kind": "Pool", "shortNames": ["pl"], "categories": ["all"]}
    return list(
        crds.definitions(
            {"spec": {"group": "example.org", "scope": "Namespaced", "names": names, "versions": versions}}
        )
    )


CATALOG = Catalog([*RESOURCES, *pools()])


def fetch(path: str, accept: str = "application/json") -> Any:
    document = CATALOG.answer(path, accept)
    assert document is not None
    return json.loads(document.body)


def test_groups_name_their_preferred_version() -> None:
    groups = {g["name"]: g for g in fetch("/apis")["groups"]}
    assert [v["version"] for v in groups["example.org"]["versions"]] == ["v1", "v1beta1"]
    assert groups["example.org"]["preferredVersion"] == {"groupVersion": "example.org/v1", "version": "v1"}
    assert fetch("/apis/example.org")["preferredVersion"]["version"] == "v1"
    assert fetch("/api")["versions"] == ["v1"]


def test_versions_are_ordered_by_stability_and_age() -> None:
    given = ["v1alpha1", "foo", "v1", "v2beta1", "v2", "v10", "v1beta2"]
    assert sorted(given, key=listings.version_priority) == ["v10", "v2", "v1", "v2beta1", "v1beta2", "v1alpha1", "foo"]


def test_a_resource_is_listed_with_its_subresources() -> None:
    resources = {r["name"]: r for r in fetch("/apis/example.org/v1")["resources"]}
    assert resources["pools"]["shortNames"] == ["pl"]
    assert resources["pools"]["singularName"] == "pool"
    assert set(resources["pools"]["verbs"]) >= {"get", "list", "watch", "patch", "deletecollection"}
    assert resources["pools/scale"] == {
        "name": "pools/scale",
        "singularName": "",
        "namespaced": True,
        "group": "autoscaling",
        "version": "v1",
        "kind": "Scale",
        "verbs": ["get", "patch", "update"],
    }
    core = {r["name"]: r for r in fetch("/api/v1")["resources"]}
    assert core["pods/eviction"]["kind"] == "Eviction"
    assert core["nodes"]["namespaced"] is False


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
def test_aggregated_discovery_says_everything_at_once(version: str) -> None:
    accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList,application/json"
    document = CATALOG.answer("/apis", accept)
    assert document is not None
    assert document.content_type == f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    found = json.loads(document.body)
    assert found["apiVersion"] == f"apidiscovery.k8s.io/{version}"
    (group,) = [g for g in found["items"] if g["metadata"]["name"] == "example.org"]
    assert [v["version"] for v in group["versions"]] == ["v1", "v1beta1"]
    (resource,) = group["versions"][0]["resources"]
    assert resource["responseKind"] == {"group": "example.org", "version": "v1", "kind": "Pool"}
    assert [s["subresource"] for s in resource["subresources"]] == ["scale", "status"]
    assert fetch("/api", AGGREGATED)["items"][0]["metadata"]["name"] == ""


def test_plain_discovery_is_given_to_who_asks_for_it_first() -> None:
    assert fetch("/apis", "application/json")["kind"] == "APIGroupList"
    assert fetch("/apis", "*/*")["kind"] == "APIGroupList"
    assert fetch("/apis", f"application/json,{AGGREGATED}")["kind"] == "APIGroupList"


@pytest.mark.parametrize(
    "path", ["/nope", "/apis/nobody", "/apis/example.org/v9", "/openapi/v3/apis/nobody/v1", "/api/v9"]
)
def test_what_is_not_served_is_not_found(path: str) -> None:
    assert CATALOG.answer(path) is None


def test_the_same_kinds_give_the_same_bytes() -> None:
    other = Catalog([*pools(), *RESOURCES])
    for path in ("/apis", "/openapi/v3", "/openapi/v2"):
        mine, theirs = CATALOG.answer(path), other.answer(path)
        assert mine == theirs
        assert mine is CATALOG.answer(path)


# -- OpenAPI ----------------------------------------------------------------------------------------------------------


def test_the_index_of_openapi_leads_to_documents() -> None:
    paths = fetch("/openapi/v3")["paths"]
    address = paths["apis/example.org/v1"]["serverRelativeURL"]
    assert address.startswith("/openapi/v3/apis/example.org/v1?hash=")
    document = fetch(address.partition("?")[0])
    assert document["openapi"] == "3.0.0"
    schema = document["components"]["schemas"]["org.example.v1.Pool"]
    assert schema["x-kubernetes-group-version-kind"] == [{"group": "example.org", "version": "v1", "kind": "Pool"}]
    assert schema["properties"]["spec"]["properties"]["replicas"]["nullable"] is True


def test_every_reference_leads_somewhere() -> None:
    for name in fetch("/openapi/v3")["paths"]:
        document = fetch(f"/openapi/v3/{name}")
        schemas = document["components"]["schemas"]
        assert {r.removeprefix("#/components/schemas/") for r in references(document)} <= schemas.keys()
    document = fetch("/openapi/v2")
    assert {r.removeprefix("#/definitions/") for r in references(document)} <= document["definitions"].keys()


def references(value: Any) -> set[str]:
    if isinstance(value, dict):
        own = {value["$ref"]} if isinstance(value.get("$ref"), str) else set()
        return own.union(*(references(v) for v in value.values()))
    return set().union(*(references(v) for v in value)) if isinstance(value, list) else set()


def test_a_patch_says_which_parameters_and_which_bodies_it_takes() -> None:
    patch = fetch("/openapi/v3/apis/example.org/v1")["paths"][
        "/apis/example.org/v1/namespaces/{namespace}/pools/{name}"
    ]["patch"]
    assert {p["name"] for p in patch["parameters"]} == {"dryRun", "fieldManager", "fieldValidation"}
    assert patch["x-kubernetes-group-version-kind"]["kind"] == "Pool"
    assert "application/strategic-merge-patch+json" not in patch["requestBody"]["content"]
    node = fetch("/openapi/v3/api/v1")["paths"]["/api/v1/nodes/{name}"]["patch"]
    assert "application/strategic-merge-patch+json" in node["requestBody"]["content"]


def test_version_2_leaves_untyped_what_may_be_anything() -> None:
    definitions = fetch("/openapi/v2")["definitions"]
    spec = definitions["org.example.v1.Pool"]["properties"]["spec"]
    assert spec["properties"] == {
        "replicas": {"type": "integer"},
        "port": {},
        "free": {},
        "labels": {"type": "object", "additionalProperties": {"type": "string"}},
    }
    containers = definitions["io.k8s.api.PodSpec"]["properties"]["containers"]
    assert containers["x-kubernetes-patch-merge-key"] == "name"
    assert containers["items"] == {"$ref": "#/definitions/io.k8s.api.Container"}


# -- protobuf ---------------------------------------------------------------------------------------------------------


def fields(data: bytes) -> list[tuple[int, Any]]:
    """Take a protobuf message apart: field numbers and values, strings left as bytes."""
    found, position = [], 0

    def varint() -> int:
        nonlocal position
        result = shift = 0
        while True:
            byte = data[position]
            position += 1
            result |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return result

    while position < len(data):
        tag = varint()
        if tag & 7 == 0:
            found.append((tag >> 3, varint()))
        else:
            assert tag & 7 == 2
            length = varint()
            found.append((tag >> 3, data[position : position + length]))
            position += length
    assert position == len(data)
    return found


def test_older_clients_get_protobuf() -> None:
    document = CATALOG.answer("/openapi/v2", PROTOBUF)
    assert document is not None
    assert document.content_type == protobuf.CONTENT_TYPE
    top = dict(fields(document.body))
    assert top[1] == b"2.0"
    names = {dict(fields(named))[1].decode() for _, named in fields(top[9])}
    assert names == fetch("/openapi/v2")["definitions"].keys()


def test_a_schema_in_protobuf_says_what_it_says_in_json() -> None:
    schema = {
        "type": "object",
        "required": ["a"],
        "properties": {"a": {"type": "array", "items": {"$ref": "#/definitions/x"}}},
        "x-kubernetes-list-type": "map",
    }
    document = {"swagger": "2.0", "info": {"title": "t", "version": "v"}, "paths": {}, "definitions": {"n": schema}}
    definitions = dict(fields(protobuf.encode(document)))[9]
    named = dict(fields(dict(fields(definitions))[1]))
    assert named[1] == b"n"
    found = dict(fields(named[2]))
    assert dict(fields(found[22]))[1] == b"object"
    assert found[19] == b"a"
    (property_,) = [value for _, value in fields(found[25])]
    items = dict(fields(dict(fields(dict(fields(property_))[2]))[23]))[1]
    assert dict(fields(items))[1] == b"#/definitions/x"
    extension = dict(fields(found[31]))
    assert extension[1] == b"x-kubernetes-list-type"
    assert dict(fields(extension[2]))[2] == b'"map"'


def test_lengths_beyond_a_byte_are_written_as_varints() -> None:
    name = "n" * 300
    document = {"swagger": name, "info": {"title": "", "version": ""}, "paths": {}, "definitions": {}}
    assert dict(fields(protobuf.encode(document)))[1].decode() == name
