"""Reasons in one line: which of an object's conditions says why it waits, in which words. Pure.

`describe` asks; works on objects as JSON has them, of any provider.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Iterable, Mapping, Sequence

from capipool.cli.tree import Branch, Tone
from capipool.machinery.objects import Raw

LONGEST_REASON = 240
"""Characters of a reason at most; the whole of it stands in the object's conditions."""

SHOWN_READY = 10
"""How many that are well are listed; the rest are counted. Those that are not well are all listed."""

Order = Sequence[tuple[str, str]]
"""Types of conditions with the status that stands against the object, the cause before its effects."""


def conditions(obj: Raw) -> dict[str, Raw]:
    """The conditions of an object by their types."""
    return {c.get("type", ""): c for c in obj.get("status", {}).get("conditions") or ()}


def first(found: Mapping[str, Raw], order: Iterable[tuple[str, str]]) -> str:
    """What the first condition that is so says; empty where none is."""
    for kind, status in order:
        condition = found.get(kind)
        if condition is not None and condition.get("status") == status:
            return sentence(kind, message(condition) or str(condition.get("reason") or status))
    return ""


def message(condition: Raw) -> str:
    """A condition's message in one line: what is listed becomes clauses."""
    text = ""
    for line in str(condition.get("message") or "").splitlines():
        if clause := line.strip().removeprefix("* "):
            text += (" " if text.endswith(":") else "; " if text else "") + clause
    # A list within a line, as some controllers write it.
    return text.replace(": * ", ": ").removesuffix(":")


def sentence(kind: str, text: str) -> str:
    """What is the matter, in words; what would fill a screen is cut."""
    text = f"{kind}: {text}"
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def tone(phase: str, why: str) -> Tone:
    """How a line is coloured."""
    if phase == "Failed":
        return "bad"
    return "waiting" if why or phase not in ("Running", "Provisioned") else "good"


def shortened(branches: Sequence[Branch]) -> tuple[Branch, ...]:
    """All that are not well, and the first few that are; the rest as a number."""
    well = [b for b in branches if b.tone == "good"]
    hidden = {id(b) for b in well[SHOWN_READY:]} if len(well) > SHOWN_READY + 1 else set()
    shown = [b for b in branches if id(b) not in hidden]
    return (*shown, Branch(f"… and {len(hidden)} more, all Ready", tone="good")) if hidden else tuple(shown)


def said_once(branch: Branch, above: Collection[str] = ()) -> Branch:
    """A tree in which nothing repeats the reason of what it hangs below: a paused cluster pauses all that is in it."""
    why = "" if branch.why in above else branch.why
    below = {*above, branch.why} - {""}
    return dataclasses.replace(branch, why=why, children=tuple(said_once(c, below) for c in branch.children))
