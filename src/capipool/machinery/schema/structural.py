"""Whether a schema is structural: what a CustomResourceDefinition's schema must be to be served.

Called when a CRD is written. What it lets through, `engine.compile` can work with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capipool.machinery.errors import FieldError, forbidden, invalid, not_supported, required
from capipool.machinery.schema import cel, engine, formats

Schema = Mapping[str, Any]

_TYPES = ("array", "boolean", "integer", "number", "object", "string")
_FORBIDDEN = ("$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id")
_LIST_TYPES = ("atomic", "set", "map")
_MAP_TYPES = ("atomic", "granular")

_KINDS: dict[type, str] = {str: "a string", bool: "a boolean", int: "an integer", float: "a number", list: "a list",
                           dict: "an object"}  # fmt: skip
_LISTS_OF_OBJECTS = ("allOf", "anyOf", "oneOf", "x-kubernetes-validations")
_SHAPES: tuple[tuple[tuple[type, ...], tuple[str, ...]], ...] = (
    ((str,), ("type", "format", "pattern", "description", "title", "x-kubernetes-list-type", "x-kubernetes-map-type")),
    ((bool,), ("nullable", "uniqueItems", "exclusiveMinimum", "exclusiveMaximum", "x-kubernetes-int-or-string",
               "x-kubernetes-preserve-unknown-fields", "x-kubernetes-embedded-resource")),
    ((int,), ("maxLength", "minLength", "maxItems", "minItems", "maxProperties", "minProperties")),
    ((int, float), ("minimum", "maximum", "multipleOf")),
    ((list,), ("required", "enum", "x-kubernetes-list-map-keys", *_LISTS_OF_OBJECTS)),
    ((dict,), ("properties", "not")),
    ((dict, list), ("items",)),
    ((dict, bool), ("additionalProperties",)),
)  # fmt: skip
"""Which keywords take values of which kinds. `null` counts as absent."""


def problems(schema: Schema, path: str) -> list[FieldError]:
    """What keeps a schema from being served, by the path at which it stands in its CRD."""
    found = list(_node(schema, path, root=True))
    if not found:
        found = list(_defaults(schema, path))
    return found


def _node(schema: Any, path: str, *, root: bool = False) -> Iterator[FieldError]:
    if not isinstance(schema, Mapping):
        yield invalid(path, schema, "must be a schema")
        return
    if wrong := list(_shapes(schema, path)):
        yield from wrong  # nothing else here can be relied on
        return
    for keyword in _FORBIDDEN:
        if schema.get(keyword):
            yield forbidden(f"{path}.{keyword}", f"{keyword} is not supported")
    yield from _type(schema, path, root)
    yield from _keywords(schema, path)
    yield from _lists(schema, path)
    yield from _rules(schema, path)
    yield from _children(schema, path)


def _shapes(schema: Schema, path: str) -> Iterator[FieldError]:
    """What a keyword's value is by its kind alone, before anybody looks into it."""
    for kinds, keywords in _SHAPES:
        for keyword in keywords:
            value = schema.get(keyword)
            if value is None or (isinstance(value, kinds) and (bool in kinds or not isinstance(value, bool))):
                continue
            yield invalid(f"{path}.{keyword}", value, f"must be {' or '.join(_KINDS[kind] for kind in kinds)}")
    for keyword in _LISTS_OF_OBJECTS:
        for i, item in enumerate(schema.get(keyword) or ()):
            if not isinstance(item, Mapping):
                yield invalid(f"{path}.{keyword}[{i}]", item, "must be an object")
    for keyword in ("required", "x-kubernetes-list-map-keys"):
        for i, item in enumerate(schema.get(keyword) or ()):
            if not isinstance(item, str):
                yield invalid(f"{path}.{keyword}[{i}]", item, "must be a string")


def _type(schema: Schema, path: str, root: bool) -> Iterator[FieldError]:
    wanted = schema.get("type")
    if wanted is None or wanted == "":
        free = schema.get("x-kubernetes-int-or-string") or schema.get("x-kubernetes-preserve-unknown-fields")
        if not free or root:
            yield required(f"{path}.type", "must not be empty for specified object fields")
    elif wanted not in _TYPES:
        yield not_supported(f"{path}.type", wanted, _TYPES)
    elif root and wanted != "object":
        yield invalid(f"{path}.type", wanted, "must be object at the root")
    elif wanted == "array" and "items" not in schema:
        yield required(f"{path}.items", "must be specified")


