"""Which pods of a node go now, and which wait for others. Pure.

Pods go by the order of their verdicts: while one of the lowest order is there, in deletion or still to complete, none
of a higher order is touched.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.builtin import Pod
from capipool.workload.drain.classify import is_finished
from capipool.workload.drain.types import DrainError, DrainPlan, Verdict


def plan(judged: Iterable[tuple[Pod, Verdict]]) -> DrainPlan:
    """Sort the pods of a node by what happens to them in this step.

    Raises DrainError naming the pods about which nothing could be decided.
    """
    pods = sorted(judged, key=lambda pair: pair[0].key)
    _refuse_errors(pods)
    holding = [(pod, verdict) for pod, verdict in pods if _holds(pod, verdict)]
    lowest = min((verdict.order for _, verdict in holding), default=0)
    groups: dict[str, list[Pod]] = {}
    for pod, verdict in holding:
        groups.setdefault(_group(pod, verdict, lowest), []).append(pod)
    ignored = tuple(pod for pod, verdict in pods if not _holds(pod, verdict))
    return DrainPlan(ignored=ignored, **{name: tuple(group) for name, group in groups.items()})


def _holds(pod: Pod, verdict: Verdict) -> bool:
    """Whether the node is not drained while the pod is there. One that was to complete and has, holds nothing up."""
    if verdict.behavior == "WaitCompleted":
        return not is_finished(pod)
    return verdict.behavior == "Drain"


def _group(pod: Pod, verdict: Verdict, lowest: int) -> str:
    now = verdict.order == lowest
    if verdict.behavior == "WaitCompleted":
        return "complete" if now else "complete_later"
    if pod.deleting:
        return "deleting"
    return "evict" if now else "evict_later"


def _refuse_errors(pods: list[tuple[Pod, Verdict]]) -> None:
    wrong: dict[str, list[str]] = {}
    for pod, verdict in pods:
        if verdict.error:
            wrong.setdefault(verdict.error, []).append(str(pod.key))
    if wrong:
        raise DrainError("; ".join(f"{', '.join(keys)}: {error}" for error, keys in sorted(wrong.items())))
