"""Hypothesis strategies that more than one test needs: any object that a structural schema lets in."""

import re
import string
from collections.abc import Mapping
from functools import cache
from typing import Any

from hypothesis import strategies as st

JSON = Any
Names = Mapping[str, st.SearchStrategy[JSON]]

NAMES = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8).map(lambda s: "a" + s)
TIMES = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z")
DURATIONS = st.one_of(
    st.integers(0, 10_000).map(lambda n: f"{n}s"),
    st.tuples(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59)).map(lambda t: "{}h{}m{}s".format(*t)),
    st.sampled_from(["0s", "1.5s", "100ms", "1h", "90m", "1h0.5s"]),
)
SMALL_JSON = st.recursive(
    st.booleans() | st.integers(-100, 100) | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(NAMES, inner, max_size=2),
    max_leaves=4,
)
ABSENT = object()


def objects(schema: Mapping[str, Any], names: Names | None = None) -> st.SearchStrategy[dict[str, Any]]:
    """Any object that the schema lets in, CEL rules apart. `names`: other strategies for properties of these names."""
    return _value(dict(schema), dict(names or {}))


def _value(schema: Mapping[str, Any], names: Names) -> st.SearchStrategy[JSON]:
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema.get("x-kubernetes-int-or-string"):
        return st.integers(0, 100) | st.integers(0, 100).map(lambda n: f"{n}%")
    match schema.get("type"):
        case "string":
            return _text(schema)
        case "boolean":
            return st.booleans()
        case "integer":
            return st.integers(int(schema.get("minimum", -1000)), int(schema.get("maximum", 10_000)))
        case "number":
            return st.floats(schema.get("minimum", -1e6), schema.get("maximum", 1e6))
        case "array":
            return _array(schema, names)
        case "object":
            return _object(schema, names)
        case _:
            return SMALL_JSON


def _text(schema: Mapping[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "date-time":
        return TIMES
    shortest, longest = schema.get("minLength", 0), schema.get("maxLength", 12)
    if pattern := schema.get("pattern"):
        return _matching(pattern, shortest, longest)
    return st.text(string.ascii_letters + string.digits + "-./:", min_size=shortest, max_size=min(longest, 12))


@cache
def _matching(pattern: str, shortest: int, longest: int) -> st.SearchStrategy[str]:
    """Text that matches: made of plain names where those do, since a general search is slow."""
    candidates = [c for c in ("a", "B2", "abc", "x-1", "a.b/c", "example.com/v1", "[1-3]") if re.search(pattern, c)]
    fitting = [c for c in candidates if shortest <= len(c) <= longest]
    if fitting:
        return st.sampled_from(fitting)
    return st.from_regex(pattern, fullmatch=True).filter(lambda s: shortest <= len(s) <= longest)


def _array(schema: Mapping[str, Any], names: Names) -> st.SearchStrategy[list[JSON]]:
    items = _value(schema["items"], names)
    shortest = schema.get("minItems", 0)
    longest = min(schema.get("maxItems", 3), max(shortest, 3))
    unique = None
    if keys := schema.get("x-kubernetes-list-map-keys"):
        unique = lambda item: tuple(str(item.get(key)) for key in keys)  # noqa: E731
    elif schema.get("x-kubernetes-validations") or schema.get("x-kubernetes-list-type") == "set":
        unique = repr
    return st.lists(items, min_size=shortest, max_size=longest, unique_by=unique)


def _object(schema: Mapping[str, Any], names: Names) -> st.SearchStrategy[dict[str, Any]]:
    if "properties" not in schema:
        inner = schema.get("additionalProperties")
        values = _value(inner, names) if isinstance(inner, dict) else SMALL_JSON
        return st.dictionaries(NAMES, values, max_size=2)
    required = set(schema.get("required", ()))
    parts = {name: names[name] if name in names else _value(sub, names) for name, sub in schema["properties"].items()}
    needed = {name: part for name, part in parts.items() if name in required}
    optional = {name: part for name, part in parts.items() if name not in required}
    if len(needed) >= schema.get("minProperties", 0):
        return st.fixed_dictionaries(needed, optional=optional)
    return st.sampled_from(sorted(optional)).flatmap(  # one more than needed; no schema of ours asks for two
        lambda chosen: st.fixed_dictionaries(
            needed | {chosen: optional[chosen]}, optional={k: v for k, v in optional.items() if k != chosen}
        )
    )
