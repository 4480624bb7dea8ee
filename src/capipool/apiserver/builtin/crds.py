"""CustomResourceDefinitions: what is filled in, what is refused, and the definitions that one serves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.apiserver.builtin.definition import Column, Definition, Scale
from capipool.machinery import names
from capipool.machinery.errors import FieldError, invalid, required
from capipool.machinery.objects import Raw
from capipool.machinery.resource import Resource
from capipool.machinery.schema import structural

_FREE: dict[str, Any] = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}


def prepare(crd: Raw, old: Raw | None) -> Raw:
    """Fill in the names that follow from others, and the default conversion."""
    spec = crd.get("spec")
    given = spec.get("names") if isinstance(spec, dict) else None
    if not isinstance(spec, dict) or not isinstance(given, dict) or not isinstance(given.get("kind"), str):
        return crd  # the schema says what is wrong with it
    kind = given["kind"]
    full = {
        **given,
        "singular": given.get("singular") or kind.lower(),
        "listKind": given.get("listKind") or f"{kind}List",
    }
    return {**crd, "spec": {**spec, "names": full, "conversion": spec.get("conversion") or {"strategy": "None"}}}


def validate(crd: Raw, old: Raw | None) -> list[FieldError]:
    """What keeps a CRD that fits its schema from being served."""
    spec = crd["spec"]
    errors = _names(crd["metadata"].get("name", ""), spec)
    versions = spec["versions"]
    storage = [v["name"] for v in versions if v["storage"]]
    if len(storage) != 1:
        errors.append(invalid("spec.versions", storage, "must have exactly one version marked as storage version"))
    known = [v["name"] for v in versions]
    if len(set(known)) != len(known):
        errors.append(invalid("spec.versions", known, "must contain unique version names"))
    stored = (crd.get("status") or {}).get("storedVersions") or ()
    for version in stored:
        if version not in known:
            detail = f"must appear in spec.versions: missing {version}"
            errors.append(invalid("status.storedVersions", list(stored), detail))
    for i, version in enumerate(versions):
        errors += _version(version, f"spec.versions[{i}]")
    return errors + (_immutable(spec, old["spec"]) if old is not None else [])


def _names(name: str, spec: Raw) -> list[FieldError]:
    errors = []
    plural, group = spec["names"]["plural"], spec["group"]
    if name != f"{plural}.{group}":
        errors.append(invalid("metadata.name", name, 'must be spec.names.plural+"."+spec.group'))
    if not names.is_dns_subdomain(group) or "." not in group:
        errors.append(invalid("spec.group", group, "should be a domain with at least one dot"))
    for field in ("plural", "singular"):
        value = spec["names"].get(field, "")
        if not names.is_dns_label(value):
            errors.append(invalid(f"spec.names.{field}", value, "must be a lowercase RFC 1035 label"))
    return errors


def _version(version: Raw, path: str) -> list[FieldError]:
    errors = []
    if not names.is_dns_label(version["name"]):
        errors.append(invalid(f"{path}.name", version["name"], "must be a lowercase RFC 1035 label"))
    schema = (version.get("schema") or {}).get("openAPIV3Schema")
    if schema is None:
        errors.append(required(f"{path}.schema.openAPIV3Schema", "schemas are required"))
    else:
        errors += structural.problems(schema, f"{path}.schema.openAPIV3Schema")
    for i, column in enumerate(version.get("additionalPrinterColumns") or ()):
        if not str(column.get("jsonPath", "")).startswith("."):
            at = f"{path}.additionalPrinterColumns[{i}].jsonPath"
            errors.append(invalid(at, column.get("jsonPath"), "must be a simple json path starting with ."))
    return errors


def _immutable(spec: Raw, old: Raw) -> list[FieldError]:
    return [
        invalid(f"spec.{field}", spec.get(field), "field is immutable")
        for field in ("group", "scope")
        if spec.get(field) != old.get(field)
    ]


def definitions(crd: Raw) -> Iterator[Definition]:
    """What a valid CRD serves: one definition for each served version."""
    spec = crd["spec"]
    given = spec["names"]
    for version in spec["versions"]:
        if not version.get("served"):
            continue
        resource = Resource(
            spec["group"], version["name"], given["kind"], given["plural"], spec["scope"] == "Namespaced"
        )
        subresources = version.get("subresources") or {}
        yield Definition(
            resource=resource,
            singular=given.get("singular") or given["kind"].lower(),
            list_kind=given.get("listKind") or f"{given['kind']}List",
            short_names=tuple(given.get("shortNames") or ()),
            categories=tuple(given.get("categories") or ()),
            subresources=frozenset(s for s in ("status", "scale") if s in subresources),
            scale=_scale(subresources.get("scale")),
            columns=tuple(map(_column, version.get("additionalPrinterColumns") or ())),
            selectable_fields={f["jsonPath"].lstrip("."): "" for f in version.get("selectableFields") or ()},
            make_schema=_schema_of(version),
            deprecated=_warning(resource, version),
        )


def storage_version(crd: Raw) -> str:
    """The version in which a valid CRD's objects are stored."""
    return next(str(v["name"]) for v in crd["spec"]["versions"] if v.get("storage"))


def _schema_of(version: Raw) -> Any:
    schema = (version.get("schema") or {}).get("openAPIV3Schema") or _FREE
    return lambda: schema


def _scale(spec: Mapping[str, Any] | None) -> Scale | None:
    if spec is None:
        return None
    return Scale(
        spec_replicas=spec.get("specReplicasPath", ""),
        status_replicas=spec.get("statusReplicasPath", ""),
        selector=spec.get("labelSelectorPath", ""),
    )


def _column(column: Raw) -> Column:
    return Column(
        name=column["name"],
        type=column.get("type", "string"),
        json_path=column.get("jsonPath", ""),
        priority=column.get("priority", 0),
        description=column.get("description", ""),
        format=column.get("format", ""),
    )


def _warning(resource: Resource, version: Raw) -> str:
    if not version.get("deprecated"):
        return ""
    return str(version.get("deprecationWarning") or f"{resource.api_version} {resource.kind} is deprecated")
