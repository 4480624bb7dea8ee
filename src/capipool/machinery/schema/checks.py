"""Validation with reasons: every error in a value, at its path, in the words that Kubernetes uses.

This is the careful half of the engine: it runs only for a value that the fast half did not let through, so it may
take its time, and its word is final. A value that did not change since `old` is let be, however wrong (ratcheting):
tightening a schema must not freeze the objects that were there before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from capipool.machinery.errors import FieldError, invalid, not_supported, required
from capipool.machinery.patch import merge
from capipool.machinery.schema import cel, formats

Schema = Mapping[str, Any]


class Absent:
    """The type of ABSENT."""


ABSENT = Absent()
"""What stands for the old value where there is none: `null` is a value."""

Check = Callable[[Any, Any, str, list[FieldError]], None]
"""(value, old value, path, errors to add to)."""


def compile(schema: Schema) -> Check:
    """Everything that a schema demands of a value, except CEL rules (see `compile_rules`)."""
    nullable = bool(schema.get("nullable"))
    type_check = _type_check(schema)
    inner = [*_value_checks(schema), *_child_checks(schema), *_junctor_checks(schema)]

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if (value is None and nullable) or (old is not ABSENT and merge.same(value, old)):
            return
        if type_check is not None:
            why = type_check(value)
            if why is not None:
                errors.append(_type_error(path, why, type_name(value)))
                return
        for each in inner:
            each(value, old, path, errors)

    return check


def type_name(value: Any) -> str:
    """JSON's name for what a value is."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "number"
        case dict():
            return "object"
        case _:
            return "array"


def child(path: str, name: str) -> str:
    """The path of a field."""
    return f"{path}.{name}" if path else name


def _said(path: str) -> str:
    return f"{path} in body" if path else "body"


def _type_error(path: str, wanted: str, shown: Any) -> FieldError:
    detail = f'{_said(path)} must be of type {wanted}: "{shown}"'
    return FieldError(type="FieldValueTypeInvalid", path=path, value=shown, detail=detail)


# -- types ------------------------------------------------------------------------------------------------------------


def _is_integer(value: Any) -> bool:
    return (isinstance(value, int) and not isinstance(value, bool)) or (isinstance(value, float) and value.is_integer())


_TYPES: dict[str, Callable[[Any], bool]] = {
    "string": lambda v: isinstance(v, str),
    "integer": _is_integer,
    "number": lambda v: isinstance(v, int | float) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
}


def _type_check(schema: Schema) -> Callable[[Any], str | None] | None:
    """Says which type a value should have had; None where it has it."""
    if schema.get("x-kubernetes-int-or-string"):
        return lambda v: None if isinstance(v, str) or _is_integer(v) else "integer,string"
    wanted = schema.get("type")
    if wanted not in _TYPES:
        return None
    fits = _TYPES[wanted]
    return lambda v: None if fits(v) else wanted


# -- values -----------------------------------------------------------------------------------------------------------


def _value_checks(schema: Schema) -> list[Check]:
    checks: list[Check] = []
    if "enum" in schema:
        checks.append(_enum(schema["enum"]))
    for keyword, make in _KEYWORDS.items():
        if schema.get(keyword) is not None:
            checks.append(make(schema[keyword], schema))
    return checks


def _enum(allowed: Sequence[Any]) -> Check:
    names = [v if isinstance(v, str) else str(v) for v in allowed]

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if not any(merge.same(value, v) for v in allowed):
            errors.append(not_supported(path, value, names))

    return check


def _rule(kind: type | tuple[type, ...], holds: Callable[[Any], bool], why: str) -> Check:
    """A rule about values of one kind, that says `<path> in body <why>`."""

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, kind) and not isinstance(value, bool) and not holds(value):
            errors.append(invalid(path, value, f"{_said(path)} {why}"))

    return check


def _minimum(limit: Any, schema: Schema) -> Check:
    if schema.get("exclusiveMinimum"):
        return _rule((int, float), lambda v: v > limit, f"should be greater than {limit}")
    return _rule((int, float), lambda v: v >= limit, f"should be greater than or equal to {limit}")


def _maximum(limit: Any, schema: Schema) -> Check:
    if schema.get("exclusiveMaximum"):
        return _rule((int, float), lambda v: v < limit, f"should be less than {limit}")
    return _rule((int, float), lambda v: v <= limit, f"should be less than or equal to {limit}")


def _multiple_of(factor: Any, _: Schema) -> Check:
    return _rule((int, float), lambda v: v % factor == 0, f"should be a multiple of {factor}")


def _min_length(limit: int, _: Schema) -> Check:
    return _rule(str, lambda v: len(v) >= limit, f"should be at least {limit} chars long")


