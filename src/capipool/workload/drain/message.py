"""What a drain says it waits for: a few lines that a person can read, the same for the same facts. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence

from capipool.machinery.clock import format_time
from capipool.machinery.resource import ObjectKey
from capipool.workload.drain.types import BlockedBy, Blocker

_PODS = 3
"""Pods that a line names."""
_CAUSES = 5
"""Causes of failed evictions that have a line of their own."""


def condition_message(waiting: Sequence[Blocker], started_at: dt.datetime) -> str:
    """One line for each thing that the drain waits for; empty where it waits for nothing."""
    if not waiting:
        return ""
    return "\n".join((f"Drain not completed yet (started at {format_time(started_at)}):", *_lines(waiting)))


def _lines(waiting: Sequence[Blocker]) -> Iterator[str]:
    if deleting := _keys(waiting, "Deleting"):
        yield f"* {_pods(deleting)}: being deleted, but still on the Node"
    yield from _failures(waiting)
    if completing := _keys(waiting, "Completion"):
        yield f"* {_pods(completing)}: not evicted, to complete by itself"
    if later := _keys(waiting, "Order"):
        yield f"After these, by the order of drain rules, will be evicted: {_listed(later)}"
    if later := _keys(waiting, "OrderCompletion"):
        yield f"After these, by the order of drain rules, are to complete: {_listed(later)}"


def _failures(waiting: Iterable[Blocker]) -> Iterator[str]:
    causes: dict[str, list[ObjectKey]] = {}
    for blocker in waiting:
        if blocker.by in ("Budget", "Failed"):
            causes.setdefault(_cause(blocker), []).append(blocker.pod)
    ordered = sorted(causes.items())
    for cause, keys in ordered[:_CAUSES]:
        yield f"* {_pods(keys)}: {cause}"
    if rest := sum(len(keys) for _, keys in ordered[_CAUSES:]):
        yield f"* {rest} Pod{'s' if rest > 1 else ''} with other issues"


def _cause(blocker: Blocker) -> str:
    if blocker.by == "Failed":
        return f"eviction failed: {blocker.detail}"
    named = f"PodDisruptionBudget {blocker.budget}" if blocker.budget else "a disruption budget"
    return f"{named} does not allow its eviction now" + (f" ({blocker.detail})" if blocker.detail else "")


def _keys(waiting: Iterable[Blocker], by: BlockedBy) -> list[ObjectKey]:
    return [blocker.pod for blocker in waiting if blocker.by == by]


def _pods(keys: Sequence[ObjectKey]) -> str:
    return f"Pod{'s' if len(keys) > 1 else ''} {_listed(keys)}"


def _listed(keys: Sequence[ObjectKey]) -> str:
    shown = ", ".join(str(key) for key in keys[:_PODS])
    return f"{shown}, ... ({len(keys) - _PODS} more)" if len(keys) > _PODS else shown
