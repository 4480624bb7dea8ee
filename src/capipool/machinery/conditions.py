"""Conditions (`metav1.Condition`): setting one moves its transition time only when its status changes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Iterable, Sequence
from typing import Annotated, Literal, NamedTuple, cast

import msgspec

from capipool.machinery.clock import to_seconds
from capipool.machinery.objects import Model
from capipool.machinery.schema.limits import Int64, Limits

ConditionStatus = Literal["True", "False", "Unknown"]

QUALIFIED_NAME = (
    r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
)
"""A condition type: a name, with a DNS subdomain and a slash before it if wanted."""
REASON = r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"


class Condition(Model, omit_defaults=False):
    """One observed fact. `message` is there even when empty, as the API requires; times are to the second."""

    type: Annotated[str, Limits(max_length=316, pattern=QUALIFIED_NAME)]
    status: Annotated[str, Limits(enum=("True", "False", "Unknown"))]
    reason: Annotated[str, Limits(min_length=1, max_length=1024, pattern=REASON, required=True)] = ""
    message: Annotated[str, Limits(max_length=32768, required=True)] = ""
    last_transition_time: Annotated[dt.datetime | None, Limits(required=True)] = None
    observed_generation: Annotated[Int64, Limits(minimum=0)] | msgspec.UnsetType = msgspec.UNSET


def find(conditions: Iterable[Condition], type_: str) -> Condition | None:
    """The condition of this type, if there is one."""
    return next((c for c in conditions if c.type == type_), None)


def is_true(conditions: Iterable[Condition], type_: str) -> bool:
    """Whether the condition is there and `True`."""
    found = find(conditions, type_)
    return found is not None and found.status == "True"


def set_all(before: Iterable[Condition], wanted: Iterable[Condition], now: dt.datetime) -> tuple[Condition, ...]:
    """Put conditions beside those of other types.

    The transition time of each is the old one where its status stays, and `now` where it changes or is new. The order
    of what was there stays, new types follow in the order given, so that writing the same facts changes nothing.
    """
    result = {c.type: c for c in before}
    for condition in wanted:
        old = result.get(condition.type)
        since = old.last_transition_time if old is not None and old.status == condition.status else None
        result[condition.type] = msgspec.structs.replace(condition, last_transition_time=since or to_seconds(now))
    return tuple(result.values())


class Reasons(NamedTuple):
    """The reason of a merged condition, by its status."""

    true: str
    false: str
    unknown: str

    def of(self, status: ConditionStatus) -> str:
        """The reason that goes with a status."""
        return {"True": self.true, "False": self.false, "Unknown": self.unknown}[status]


def mirror(source: Condition | None, type_: str, fallback: Condition) -> Condition:
    """Another object's condition under a type of one's own; the fallback where that object reports none.

    A source without a reason (objects of older contracts) gets the one of the fallback if both say the same.
    """
    if source is None:
        return msgspec.structs.replace(fallback, type=type_)
    reason = source.reason or (fallback.reason if source.status == fallback.status else "NoReasonReported")
    return Condition(type=type_, status=source.status, reason=reason, message=source.message)


def summary(
    type_: str, conditions: Iterable[Condition], *, of: Sequence[str], reasons: Reasons, negative: Collection[str] = ()
) -> Condition:
    """One condition over several of the same object: `True` when none of the types `of` stands against it.

    A type in `negative` is good when `False`. One that is missing counts as unknown. The message has one line for each
    that stands against it, the worst first.
    """
    found = {c.type: c for c in conditions}
    judged = [(kind, found.get(kind), _judge(found.get(kind), kind in negative)) for kind in of]
    status = _worst(verdict for _, _, verdict in judged)
    lines = [
        f"* {kind}:{_below(_said(condition))}"
        for wanted in ("False", "Unknown")
        for kind, condition, verdict in judged
        if verdict == wanted
    ]
    return Condition(type=type_, status=status, reason=reasons.of(status), message="\n".join(lines))


def aggregate(
    type_: str, parts: Iterable[tuple[str, Condition | None]], *, kind: str, reasons: Reasons, negative: bool = False
) -> Condition:
    """One condition over the same one of several objects, given as (name, condition).

    Objects that say the same share a line that names up to three of them; at most three lines are spelled out, and the
    rest is counted. With `negative`, `False` is good and the result is about whether any is `True`.
    """
    groups: dict[tuple[ConditionStatus, str], list[str]] = {}
    verdicts: list[ConditionStatus] = []
    for name, condition in parts:
        verdict = _judge(condition, negative)
        verdicts.append(verdict)
        if verdict != "True":
            groups.setdefault((verdict, _said(condition)), []).append(name)
    ordered = sorted(groups.items(), key=lambda g: (g[0][0] != "False", -len(g[1])))
    lines = [f"* {_named(kind, names)}:{_below(said)}" for (_, said), names in ordered[:_SPELLED_OUT]]
    if rest := sum(len(names) for _, names in ordered[_SPELLED_OUT:]):
        lines.append(f"And {rest} {kind}{'s' if rest > 1 else ''} with other issues")
    good = _worst(verdicts)
    status: ConditionStatus = _inverse(good) if negative else good
    return Condition(type=type_, status=status, reason=reasons.of(status), message="\n".join(lines))


def first_said(message: str) -> str:
    """The first of what a message lists, in one line, for who has room for no more."""
    text = ""
    for line in message.splitlines():
        text += f"{' ' if text else ''}{line.strip().removeprefix('* ')}"
        if not text.endswith(":"):
            break
    return text


_SPELLED_OUT = 3
"""Lines, and names in a line, that a message spells out: what a person still reads."""


def _below(said: str) -> str:
    """What is said under a head of a list: behind it, or, where it is a list of several, below it and further in."""
    if "\n" not in said:
        return f" {said.removeprefix('* ')}"
    lines = [(line, line.lstrip().startswith("* ")) for line in said.splitlines()]
    deeper = "" if all(listed for _, listed in lines) else "  "
    return "".join(f"\n  {deeper}{line}" if listed else f"\n  * {line}" for line, listed in lines)


def _named(kind: str, names: Sequence[str]) -> str:
    """`Machine a` or `Machines a, b, c, ... (2 more)`."""
    shown = ", ".join(sorted(names)[:_SPELLED_OUT])
    more = f", ... ({len(names) - _SPELLED_OUT} more)" if len(names) > _SPELLED_OUT else ""
    return f"{kind}{'s' if len(names) > 1 else ''} {shown}{more}"


def _judge(condition: Condition | None, negative: bool) -> ConditionStatus:
    """Whether a condition is as it should be; one that is missing is not known."""
    if condition is None:
        return "Unknown"
    status = cast(ConditionStatus, condition.status)
    return _inverse(status) if negative else status


_INVERSE: dict[ConditionStatus, ConditionStatus] = {"True": "False", "False": "True", "Unknown": "Unknown"}


def _inverse(status: ConditionStatus) -> ConditionStatus:
    return _INVERSE[status]


def _worst(verdicts: Iterable[ConditionStatus]) -> ConditionStatus:
    found = set(verdicts)
    return "False" if "False" in found else "Unknown" if "Unknown" in found else "True"


def _said(condition: Condition | None) -> str:
    if condition is None:
        return "Condition not yet reported"
    return condition.message or condition.reason
