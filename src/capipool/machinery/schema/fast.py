"""Validation without reasons: yes in a few microseconds, or perhaps.

What JSON Schema can say is checked by a compiled validator, the rest (list maps, CEL rules) by closures that visit only
the places concerned. The promise is one-sided: whatever is let through here has no errors by `checks`. So a translation
may be stricter than Kubernetes, never looser.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import jsonschema_rs

from capipool.machinery.schema import checks, formats

Schema = Mapping[str, Any]
Validator = Callable[[Any], bool]

_VERBATIM = ("required", "minLength", "maxLength", "pattern", "minItems", "maxItems", "multipleOf")
_NATIVE_FORMATS = frozenset({"date-time", "ipv4", "ipv6"})


def compile(schema: Schema) -> Validator:
    """Whether a value surely fits a schema, CEL rules left aside."""
    if _needs_care(schema):
        return lambda _: False
    try:
        validator = jsonschema_rs.Draft202012Validator(
            translate(schema),
            validate_formats=True,
            formats={k: f for k, f in formats.FORMATS.items() if k not in _NATIVE_FORMATS},
            pattern_options=jsonschema_rs.RegexOptions(),
        )
    except jsonschema_rs.ValidationError:
        return lambda _: False  # a schema that JSON Schema cannot express is checked with care every time
    is_valid: Validator = validator.is_valid
    unique = _unique_keys(schema)
    if unique is None:
        return is_valid
    return lambda value: is_valid(value) and unique(value)


def translate(schema: Schema) -> dict[str, Any]:
    """The schema as JSON Schema 2020-12."""
    result: dict[str, Any] = {k: schema[k] for k in _VERBATIM if schema.get(k) is not None}
    nullable = bool(schema.get("nullable"))
    _translate_type(schema, result, nullable)
    _translate_numbers(schema, result)
    _translate_children(schema, result)
    if schema.get("format") in formats.FORMATS:
        result["format"] = schema["format"]
    if "enum" in schema:
        result["enum"] = [*schema["enum"], *([None] if nullable else [])]
    for junctor in ("allOf", "anyOf"):
        if schema.get(junctor):
            result[junctor] = [translate(branch) for branch in schema[junctor]]
    return result


def _needs_care(schema: Schema) -> bool:
    """Whether something in it is denied: a translation that is stricter inside a `not` is looser outside it."""
    if schema.get("not") is not None or schema.get("oneOf"):
        return True
    inner = [*(schema.get("properties") or {}).values(), *schema.get("allOf", ()), *schema.get("anyOf", ())]
    inner += [schema.get("items"), schema.get("additionalProperties")]
    return any(_needs_care(each) for each in inner if isinstance(each, Mapping))


def _translate_type(schema: Schema, result: dict[str, Any], nullable: bool) -> None:
    if schema.get("x-kubernetes-int-or-string"):
        types = ["integer", "string"]
    elif "type" in schema:
        types = [schema["type"]]
    else:
        return
    result["type"] = [*types, *(["null"] if nullable else [])]


def _translate_numbers(schema: Schema, result: dict[str, Any]) -> None:
    for bound, exclusive in (("minimum", "exclusiveMinimum"), ("maximum", "exclusiveMaximum")):
        if schema.get(bound) is not None:
            result[exclusive if schema.get(exclusive) else bound] = schema[bound]
    for bound in ("minProperties", "maxProperties"):
        if schema.get(bound) is not None:
            result[bound] = schema[bound]
    if schema.get("format") in formats.INTEGER_RANGES and not schema.get("x-kubernetes-int-or-string"):
        low, high = formats.INTEGER_RANGES[schema["format"]]
        result.setdefault("minimum", low)
        result.setdefault("maximum", high)


def _translate_children(schema: Schema, result: dict[str, Any]) -> None:
    properties = {name: translate(s) for name, s in (schema.get("properties") or {}).items()}
    if schema.get("x-kubernetes-embedded-resource"):
        for name in ("apiVersion", "kind"):
            properties[name] = {"allOf": [properties.get(name, {}), {"type": "string", "minLength": 1}]}
        result["required"] = sorted({*result.get("required", ()), "apiVersion", "kind"})
    if properties:
        result["properties"] = properties
    if isinstance(schema.get("additionalProperties"), Mapping):
        result["additionalProperties"] = translate(schema["additionalProperties"])
    if isinstance(schema.get("items"), Mapping):
        result["items"] = translate(schema["items"])
    if schema.get("uniqueItems") or schema.get("x-kubernetes-list-type") == "set":
        result["uniqueItems"] = True


# -- nothing to prune -------------------------------------------------------------------------------------------------

_NOT_NULL = ["string", "integer", "number", "boolean", "object", "array"]


def compile_exact(schema: Schema, *, drop_nulls: bool) -> Validator:
    """Whether a value surely has nothing to prune: no field that the schema does not know, no null that would go.

    `drop_nulls`: whether every null would go, not only those in fields that may not be null.
    """
    is_valid: Validator = jsonschema_rs.Draft202012Validator(_exact(schema, drop_nulls)).is_valid
    return is_valid


def _exact(schema: Schema, drop_nulls: bool) -> dict[str, Any]:
    if isinstance(schema.get("items"), Mapping):
        return {"items": _exact(schema["items"], drop_nulls), **_no_other("array", drop_nulls)}
    values = schema.get("additionalProperties")
    if isinstance(values, Mapping):
        return {"additionalProperties": _exact_member(values, drop_nulls), **_no_other("object", drop_nulls)}
    properties = schema.get("properties") or {}
    preserves = bool(schema.get("x-kubernetes-preserve-unknown-fields")) or values is True
    if properties or schema.get("type") == "object":
        inner = {name: _exact_member(each, drop_nulls) for name, each in properties.items()}
        rest = {"additionalProperties": preserves and not drop_nulls}
        return {"properties": inner, **rest, **_no_other("object", drop_nulls)}
    return _no_other("null", drop_nulls)


def _no_other(container: str, drop_nulls: bool) -> dict[str, Any]:
    """Where every null would go, a value of the wrong type must be no container in which one could hide."""
    return {"type": [*_NOT_NULL[:4], container]} if drop_nulls else {}


def _exact_member(schema: Schema, drop_nulls: bool) -> dict[str, Any]:
    if drop_nulls or not schema.get("nullable"):
        inner = _exact(schema, drop_nulls)
        return {**inner, "type": [t for t in inner.get("type", _NOT_NULL) if t != "null"]}
    return _exact(schema, drop_nulls)


# -- list maps --------------------------------------------------------------------------------------------------------


def _unique_keys(schema: Schema) -> Validator | None:
    """Whether every list map inside a value (of the right types) has each key once; None where there are none."""
    found = [v for v in (_own_keys(schema), _in_items(schema), _in_values(schema), _in_fields(schema)) if v is not None]
    if len(found) <= 1:
        return found[0] if found else None
    return lambda value: all(each(value) for each in found)


def _own_keys(schema: Schema) -> Validator | None:
    if schema.get("x-kubernetes-list-type") != "map":
        return None
    keys = schema.get("x-kubernetes-list-map-keys") or []
    if len(keys) == 1 and "default" not in schema.get("items", {}).get("properties", {}).get(keys[0], {}):
        return _one_key(keys[0])
    identity = checks.identify(schema)
    return lambda value: value is None or len({identity(item) for item in value}) == len(value)


def _one_key(key: str) -> Validator:
    def unique(value: Any) -> bool:
        if value is None or len(value) < 2:
            return True
        try:
            return len({item.get(key) for item in value}) == len(value)
        except TypeError:  # a key that cannot be hashed, an item that is null: look with care
            return False

    return unique


def _in_items(schema: Schema) -> Validator | None:
    inner = _unique_keys(schema["items"]) if isinstance(schema.get("items"), Mapping) else None
    return None if inner is None else lambda value: value is None or all(inner(item) for item in value)


def _in_values(schema: Schema) -> Validator | None:
    values = schema.get("additionalProperties")
    inner = _unique_keys(values) if isinstance(values, Mapping) else None
    return None if inner is None else lambda value: value is None or all(inner(item) for item in value.values())


def _in_fields(schema: Schema) -> Validator | None:
    fields = [(n, u) for n, s in (schema.get("properties") or {}).items() if (u := _unique_keys(s)) is not None]
    if not fields:
        return None

    def unique(value: Any) -> bool:
        if value is None:
            return True
        for name, inner in fields:
            item = value.get(name)
            if item is not None and not inner(item):
                return False
        return True

    return unique