def _keywords(schema: Schema, path: str) -> Iterator[FieldError]:
    if schema.get("properties") and schema.get("additionalProperties"):
        yield forbidden(f"{path}.additionalProperties", "additionalProperties and properties are mutual exclusive")
    if schema.get("uniqueItems"):
        yield forbidden(
            f"{path}.uniqueItems", "uniqueItems cannot be set to true since the runtime complexity is quadratic"
        )
    if schema.get("pattern") is not None:
        try:
            formats.pattern(schema["pattern"])
        except (ValueError, TypeError):
            yield invalid(f"{path}.pattern", schema["pattern"], "must be a valid regular expression")
    if "enum" in schema and not isinstance(schema["enum"], list):
        yield invalid(f"{path}.enum", schema["enum"], "must be a list")


def _lists(schema: Schema, path: str) -> Iterator[FieldError]:
    kind = schema.get("x-kubernetes-list-type")
    keys = schema.get("x-kubernetes-list-map-keys")
    if kind is not None and kind not in _LIST_TYPES:
        yield not_supported(f"{path}.x-kubernetes-list-type", kind, _LIST_TYPES)
    if (map_type := schema.get("x-kubernetes-map-type")) is not None and map_type not in _MAP_TYPES:
        yield not_supported(f"{path}.x-kubernetes-map-type", map_type, _MAP_TYPES)
    if kind == "map":
        if not keys:
            yield required(f"{path}.x-kubernetes-list-map-keys", "must not be empty if x-kubernetes-list-type is map")
        items = schema.get("items") or {}
        for key in keys or ():
            if key not in (items.get("properties") or {}):
                detail = "entries must all be names of item properties"
                yield invalid(f"{path}.x-kubernetes-list-map-keys", keys, detail)
            elif key not in (items.get("required") or ()) and "default" not in items["properties"][key]:
                yield required(
                    f"{path}.items.properties[{key}].default",
                    "this property is a key of its list map, so it must have a default or be a required property",
                )
    elif keys:
        yield forbidden(f"{path}.x-kubernetes-list-map-keys", "must not be set if x-kubernetes-list-type is not map")


def _rules(schema: Schema, path: str) -> Iterator[FieldError]:
    for i, rule in enumerate(schema.get("x-kubernetes-validations") or ()):
        at = f"{path}.x-kubernetes-validations[{i}]"
        for field in ("rule", "messageExpression"):
            expression = rule.get(field, "")
            if field == "rule" and not str(expression).strip():
                yield required(f"{at}.rule", "rule is not specified")
            elif expression and (why := cel.problem(expression)):
                yield invalid(f"{at}.{field}", expression, why)


def _children(schema: Schema, path: str) -> Iterator[FieldError]:
    for name, inner in (schema.get("properties") or {}).items():
        if name in ("apiVersion", "kind", "metadata") and not isinstance(inner, Mapping):
            continue
        yield from _node(inner, f"{path}.properties[{name}]")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield from _node(schema[keyword], f"{path}.{keyword}")
        elif isinstance(schema.get(keyword), list):
            yield forbidden(f"{path}.{keyword}", f"{keyword} must be a schema object and not an array")


def _defaults(schema: Schema, path: str) -> Iterator[FieldError]:
    """Each default must be what its own schema accepts."""
    if schema.get("default") is not None:
        wrapped = engine.compile({"type": "object", "properties": {"default": schema}})
        for error in wrapped.errors({"default": wrapped.default({"default": schema["default"]})["default"]}):
            yield FieldError(type=error.type, path=f"{path}.{error.path}", detail=error.detail, value=error.value)
    for name, inner in (schema.get("properties") or {}).items():
        yield from _defaults(inner, f"{path}.properties[{name}]")
    for keyword in ("items", "additionalProperties"):
        if isinstance(schema.get(keyword), Mapping):
            yield from _defaults(schema[keyword], f"{path}.{keyword}")
