"""A tree of lines with aligned columns, for `describe` and the demo. Pure: the same text for a terminal and a pipe."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["good", "waiting", "bad", "plain"]

_STYLES: dict[Tone, str] = {"good": "green", "waiting": "yellow", "bad": "red", "plain": ""}
_GAP = "  "


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of a tree and what hangs below it."""

    name: str
    cells: tuple[str, ...] = ()
    why: str = ""
    """The one reason why this waits, in words; empty where nothing is waited for."""
    tone: Tone = "plain"
    children: tuple[Branch, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A laid-out line: `text` is complete, `style` colours it where there is a terminal."""

    text: str
    style: str


def lay_out(root: Branch) -> list[Line]:
    """The lines of a tree, columns aligned over all of them, reasons last."""
    rows = list(_walk(root, "", ""))
    widths = [max(map(len, column), default=0) for column in _columns([(head, *b.cells) for head, b in rows])]
    return [Line(_join(head, branch, widths), _STYLES[branch.tone]) for head, branch in rows]


def _walk(branch: Branch, lead: str, indent: str) -> Iterator[tuple[str, Branch]]:
    yield lead + branch.name, branch
    for number, child in enumerate(branch.children, start=1):
        last = number == len(branch.children)
        yield from _walk(child, indent + ("└─ " if last else "├─ "), indent + ("   " if last else "│  "))


def _columns(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    count = max(map(len, rows))
    return [[row[i] for row in rows if i < len(row)] for i in range(count)]


def _join(head: str, branch: Branch, widths: Sequence[int]) -> str:
    cells = [cell.ljust(width) for cell, width in zip((head, *branch.cells), widths, strict=False)]
    why = [f"({branch.why})"] if branch.why else []
    return _GAP.join(cells + why).rstrip()
