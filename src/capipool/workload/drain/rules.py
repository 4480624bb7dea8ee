"""MachineDrainRules: which are for a machine, and which is for a pod. Pure.

A rule without machines is for all, else one of its entries must match the machine's and its cluster's labels; so it is
with pods and namespaces. Of several rules for a pod, the first by name counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from capipool.api.core import MachineDrainRule
from capipool.api.shared import LabelSelector as SelectorSpec
from capipool.machinery import selectors
from capipool.machinery.errors import BadRequest
from capipool.machinery.selectors import LabelSelector
from capipool.workload.drain.types import DrainError, Rule


def rules_for(
    rules: Iterable[MachineDrainRule], machine_labels: Mapping[str, str], cluster_labels: Mapping[str, str]
) -> tuple[Rule, ...]:
    """The rules for a machine (or for the machines of a pool), sorted by name.

    Raises DrainError naming a rule whose selectors cannot be read, even where that one is for other machines: a rule
    that is silently not applied could evict what it was to keep.
    """
    ordered = sorted(rules, key=lambda rule: rule.metadata.name)
    return tuple(_parse(rule) for rule in ordered if applies_to_machine(rule, machine_labels, cluster_labels))


def applies_to_machine(rule: MachineDrainRule, machine: Mapping[str, str], cluster: Mapping[str, str]) -> bool:
    """Whether a rule is for a machine, by its labels and those of its Cluster. Raises DrainError."""
    pairs = [(_selector(rule, s.selector), _selector(rule, s.cluster_selector)) for s in rule.spec.machines]
    return not pairs or any(_fits(own, machine) and _fits(of_cluster, cluster) for own, of_cluster in pairs)


def first_match(
    rules: Sequence[Rule], pod_labels: Mapping[str, str], namespace_labels: Mapping[str, str]
) -> Rule | None:
    """The rule that counts for a pod, out of rules that are sorted by name."""
    return next((r for r in rules if _applies_to_pod(r, pod_labels, namespace_labels)), None)


def _applies_to_pod(rule: Rule, pod: Mapping[str, str], namespace: Mapping[str, str]) -> bool:
    return not rule.pods or any(_fits(own, pod) and _fits(of_namespace, namespace) for own, of_namespace in rule.pods)


def _parse(rule: MachineDrainRule) -> Rule:
    drain = rule.spec.drain
    pairs = tuple((_selector(rule, s.selector), _selector(rule, s.namespace_selector)) for s in rule.spec.pods)
    return Rule(rule.metadata.name, drain.behavior, drain.order or 0, pairs)


def _selector(rule: MachineDrainRule, selector: SelectorSpec | None) -> LabelSelector | None:
    try:
        return selectors.from_object(msgspec.to_builtins(selector))
    except BadRequest as error:
        raise DrainError(f"MachineDrainRule {rule.metadata.name}: {error.message}") from error


def _fits(selector: LabelSelector | None, labels: Mapping[str, str]) -> bool:
    return selector is None or selector.matches(labels)
