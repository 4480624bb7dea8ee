"""Instances of pools without Machines: which of them a health check is for, and how their remediation is asked for.

Pure; called by `observe` and `decide`. Such an instance is its provider ID and its node. What is wanted of it is said
on the node, by the annotation `cluster.x-k8s.io/remediate-machine`: whoever provides the pool replaces the instance,
within the pool's own limits. The annotation's value says which check asked; a check takes back only what it asked for
itself.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import msgspec

from capipool.api import labels
from capipool.api.builtin import Node
from capipool.api.constants import Annotation, Label
from capipool.api.core import Cluster, Machine, MachineHealthCheck, MachinePool
from capipool.core.machinehealthcheck import health
from capipool.core.machinehealthcheck.health import Health
from capipool.machinery import selectors
from capipool.workload import nodes


@dataclass(frozen=True, slots=True)
class Instance:
    """An instance of a pool that a health check is for."""

    pool: MachinePool
    provider_id: str
    """Empty for one that the pool wants and nobody lists yet: it is booting, or was just taken away."""
    node: Node | None = None


@dataclass(frozen=True, slots=True)
class NodeMark:
    """Ask on a node for the remediation of its instance, or take that back where `value` is None."""

    node: Node
    value: str | None


def targets(
    check: MachineHealthCheck,
    pools: Iterable[MachinePool],
    machines: Iterable[Machine],
    nodes_of: Callable[[str], Sequence[Node]] | None,
) -> list[Instance]:
    """The instances that a health check is for, of pools without Machines. `nodes_of` finds nodes by provider ID.

    As many as a pool wants beyond those that it lists count too: else a second instance could be given up as soon as
    the first one is terminated, before its replacement is there.
    """
    selector = selectors.from_object(msgspec.to_builtins(check.spec.selector))
    represented = {m.metadata.labels.get(Label.MACHINE_POOL_NAME) for m in machines}
    found: list[Instance] = []
    for pool in pools:
        carried = machine_labels(pool)
        if pool.spec.cluster_name != check.spec.cluster_name or selector is None or not selector.matches(carried):
            continue
        if carried[Label.MACHINE_POOL_NAME] in represented or pool.deleting or _is_exempt(pool):
            continue
        missing = max((pool.spec.replicas or 0) - len(pool.spec.provider_id_list), 0)
        listed = (_instance(pool, id, nodes_of) for id in pool.spec.provider_id_list)
        found += (i for i in listed if i.node is None or not _is_exempt(i.node))
        found += [Instance(pool, "")] * missing
    return found


def machine_labels(pool: MachinePool) -> dict[str, str]:
    """The labels that the Machines of a pool would carry."""
    own = {
        Label.MACHINE_POOL_NAME: labels.format_value(pool.metadata.name),
        Label.CLUSTER_NAME: pool.spec.cluster_name,
    }
    return {**pool.spec.template.metadata.labels, **own}


def judge(instance: Instance, check: MachineHealthCheck, cluster: Cluster, now: dt.datetime) -> Health:
    """How an instance is. What this check asked for itself is no reason to find it unhealthy."""
    node = instance.node
    if node is not None and node.metadata.annotations.get(Annotation.REMEDIATE_MACHINE, asker(check)) != asker(check):
        return health.MARKED
    return health.judge_instance(node, check, cluster, now)


def marks(
    check: MachineHealthCheck, judged: Iterable[tuple[Instance, Health]], *, remediate: bool
) -> list[tuple[Instance, Health, NodeMark]]:
    """What to say on nodes that they do not say yet. Nothing is asked for anew unless `remediate`."""
    found = []
    for instance, verdict in judged:
        node = instance.node
        if node is None or node.deleting:
            continue
        said = node.metadata.annotations.get(Annotation.REMEDIATE_MACHINE)
        if verdict.verdict == "Unhealthy" and said is None and remediate:
            found.append((instance, verdict, NodeMark(node, asker(check))))
        elif verdict.verdict == "Healthy" and said == asker(check):
            found.append((instance, verdict, NodeMark(node, None)))
    return found


def asker(check: MachineHealthCheck) -> str:
    """The annotation's value: who asks."""
    return f"{check.RESOURCE.kind}/{check.metadata.namespace}/{check.metadata.name}"


def _instance(pool: MachinePool, id: str, nodes_of: Callable[[str], Sequence[Node]] | None) -> Instance:
    those = nodes_of(id) if nodes_of is not None else ()
    return Instance(pool, id, nodes.newest(those) if those else None)


def _is_exempt(obj: MachinePool | Node) -> bool:
    return any(a in obj.metadata.annotations for a in health.HAS_NOT_TO)
