r"""The part of JSONPath that printer columns and scale paths use, compiled once.

Fields (`.spec.replicas`, `['a.b']`, `['a\.b']`, `.a\.b`), indexes (`[0]`, `[-1]`), all items (`[*]`), and filters that
compare one field with a literal (`[?(@.type=="Ready")]`). A path that asks for more finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import msgspec

Step = Callable[[Any], Iterator[Any]]

_TOKEN = re.compile(
    r"""\.?\[\?\(\s*@(?P<field>(?:\.[^=!<>\s)]+)*)\s*(?:(?P<op>==|!=|<=|>=|<|>)\s*(?P<literal>"[^"]*"|'[^']*'|[^)\s]+)\s*)?\)\]"""
    r"""|\.?\[(?P<quote>['"])(?P<quoted>.*?)(?P=quote)\]"""
    r"""|\.?\[(?P<index>-?\d+|\*)\]"""
    r"""|\.(?P<name>(?:\\.|[^.\[\\])+)"""
)
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "==": lambda a, b: bool(a == b),
    "!=": lambda a, b: bool(a != b),
    "<": lambda a, b: bool(a < b),
    "<=": lambda a, b: bool(a <= b),
    ">": lambda a, b: bool(a > b),
    ">=": lambda a, b: bool(a >= b),
}


@cache
def compile(path: str) -> Callable[[Any], list[Any]]:
    """A function from a value to everything that the path finds in it, in order."""
    steps = list(_steps(path.strip().removeprefix("{").removesuffix("}").removeprefix("$")))

    def find(value: Any) -> list[Any]:
        found = [value]
        for step in steps:
            found = [inner for outer in found for inner in step(outer)]
        return found

    return find


def first(path: str, value: Any) -> Any:
    """The first that a path finds; None where there is nothing."""
    found = compile(path)(value)
    return found[0] if found else None


def _steps(path: str) -> Iterator[Step]:
    position = 0
    while position < len(path):
        token = _TOKEN.match(path, position)
        if token is None:
            yield lambda _: iter(())
            return
        position = token.end()
        yield _step(token)


def _step(token: re.Match[str]) -> Step:
    if token["name"] is not None:
        name = re.sub(r"\\(.)", r"\1", token["name"])
        return _every if name == "*" else _field(name)
    if token["quoted"] is not None:
        return _field(re.sub(r"\\(.)", r"\1", token["quoted"]))
    if token["index"] is not None:
        return _every if token["index"] == "*" else _index(int(token["index"]))
    return _filter(token["field"], token["op"], token["literal"])


def _field(name: str) -> Step:
    return lambda value: iter((value[name],) if isinstance(value, dict) and name in value else ())


def _index(index: int) -> Step:
    return lambda value: iter(value[index:][:1] if isinstance(value, list) else ())


def _every(value: Any) -> Iterator[Any]:
    return iter(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ())


def _filter(field: str, op: str | None, literal: str | None) -> Step:
    inner = compile(field)
    wanted = _literal(literal) if literal is not None else None

    def matches(item: Any) -> bool:
        found = inner(item)
        if op is None:
            return bool(found)
        try:
            return bool(found) and _COMPARE[op](found[0], wanted)
        except TypeError:
            return False

    return lambda value: (item for item in _every(value) if matches(item))


def _literal(text: str) -> Any:
    if text[:1] in "'\"":
        return text[1:-1]
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def set_value(obj: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The object with a value at a plain path of fields (`.spec.replicas`). Raises ValueError at any other path."""
    names = [n for n in re.split(r"\.", path.lstrip(".")) if n]
    if not names or any("[" in n for n in names):
        raise ValueError(f"{path!r} is no plain path of fields")
    head, *rest = names
    if not rest:
        return {**obj, head: value}
    inner = obj.get(head)
    return {**obj, head: set_value(inner if isinstance(inner, dict) else {}, "." + ".".join(rest), value)}
