"""`ObjectMeta` as a schema and as rules: what every object, built in or from a CRD, has in its `metadata`.

The schema engine puts the schema at the root and wherever a resource is embedded; the API server calls `validate` for
what no schema can say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from capipool.machinery import names
from capipool.machinery.errors import FieldError, invalid, required

MAX_ANNOTATIONS_BYTES = 256 * 1024

_STRING = {"type": "string"}
_STRINGS = {"type": "object", "additionalProperties": _STRING, "nullable": True}
_TIME = {"type": "string", "format": "date-time", "nullable": True}
_OWNER = {
    "type": "object",
    "required": ["apiVersion", "kind", "name", "uid"],
    "properties": {
        "apiVersion": _STRING,
        "kind": _STRING,
        "name": _STRING,
        "uid": _STRING,
        "controller": {"type": "boolean", "nullable": True},
        "blockOwnerDeletion": {"type": "boolean", "nullable": True},
    },
    "x-kubernetes-map-type": "atomic",
}
_MANAGED_FIELDS = {
    "type": "object",
    "properties": {
        "apiVersion": _STRING,
        "fieldsType": _STRING,
        "fieldsV1": {"type": "object", "nullable": True, "x-kubernetes-preserve-unknown-fields": True},
        "manager": _STRING,
        "operation": _STRING,
        "subresource": _STRING,
        "time": _TIME,
    },
}

OBJECT_META: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": _STRING,
        "generateName": _STRING,
        "namespace": _STRING,
        "selfLink": _STRING,
        "uid": _STRING,
        "resourceVersion": _STRING,
        "generation": {"type": "integer", "format": "int64"},
        "creationTimestamp": _TIME,
        "deletionTimestamp": _TIME,
        "deletionGracePeriodSeconds": {"type": "integer", "format": "int64", "nullable": True},
        "labels": _STRINGS,
        "annotations": _STRINGS,
        "ownerReferences": {
            "type": "array",
            "nullable": True,
            "items": _OWNER,
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["uid"],
            "x-kubernetes-patch-strategy": "merge",
            "x-kubernetes-patch-merge-key": "uid",
        },
        "finalizers": {
            "type": "array",
            "nullable": True,
            "items": _STRING,
            "x-kubernetes-list-type": "set",
            "x-kubernetes-patch-strategy": "merge",
        },
        "managedFields": {
            "type": "array",
            "nullable": True,
            "items": _MANAGED_FIELDS,
            "x-kubernetes-list-type": "atomic",
        },
    },
}
"""The schema of `metadata`. Times are to the second on the wire, `null` counts as absent."""

_LABEL_VALUE = (
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', "
    "must start and end with an alphanumeric character, and be no more than 63 characters"
)
_QUALIFIED = (
    "name part must consist of alphanumeric characters, '-', '_' or '.', must start and end with an alphanumeric "
    "character, be no more than 63 characters, and may follow a DNS subdomain and '/'"
)
_SUBDOMAIN = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (at most 253 characters)"
)
_LABEL = (
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end "
    "with an alphanumeric character (at most 63 characters)"
)
_SEGMENT = "a path segment must not be '.' or '..', and must not contain '/' or '%'"

RULED = ("labels", "annotations", "finalizers", "ownerReferences", "name")
"""The fields that `validate` looks at."""

NameRule = Callable[[str], str]
"""Says what is wrong with a name; empty where it is well."""


def subdomain_name(name: str) -> str:
    """The rule of most kinds."""
    return "" if names.is_dns_subdomain(name) else _SUBDOMAIN


def label_name(name: str) -> str:
    """The rule of namespaces and services."""
    return "" if names.is_dns_label(name) else _LABEL


def segment_name(name: str) -> str:
    """The rule of RBAC kinds: whatever can stand in a path."""
    return _SEGMENT if name in (".", "..") or "/" in name or "%" in name else ""


def validate(meta: Mapping[str, Any], *, rule: NameRule = subdomain_name, path: str = "metadata") -> list[FieldError]:
    """What is wrong with names, labels, annotations, finalizers and owners in a metadata that fits its schema."""
    errors = _name(meta, rule, path)
    for key, value in (meta.get("labels") or {}).items():
        if not names.is_qualified_name(key):
            errors.append(invalid(f"{path}.labels", key, _QUALIFIED))
        if not names.is_label_value(value):
            errors.append(invalid(f"{path}.labels", value, _LABEL_VALUE))
    errors += _annotations(meta.get("annotations") or {}, f"{path}.annotations")
    for finalizer in meta.get("finalizers") or ():
        if not names.is_qualified_name(finalizer):
            errors.append(invalid(f"{path}.finalizers", finalizer, _QUALIFIED))
    return errors + _owners(meta.get("ownerReferences") or (), f"{path}.ownerReferences")


def _name(meta: Mapping[str, Any], rule: NameRule, path: str) -> list[FieldError]:
    name = meta.get("name") or ""
    if not name:
        return [required(f"{path}.name", "name or generateName is required")]
    why = rule(name)
    return [invalid(f"{path}.name", name, why)] if why else []


def _annotations(annotations: Mapping[str, str], path: str) -> list[FieldError]:
    errors = [invalid(path, k, _QUALIFIED) for k in annotations if not names.is_qualified_name(k.lower())]
    if sum(len(k) + len(v) for k, v in annotations.items()) > MAX_ANNOTATIONS_BYTES:
        detail = f"may not be more than {MAX_ANNOTATIONS_BYTES} bytes"
        errors.append(FieldError(type="FieldValueTooLong", path=path, detail=detail))
    return errors


def _owners(owners: Any, path: str) -> list[FieldError]:
    errors = []
    for i, owner in enumerate(owners):
        for field in ("apiVersion", "kind", "name", "uid"):
            if not owner.get(field):
                errors.append(invalid(f"{path}[{i}].{field}", "", "must not be empty"))
    controllers = [i for i, owner in enumerate(owners) if owner.get("controller")]
    if len(controllers) > 1:
        detail = f"Only one reference can have Controller set to true. Found {len(controllers)}"
        errors.append(invalid(path, [owners[i].get("name") for i in controllers], detail))
    return errors
