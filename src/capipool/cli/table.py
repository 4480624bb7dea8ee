"""Tables as `kubectl` prints them: the server's `Table` objects, aligned, the same in a terminal and a pipe. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_GAP = "   "


def columns(table: Mapping[str, Any], *, wide: bool = False) -> list[int]:
    """Which columns of a Table are shown: priority 0, all of them when wide."""
    definitions = table.get("columnDefinitions") or ()
    return [i for i, c in enumerate(definitions) if wide or not c.get("priority")]


def rows(table: Mapping[str, Any], shown: Sequence[int], *, namespaces: bool = False) -> list[list[str]]:
    """The header and the rows of a Table as text, led by the namespace where asked for."""
    definitions = table.get("columnDefinitions") or ()
    header = [str(definitions[i]["name"]).upper() for i in shown]
    found = [["NAMESPACE", *header] if namespaces else header]
    for row in table.get("rows") or ():
        cells = [_text(row["cells"][i]) for i in shown]
        namespace = (row.get("object") or {}).get("metadata", {}).get("namespace", "")
        found.append([namespace, *cells] if namespaces else cells)
    return found


def _text(cell: Any) -> str:
    if cell is None:
        return "<none>"
    return str(cell).lower() if isinstance(cell, bool) else str(cell)


def align(found: Sequence[Sequence[str]], widths: Sequence[int] | None = None) -> list[str]:
    """Rows as lines, each column as wide as its widest cell (or as given)."""
    wide = widths or measure(found)
    return [_GAP.join(cell.ljust(width) for cell, width in zip(row, wide, strict=True)).rstrip() for row in found]


def measure(found: Sequence[Sequence[str]]) -> list[int]:
    """The width of each column."""
    return [max(len(row[i]) for row in found) for i in range(len(found[0]))]