def _max_length(limit: int, _: Schema) -> Check:
    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, str) and len(value) > limit:
            detail = f"may not be more than {limit} bytes"
            errors.append(FieldError(type="FieldValueTooLong", path=path, detail=detail))

    return check


def _pattern(text: str, _: Schema) -> Check:
    try:
        matches = formats.pattern(text)
    except ValueError:
        return lambda *_: None  # `structural.problems` refuses such a schema; one that got in binds nobody
    return _rule(str, matches, f"should match '{text}'")


def _format(name: str, schema: Schema) -> Check:
    if name in formats.INTEGER_RANGES and not schema.get("x-kubernetes-int-or-string"):
        low, high = formats.INTEGER_RANGES[name]
        return _rule((int, float), lambda v: low <= v <= high, f"must be of type {name}")
    fits = formats.FORMATS.get(name)

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if fits is not None and isinstance(value, str) and not fits(value):
            # What is not base64 is still meant to be bytes, a Secret's above all: no error may show them.
            errors.append(_type_error(path, name, "<hidden>" if name == "byte" else value))

    return check


def _at_least(limit: int) -> Callable[[Any], bool]:
    return lambda value: len(value) >= limit


def _too_many(kind: type[list[Any]] | type[dict[str, Any]], limit: int) -> Check:
    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, kind) and len(value) > limit:
            detail = f"{len(value)}: must have at most {limit} items"
            errors.append(FieldError(type="FieldValueTooMany", path=path, detail=detail))

    return check


_KEYWORDS: dict[str, Callable[[Any, Schema], Check]] = {
    "minimum": _minimum,
    "maximum": _maximum,
    "multipleOf": _multiple_of,
    "minLength": _min_length,
    "maxLength": _max_length,
    "pattern": _pattern,
    "format": _format,
    "minItems": lambda n, _: _rule(list, _at_least(n), f"should have at least {n} items"),
    "maxItems": lambda n, _: _too_many(list, n),
    "minProperties": lambda n, _: _rule(dict, _at_least(n), f"should have at least {n} properties"),
    "maxProperties": lambda n, _: _too_many(dict, n),
}


# -- children ---------------------------------------------------------------------------------------------------------


def _child_checks(schema: Schema) -> list[Check]:
    checks: list[Check] = []
    if schema.get("required"):
        checks.append(_required(schema["required"]))
    if schema.get("x-kubernetes-embedded-resource"):
        checks.append(_embedded)
    if schema.get("properties"):
        checks.append(_properties(schema["properties"]))
    if isinstance(schema.get("additionalProperties"), Mapping):
        checks.append(_values(schema["additionalProperties"], frozenset(schema.get("properties") or ())))
    if isinstance(schema.get("items"), Mapping):
        checks.append(_items(schema))
    if schema.get("uniqueItems") or schema.get("x-kubernetes-list-type") in ("set", "map"):
        checks.append(_duplicates(schema))
    return checks


def _required(names: Sequence[str]) -> Check:
    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, dict):
            errors.extend(required(child(path, name)) for name in names if name not in value)

    return check


def _embedded(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
    if not isinstance(value, dict):
        return
    for name in ("apiVersion", "kind"):
        if name not in value:
            errors.append(required(child(path, name), "must not be empty"))
        elif not isinstance(value[name], str):
            errors.append(_type_error(child(path, name), "string", type_name(value[name])))
        elif not value[name]:
            errors.append(invalid(child(path, name), "", "must not be empty"))


def _properties(properties: Mapping[str, Schema]) -> Check:
    # Compiled when first met: a careful check walks only where there is something to find.
    compiled: dict[str, Check] = {}

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, dict):
            return
        for name, item in value.items():
            if name not in properties:
                continue
            each = compiled.get(name)
            if each is None:
                each = compiled[name] = compile(properties[name])
            each(item, _member(old, name), child(path, name), errors)

    return check


def _values(schema: Schema, known: frozenset[str]) -> Check:
    inner = compile(schema)

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                if key not in known:
                    inner(item, _member(old, key), f"{path}[{key}]", errors)

    return check


def _items(schema: Schema) -> Check:
    inner = compile(schema["items"])

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, list):
            for i, (item, before) in enumerate(zip(value, old_items(schema, value, old), strict=True)):
                inner(item, before, f"{path}[{i}]", errors)

    return check


def _member(old: Any, key: str) -> Any:
    return old.get(key, ABSENT) if isinstance(old, dict) else ABSENT


def old_items(schema: Schema, new: list[Any], old: Any) -> list[Any]:
    """For each item of a list the old item it is: the one with the same keys in a list map, none in any other list."""
    if not isinstance(old, list) or schema.get("x-kubernetes-list-type") != "map":
        return [ABSENT] * len(new)
    identity = identify(schema)
    by_identity = {identity(item): item for item in old}
    return [by_identity.get(identity(item), ABSENT) for item in new]


