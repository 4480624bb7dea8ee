"""Files whose content is a Go template (`contentFormat: Template`), evaluated when the data is rendered.

The templates see one value, `.controlPlane.version`. Of Go's template language this knows what such files use: fields,
`if`/`else if`/`else`/`end`, `with`, string literals, `eq`, `ne`, `not`, `and`, `or`, comments and trimming. Anything
else is refused by name rather than rendered wrongly.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from capipool.providers.kubeadm.rendering.boot import CannotRender

JSON = Any

_ACTION = re.compile(r"\{\{(- )?(.*?)( -)?\}\}", re.DOTALL)
_WORD = re.compile(r'\s*("(?:[^"\\]|\\.)*"|`[^`]*`|\(|\)|[^\s()]+)')
_FIELD = re.compile(r"\.|(?:\.[A-Za-z_][A-Za-z0-9_]*)+")
_NO_VALUE = "<no value>"
"""What Go prints for a field that is not there."""


class _Token(NamedTuple):
    text: str
    action: bool


def render(template: str, data: Mapping[str, JSON]) -> str:
    """Evaluate a template. Raises CannotRender where it is malformed or uses what is not known here."""
    tokens = list(_tokens(template))
    out: list[str] = []
    end = _run(tokens, 0, data, data, out)
    if end < len(tokens):
        raise CannotRender(f"template: unexpected {{{{{tokens[end].text}}}}}")
    return "".join(out)


def _tokens(template: str) -> Iterator[_Token]:
    """Text and actions in turn, with trimming and comments done."""
    position, trim_next = 0, False
    for match in _ACTION.finditer(template):
        text = template[position : match.start()]
        text = text.lstrip() if trim_next else text
        yield _Token(text.rstrip() if match[1] else text, False)
        action = match[2].strip()
        if not action.startswith("/*"):
            yield _Token(action, True)
        position, trim_next = match.end(), bool(match[3])
    rest = template[position:]
    if "{{" in rest:
        raise CannotRender("template: unclosed action")
    yield _Token(rest.lstrip() if trim_next else rest, False)


def _run(tokens: list[_Token], at: int, dot: JSON, root: JSON, out: list[str] | None) -> int:
    """Evaluate tokens into `out` (None: only skip them) up to an `else` or `end`; return where that is."""
    while at < len(tokens):
        text, action = tokens[at]
        keyword = text.partition(" ")[0] if action else ""
        if not action:
            if out is not None:
                out.append(text)
            at += 1
        elif keyword in ("else", "end"):
            return at
        elif keyword in ("if", "with"):
            at = _branch(tokens, at, dot, root, out)
        else:
            if out is not None:
                out.append(_printed(_evaluate(text, dot, root)))
            at += 1
    return at


def _branch(tokens: list[_Token], at: int, dot: JSON, root: JSON, out: list[str] | None) -> int:
    """One `if` or `with` with its else branches; return the token after its `end`."""
    keyword, _, condition = tokens[at].text.partition(" ")
    taken = False
    while True:
        value = _evaluate(condition, dot, root) if out is not None and not taken else None
        chosen = out is not None and not taken and bool(value)
        at = _run(tokens, at + 1, value if chosen and keyword == "with" else dot, root, out if chosen else None)
        taken = taken or chosen
        if at >= len(tokens):
            raise CannotRender(f"template: {keyword} without end")
        if tokens[at].text == "end":
            return at + 1
        keyword, condition = _else(tokens[at].text)


def _else(text: str) -> tuple[str, str]:
    """The next branch of an `else`: plain, or `else if` and `else with` with a condition of their own."""
    words = text.split(maxsplit=2)
    if len(words) == 1:
        return "if", '"else"'
    if words[1] not in ("if", "with") or len(words) < 3:
        raise CannotRender(f"template: unexpected {{{{{text}}}}}")
    return words[1], words[2]


def _evaluate(expression: str, dot: JSON, root: JSON) -> JSON:
    words = _WORD.findall(expression)
    if "".join(words) != re.sub(r"\s+", "", expression) and '"' not in expression and "`" not in expression:
        raise CannotRender(f"template: cannot read {{{{{expression}}}}}")
    value, end = _call(words, 0, dot, root)
    if end != len(words):
        raise CannotRender(f"template: {words[end]!r} is not supported in {{{{{expression}}}}}")
    return value


def _call(words: list[str], at: int, dot: JSON, root: JSON) -> tuple[JSON, int]:
    """A function with its arguments, or a single value."""
    if at >= len(words):
        raise CannotRender("template: an expression is missing")
    name = words[at]
    if name not in _FUNCTIONS:
        return _operand(words, at, dot, root)
    arguments = []
    at += 1
    while at < len(words) and words[at] != ")":
        value, at = _operand(words, at, dot, root)
        arguments.append(value)
    if not arguments or (name == "ne" and len(arguments) != 2) or (name == "not" and len(arguments) != 1):
        raise CannotRender(f"template: wrong number of arguments for {name}")
    return _FUNCTIONS[name](arguments), at


def _operand(words: list[str], at: int, dot: JSON, root: JSON) -> tuple[JSON, int]:
    word = words[at]
    if word == "(":
        value, end = _call(words, at + 1, dot, root)
        if words[end : end + 1] != [")"]:
            raise CannotRender("template: unclosed parenthesis")
        return value, end + 1
    if word.startswith("`"):
        return word[1:-1], at + 1
    if word.startswith('"'):
        return _unquote(word), at + 1
    if word in ("true", "false"):
        return word == "true", at + 1
    source = root if word.startswith("$") else dot
    path = word.removeprefix("$") or "."
    if _FIELD.fullmatch(path) is None:
        raise CannotRender(f"template: {word!r} is not supported")
    return _field(source, path), at + 1


def _field(value: JSON, path: str) -> JSON:
    for name in filter(None, path.split(".")):
        if value is None:
            return None
        if not isinstance(value, Mapping):
            raise CannotRender(f"template: {path} goes through a value that has no fields")
        value = value.get(name)
    return value


def _unquote(word: str) -> str:
    escapes = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
    return re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[0]), word[1:-1], flags=re.DOTALL)


def _first(arguments: list[JSON], *, stop_at: bool) -> JSON:
    """Go's `and` and `or`: the first argument that decides, else the last."""
    return next((a for a in arguments if bool(a) is stop_at), arguments[-1])


_FUNCTIONS: dict[str, Callable[[list[JSON]], JSON]] = {
    "eq": lambda a: any(a[0] == other for other in a[1:]),
    "ne": lambda a: a[0] != a[1],
    "not": lambda a: not a[0],
    "and": lambda a: _first(a, stop_at=False),
    "or": lambda a: _first(a, stop_at=True),
}


def _printed(value: JSON) -> str:
    if value is None:
        return _NO_VALUE
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return "map[" + " ".join(f"{key}:{_printed(item)}" for key, item in sorted(value.items())) + "]"
    return str(value)
