"""YAML whose every scalar reads back to the byte.

Called by the cloud-init and kubeadm renderers, which need more of an emitter than a library gives: values that hold
Jinja expressions must reach the text without a character escaped, because cloud-init evaluates Jinja on the text before
it parses the YAML. Knows nothing of either format.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

JSON = Any

_PLAIN = re.compile(r"[A-Za-z/](?:[A-Za-z0-9_./@-]|:(?=[A-Za-z0-9_./@-]))*")
_NOT_STRINGS = frozenset(["y", "n", "yes", "no", "on", "off", "true", "false", "null"])
"""Words that YAML 1.1 readers take for booleans or null."""

_UNPRINTABLE = re.compile("[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
"""What must be escaped: control characters, YAML's other line breaks, the byte order mark."""

_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\t": "\\t", "\r": "\\r", "\0": "\\0"}
_TO_ESCAPE = re.compile(r'["\\\n\t]|' + _UNPRINTABLE.pattern)


class Template(str):
    """Text with expressions that are evaluated before the YAML is read: its characters stay as they are."""

    __slots__ = ()


def document(value: Mapping[str, JSON]) -> str:
    """One YAML document in block style, keys in their order, ending with a newline."""
    return "".join(f"{line}\n" for line in _mapping(value, 0))


def _mapping(value: Mapping[str, JSON], indent: int) -> Iterator[str]:
    for key, item in value.items():
        yield from _entry(f"{' ' * indent}{_inline(key)}:", item, indent)


def _sequence(value: Sequence[JSON], indent: int) -> Iterator[str]:
    pad = " " * indent
    for item in value:
        if isinstance(item, Mapping) and item:
            first, *rest = _mapping(item, indent + 2)
            yield f"{pad}- {first[indent + 2 :]}"
            yield from rest
        elif isinstance(item, list | tuple) and not any(
            isinstance(i, Mapping | list | tuple) or _is_block(i) for i in item
        ):
            yield f"{pad}- [{', '.join(_inline(i) for i in item)}]"
        else:
            yield from _entry(f"{pad}-", item, indent)


def _entry(head: str, value: JSON, indent: int) -> Iterator[str]:
    """A value behind `head` (`key:` or `-`), on the same line where it fits there, below and indented where not."""
    if isinstance(value, Mapping) and value:
        yield head
        yield from _mapping(value, indent + 2)
    elif isinstance(value, list | tuple) and value:
        yield head
        yield from _sequence(value, indent + 2)
    elif _is_block(value):
        # A template's first line may vanish when it is evaluated, so the indentation is said, not left to be guessed.
        indicator = "2" if isinstance(value, Template) else ""
        yield f"{head} |{indicator}{_chomping(value)}"
        yield from _block(value, indent + 2)
    else:
        yield f"{head} {_inline(value)}"


def _is_block(value: JSON) -> bool:
    return isinstance(value, str) and _wants_block(value)


def _inline(value: JSON) -> str:
    match value:
        case None:
            return "null"
        case True | False:
            return "true" if value else "false"
        case str():
            return _scalar(value)
        case int() | float():
            return repr(value)
        case Mapping():
            return "{}"
        case list() | tuple():
            return "[]"
    raise TypeError(f"cannot be written as YAML: {type(value).__name__}")


def _scalar(text: str) -> str:
    if _PLAIN.fullmatch(text) and text.lower() not in _NOT_STRINGS:
        return str(text)
    return '"' + _TO_ESCAPE.sub(_escape, text) + '"'


def _escape(match: re.Match[str]) -> str:
    char = match.group()
    if (known := _ESCAPES.get(char)) is not None:
        return known
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _wants_block(text: str) -> bool:
    """Whether text goes below its key as it stands: several lines, or an expression that quotes would alter.

    Not where a reader would guess the indentation from the text (it begins with white space) or break lines at
    characters other than newlines.
    """
    if not text or text[0] in " \t\n" or _UNPRINTABLE.search(text) is not None:
        return False
    return "\n" in text or (isinstance(text, Template) and ('"' in text or "\\" in text))


def _chomping(text: str) -> str:
    """How a block ends: `-` without a newline, `+` with several or after a line of blanks, nothing with just one."""
    if not text.endswith("\n"):
        return "-"
    last = text[:-1].rpartition("\n")[2]
    return "" if last.strip(" \t") else "+"


def _block(text: str, indent: int) -> Iterator[str]:
    pad = " " * indent
    lines = text.removesuffix("\n").split("\n")
    yield from (f"{pad}{line}" if line else "" for line in lines)