def identify(schema: Schema) -> Callable[[Any], Any]:
    """What makes an item of a list map (or of a set) the item it is, hashable. Defaults of keys count as set."""
    if schema.get("x-kubernetes-list-type") != "map":
        return freeze
    properties = schema.get("items", {}).get("properties", {})
    keys = [(k, properties.get(k, {}).get("default")) for k in schema.get("x-kubernetes-list-map-keys") or ()]

    def identity(item: Any) -> Any:
        return tuple(freeze(item.get(k, default)) for k, default in keys) if isinstance(item, dict) else None

    return identity


def freeze(value: Any) -> Any:
    """A JSON value that can be hashed; equal where the values are equal as JSON."""
    match value:
        case bool():
            return ("boolean", value)
        case dict():
            return ("object", frozenset((k, freeze(v)) for k, v in value.items()))
        case list():
            return ("array", tuple(map(freeze, value)))
        case _:
            return value


def _duplicates(schema: Schema) -> Check:
    identity = identify(schema)
    keys = schema.get("x-kubernetes-list-map-keys") if schema.get("x-kubernetes-list-type") == "map" else None

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if not isinstance(value, list):
            return
        seen = set()
        for i, item in enumerate(value):
            if keys is not None and not isinstance(item, dict):
                continue
            key = identity(item)
            if key in seen:
                shown = {k: item.get(k) for k in keys if k in item} if keys is not None else item
                errors.append(FieldError(type="FieldValueDuplicate", path=f"{path}[{i}]", value=shown))
            seen.add(key)

    return check


# -- allOf, anyOf, oneOf, not -----------------------------------------------------------------------------------------


def _junctor_checks(schema: Schema) -> list[Check]:
    checks: list[Check] = []
    if schema.get("allOf"):
        checks.extend(compile(branch) for branch in schema["allOf"])
    for junctor, accepts, why in (
        ("anyOf", lambda n: n >= 1, "must validate at least one schema (anyOf)"),
        ("oneOf", lambda n: n == 1, "must validate one and only one schema (oneOf)"),
    ):
        if schema.get(junctor):
            checks.append(_count([compile(branch) for branch in schema[junctor]], accepts, why))
    if schema.get("not") is not None:
        checks.append(_count([compile(schema["not"])], lambda n: n == 0, "must not validate the schema (not)"))
    return checks


def _count(branches: list[Check], accepts: Callable[[int], bool], why: str) -> Check:
    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        failures: list[list[FieldError]] = []
        for branch in branches:
            found: list[FieldError] = []
            branch(value, ABSENT, path, found)
            if found:
                failures.append(found)
        if not accepts(len(branches) - len(failures)):
            errors.append(invalid(path, value, f'"{path}" {why}'))
            # The branch that came nearest says what is missing; kube-apiserver adds it in the same way.
            errors.extend(sorted(failures, key=len)[0] if failures else [])

    return check


# -- CEL --------------------------------------------------------------------------------------------------------------


def compile_rules(schema: Schema) -> Check | None:
    """The CEL rules in a schema, for a value that has no other errors; None where there are none."""
    rules = [cel.Rule.of(spec, schema) for spec in schema.get("x-kubernetes-validations") or ()]
    children = [c for c in (_property_rules(schema), _value_rules(schema), _item_rules(schema)) if c is not None]
    if not rules and not children:
        return None

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if value is None:
            return
        for rule in rules:
            found = rule.judge(value, None if old is ABSENT else old, path, has_old=old is not ABSENT)
            # An unchanged value is let be, unless the rule is about the change itself.
            if found is not None and (rule.is_transition or old is ABSENT or not merge.same(value, old)):
                errors.append(found)
        for each in children:
            each(value, old, path, errors)

    return check


def _property_rules(schema: Schema) -> Check | None:
    found = {n: c for n, s in (schema.get("properties") or {}).items() if (c := compile_rules(s)) is not None}

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, dict):
            for name, each in found.items():
                if name in value:
                    each(value[name], _member(old, name), child(path, name), errors)

    return check if found else None


def _value_rules(schema: Schema) -> Check | None:
    values = schema.get("additionalProperties")
    inner = compile_rules(values) if isinstance(values, Mapping) else None
    if inner is None:
        return None

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, dict):
            for key, item in value.items():
                inner(item, _member(old, key), f"{path}[{key}]", errors)

    return check


def _item_rules(schema: Schema) -> Check | None:
    inner = compile_rules(schema["items"]) if isinstance(schema.get("items"), Mapping) else None
    if inner is None:
        return None

    def check(value: Any, old: Any, path: str, errors: list[FieldError]) -> None:
        if isinstance(value, list):
            for i, (item, before) in enumerate(zip(value, old_items(schema, value, old), strict=True)):
                inner(item, before, f"{path}[{i}]", errors)

    return check
