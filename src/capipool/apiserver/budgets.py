"""PodDisruptionBudgets: how many pods are healthy, how many must be, and so how many may go now.

Eviction asks at the moment it decides; the budgets' lifecycle writes the same numbers into their status.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple

from capipool.apiserver.context import Context
from capipool.apiserver.store.entry import Entry
from capipool.machinery import selectors
from capipool.machinery.objects import Raw
from capipool.machinery.resource import GroupResource, split_api_version

BUDGETS = GroupResource("policy", "poddisruptionbudgets")
PODS = GroupResource("", "pods")


class Assessment(NamedTuple):
    """A budget's numbers."""

    expected: int
    healthy: int
    desired: int
    allowed: int


def of_pod(context: Context, space: str, pod: Entry) -> list[Entry]:
    """The budgets that a pod falls under."""
    collection = context.store.collection(space, *BUDGETS)
    return [b for b in collection.latest_entries(pod.namespace) if _selects(b.decode(), pod)]


def _selects(budget: Raw, pod: Entry) -> bool:
    selector = selectors.from_object((budget.get("spec") or {}).get("selector"))
    return selector is not None and selector.matches(pod.labels)


def assess(context: Context, space: str, budget: Raw) -> Assessment:
    """Count, with writes that are on their way taken as done: two evictions at once never share one permission."""
    namespace = budget["metadata"]["namespace"]
    selector = selectors.from_object((budget.get("spec") or {}).get("selector"))
    entries = [
        entry
        for entry in context.store.collection(space, *PODS).latest_entries(namespace)
        if selector is not None and selector.matches(entry.labels)
    ]
    pods = [entry.decode() for entry in entries]
    healthy = sum(not entry.deleting and is_ready(pod) for entry, pod in zip(entries, pods, strict=True))
    spec = budget.get("spec") or {}
    least, most = spec.get("minAvailable"), spec.get("maxUnavailable")
    if isinstance(least, int) and not isinstance(least, bool):
        expected, desired = len(pods), least
    elif least is not None:
        expected = _expected(context, space, namespace, pods)
        desired = _share(least, expected)
    elif most is not None:
        expected = _expected(context, space, namespace, pods)
        desired = max(0, expected - _share(most, expected))
    else:
        expected, desired = len(pods), 1  # what a budget without numbers means
    allowed = max(0, healthy - desired) if expected > 0 else 0
    return Assessment(expected, healthy, desired, allowed)


def is_ready(pod: Raw) -> bool:
    """Whether a pod counts as healthy."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)


def _share(value: int | str, whole: int) -> int:
    """A number, or a percentage of a whole, rounded up."""
    if isinstance(value, str):
        return math.ceil(int(value.rstrip("%")) * whole / 100)
    return int(value)


def _expected(context: Context, space: str, namespace: str, pods: Iterable[Raw]) -> int:
    """How many pods there should be: what their controllers want, and one for each pod that has none."""
    total = 0
    counted: dict[str, int] = {}
    wanted: dict[str, int] = {}
    for pod in pods:
        owner = _controller(pod)
        if owner is None:
            total += 1
            continue
        uid = owner["uid"]
        counted[uid] = counted.get(uid, 0) + 1
        if uid not in wanted:
            wanted[uid] = _replicas(context, space, namespace, owner)
    return total + sum(replicas if replicas >= 0 else counted[uid] for uid, replicas in wanted.items())


def _controller(raw: Raw) -> Raw | None:
    return next((r for r in raw["metadata"].get("ownerReferences") or () if r.get("controller")), None)


def _replicas(context: Context, space: str, namespace: str, owner: Raw) -> int:
    """What a controller wants; a replica set says what its deployment wants. -1 where it has no such number."""
    group = split_api_version(owner["apiVersion"])[0]
    served = context.registry(space).by_kind(group, owner["kind"])
    if served is None:
        return -1
    entry = context.collection(space, served).latest(namespace, owner["name"])
    if entry is None or entry.uid != owner["uid"]:
        return -1
    raw = entry.decode()
    above = _controller(raw)
    if above is not None and (replicas := _replicas(context, space, namespace, above)) >= 0:
        return replicas
    replicas = (raw.get("spec") or {}).get("replicas", -1)
    return replicas if isinstance(replicas, int) else -1
