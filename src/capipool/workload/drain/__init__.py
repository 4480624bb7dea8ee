"""Drain: getting pods off a node in good order before its machine goes.

One piece of code for Machines and for pools without Machines. `drain` is one step, it never waits: whoever calls it
(the Machine reconciler, the pool engine) comes again after `retry_after` until the result is `done`. What happens to
which pod is decided by pure functions: `classify` (one pod), `plan` (all of a node), `message` (what a person reads).
It knows nodes, pods, budgets and drain rules, and nothing of who is going away.
"""

from capipool.workload.drain.classify import classify
from capipool.workload.drain.message import condition_message
from capipool.workload.drain.plan import plan
from capipool.workload.drain.rules import rules_for
from capipool.workload.drain.step import drain, ignored_pods, is_unreachable
from capipool.workload.drain.types import (
    Blocker,
    DrainError,
    DrainOptions,
    DrainPlan,
    DrainResult,
    Rule,
    Verdict,
    is_expired,
)

__all__ = [
    "Blocker",
    "DrainError",
    "DrainOptions",
    "DrainPlan",
    "DrainResult",
    "Rule",
    "Verdict",
    "classify",
    "condition_message",
    "drain",
    "ignored_pods",
    "is_expired",
    "is_unreachable",
    "plan",
    "rules_for",
]
