"""The OpenAPI documents: `/openapi/v3/...` one for each group and version, `/openapi/v2` one for all.

kubectl looks into them for three things: the schemas, by `x-kubernetes-group-version-kind`; whether a PATCH knows
`dryRun` and `fieldValidation`; and which kinds of patch a resource takes. The paths say no more than that.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from capipool.apiserver.builtin.definition import Definition
from capipool.apiserver.discovery.schemas import GVK, Collector
from capipool.machinery import calls
from capipool.machinery.objects import Raw

_INFO = {"title": "Kubernetes", "version": "unversioned"}
_WRITE_QUERY = ("dryRun", "fieldManager", "fieldValidation")
_PATCHES = (calls.JSON_PATCH, calls.MERGE_PATCH, calls.APPLY_PATCH)
_RESPONSES = {"200": {"description": "OK"}}

_COLLECTION = {"list": "get", "create": "post"}
_ITEM = {"get": "get", "update": "put", "patch": "patch", "delete": "delete"}


def v3(definitions: Iterable[Definition]) -> Raw:
    """The document of one group and version."""
    collector = Collector("#/components/schemas/", version=3)
    paths: Raw = {}
    for definition in definitions:
        name = collector.add(definition)
        paths.update(_paths(definition, name, version=3))
    return {"openapi": "3.0.0", "info": _INFO, "paths": paths, "components": {"schemas": collector.found}}


def v2(definitions: Iterable[Definition]) -> Raw:
    """The document of everything."""
    collector = Collector("#/definitions/", version=2)
    paths: Raw = {}
    for definition in definitions:
        name = collector.add(definition)
        paths.update(_paths(definition, name, version=2))
    return {"swagger": "2.0", "info": _INFO, "paths": paths, "definitions": collector.found}


def _paths(definition: Definition, name: str, *, version: int) -> Iterator[tuple[str, Raw]]:
    collection = definition.resource.path("{namespace}" if definition.resource.namespaced else None)
    yield collection, _operations(definition, _COLLECTION, name, version=version)
    yield f"{collection}/{{name}}", _operations(definition, _ITEM, name, version=version)
    if definition.resource.namespaced:
        yield definition.resource.path(), _operations(definition, {"list": "get"}, name, version=version)


def _operations(definition: Definition, methods: dict[str, str], name: str, *, version: int) -> Raw:
    return {
        method: _operation(definition, verb, name, version=version)
        for verb, method in methods.items()
        if verb in definition.verbs
    }


def _operation(definition: Definition, verb: str, name: str, *, version: int) -> Raw:
    operation: Raw = {"x-kubernetes-action": verb, GVK: definition.gvk, "responses": _RESPONSES}
    if verb not in ("create", "update", "patch", "delete"):
        return operation
    query = _WRITE_QUERY if verb != "delete" else ("dryRun",)
    operation["parameters"] = [_parameter(name, version) for name in query]
    if version == 2:
        operation["consumes"] = list(_body_types(definition, verb))
    elif verb != "delete":
        schema: Any = {"$ref": f"#/components/schemas/{name}"} if verb != "patch" else {"type": "object"}
        operation["requestBody"] = {"content": {t: {"schema": schema} for t in _body_types(definition, verb)}}
    return operation


def _body_types(definition: Definition, verb: str) -> tuple[str, ...]:
    if verb != "patch":
        return (calls.PROTOCOL_JSON,)
    return (*_PATCHES, calls.STRATEGIC_MERGE_PATCH) if definition.builtin else _PATCHES


def _parameter(name: str, version: int) -> Raw:
    if version == 2:
        return {"name": name, "in": "query", "type": "string"}
    return {"name": name, "in": "query", "schema": {"type": "string"}}
