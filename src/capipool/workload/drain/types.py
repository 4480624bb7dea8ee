"""The words of a drain: what is asked for, what is decided about a pod, and what came of a step. All frozen."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Literal

from capipool.api.builtin import Pod
from capipool.machinery.resource import ObjectKey
from capipool.machinery.selectors import LabelSelector

Behavior = Literal["Drain", "Skip", "WaitCompleted"]
Warning_ = Literal["daemonset", "orphaned-daemonset", "local-storage", "no-controller"]
"""What an administrator may want to know of a pod; none of it holds a drain up."""
BlockedBy = Literal["Deleting", "Budget", "Failed", "Completion", "Order", "OrderCompletion"]
"""Why a pod holds a drain up: it is being deleted, a budget keeps it, its eviction failed, it is to complete by itself,
or pods of a lower order go first (and it is evicted, or left to complete, after them)."""


class DrainError(Exception):
    """A drain cannot be decided: a rule nobody understands, or a namespace that is not there. Nothing was evicted."""


@dataclass(frozen=True, slots=True)
class Rule:
    """A MachineDrainRule that is for the machine at hand, with its selectors parsed."""

    name: str
    behavior: str
    order: int = 0
    pods: tuple[tuple[LabelSelector | None, LabelSelector | None], ...] = ()
    """Pairs of a pod selector and a namespace selector: one pair must match whole. None, and no pairs, match all."""

    @property
    def needs_namespaces(self) -> bool:
        """Whether it asks for the labels of namespaces."""
        return any(namespace is not None for _, namespace in self.pods)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a drain does with one pod."""

    behavior: Behavior
    order: int = 0
    """Pods of a lower order go first; may be negative."""
    warnings: tuple[Warning_, ...] = ()
    error: str = ""
    """Why nothing can be said of the pod; the rest counts for nothing then."""

    @property
    def reason(self) -> str:
        """The verdict in a word: `Error`, `Warning`, `Okay`, `Skip` or `WaitCompleted`."""
        if self.error:
            return "Error"
        if self.warnings:
            return "Warning"
        return "Okay" if self.behavior == "Drain" else self.behavior


@dataclass(frozen=True, slots=True)
class DrainPlan:
    """The pods of a node by what happens to them now, each by namespace and name."""

    evict: tuple[Pod, ...] = ()
    deleting: tuple[Pod, ...] = ()
    complete: tuple[Pod, ...] = ()
    """Left alone until they complete."""
    evict_later: tuple[Pod, ...] = ()
    complete_later: tuple[Pod, ...] = ()
    ignored: tuple[Pod, ...] = ()


@dataclass(frozen=True, slots=True)
class Blocker:
    """A pod that holds a drain up, and why."""

    pod: ObjectKey
    by: BlockedBy
    budget: str = ""
    """The PodDisruptionBudget in the way, by name; several are joined by commas."""
    detail: str = ""
    """What the API server said."""


@dataclass(frozen=True, slots=True)
class DrainOptions:
    """How to drain."""

    rules: tuple[Rule, ...] = ()
    """The drain rules for this machine or pool: see `rules_for`."""
    started_at: dt.datetime | None = None
    """When draining this node began; None is now."""
    timeout_seconds: int | None = None
    """How long it may take in all. None and 0 are without end, as `nodeDrainTimeoutSeconds` is."""
    grace_period_seconds: int | None = None
    """Given to every eviction; None leaves pods their own, except on a node that is out of reach: there it is 1 s."""


@dataclass(frozen=True, slots=True)
class DrainResult:
    """What came of one step."""

    done: bool
    evicted: tuple[ObjectKey, ...] = ()
    """The pods whose eviction was accepted in this step."""
    waiting: tuple[Blocker, ...] = ()
    message: str = ""
    """What the drain waits for, for a condition; empty when it is done."""
    retry_after: dt.timedelta = dt.timedelta(0)
    """When to come again; nothing of it when it is done."""
    timed_out: bool = False
    """It is done only because its time is over: pods may still be there."""


def is_expired(started_at: dt.datetime | None, timeout_seconds: int | None, now: dt.datetime) -> bool:
    """Whether a step of a deletion has had its time. None and 0 seconds never expire, nor does what has not begun."""
    if started_at is None or not timeout_seconds or timeout_seconds < 0:
        return False
    return now - started_at >= dt.timedelta(seconds=timeout_seconds)
