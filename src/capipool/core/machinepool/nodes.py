"""A pool's nodes: which are its, which are ready, which are left over, and what they should carry. Pure."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from capipool.api.builtin import Node
from capipool.api.constants import Annotation
from capipool.api.core import MachinePool
from capipool.api.shared import ObjectReference
from capipool.core.machinepool.world import Nodes
from capipool.workload import nodes as nodes_of
from capipool.workload import nodesync
from capipool.workload.nodesync import NodePatch, Wanted


@dataclass(frozen=True, slots=True)
class NodesStep:
    """The nodes of a pool's instances, judged."""

    nodes: tuple[Node, ...] = ()
    """One for each instance that has joined, in the order of the provider's list."""
    ready: int = 0
    available: int = 0
    missing: tuple[str, ...] = ()
    """Provider IDs of instances that have not joined."""
    duplicates: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Provider IDs that several Nodes claim, with those Nodes' names. The one that joined last counts."""
    repeated: tuple[str, ...] = ()
    """Provider IDs that the provider lists more than once. They count once."""
    retired: tuple[Node, ...] = ()
    """Nodes of instances that are gone."""
    next_available: dt.datetime | None = None
    """When the next ready node will have been ready for long enough."""

    @property
    def refs(self) -> tuple[ObjectReference, ...]:
        """The nodes as `status.nodeRefs` has them."""
        return tuple(
            ObjectReference(api_version="v1", kind="Node", name=n.metadata.name, uid=n.metadata.uid) for n in self.nodes
        )


def decide(pool: MachinePool, provider_ids: Sequence[str], nodes: Nodes, now: dt.datetime) -> NodesStep:
    """Find the node of each listed instance. Blank and repeated provider IDs count once at most."""
    found: list[Node] = []
    missing: list[str] = []
    duplicates: list[tuple[str, tuple[str, ...]]] = []
    for provider_id in dict.fromkeys(filter(None, provider_ids)):
        candidates = nodes.by_provider_id.get(provider_id, ())
        if not candidates:
            missing.append(provider_id)
            continue
        if len(candidates) > 1:
            duplicates.append((provider_id, tuple(sorted(n.metadata.name for n in candidates))))
        found.append(candidates[0] if len(candidates) == 1 else nodes_of.newest(candidates))
    least = pool.spec.template.spec.min_ready_seconds or 0
    return NodesStep(
        nodes=tuple(found),
        ready=sum(nodes_of.is_ready(n) for n in found),
        available=sum(nodes_of.is_available(n, least, now) for n in found),
        missing=tuple(missing),
        duplicates=tuple(duplicates),
        repeated=tuple(i for i, times in Counter(filter(None, provider_ids)).items() if times > 1),
        retired=retired(pool, provider_ids, nodes),
        next_available=_next_available(found, least, now),
    )


def retired(pool: MachinePool, provider_ids: Iterable[str], nodes: Nodes) -> tuple[Node, ...]:
    """The pool's nodes whose instances the provider does not list any more.

    One without a provider ID cannot be told apart, and stays.
    """
    listed = set(provider_ids)
    return tuple(
        node
        for node in _known(pool, nodes).values()
        if node.spec.provider_id and node.spec.provider_id not in listed and not node.deleting
    )


def of_deleted_pool(pool: MachinePool, nodes: Nodes) -> tuple[Node, ...]:
    """All nodes that are to go with the pool: those it knew, and those of instances listed last."""
    found = _known(pool, nodes)
    for provider_id in filter(None, pool.spec.provider_id_list):
        found |= {node.metadata.name: node for node in nodes.by_provider_id.get(provider_id, ())}
    return tuple(found.values())


def _known(pool: MachinePool, nodes: Nodes) -> dict[str, Node]:
    """The nodes that the pool refers to, or that carry its mark.

    A node that took over the name of one of ours (another UID) is somebody else's, unless it is marked.
    """
    referred = (
        node
        for ref in pool.status.node_refs
        if (node := nodes.by_name.get(ref.name)) is not None and (not ref.uid or ref.uid == node.metadata.uid)
    )
    return {node.metadata.name: node for node in (*referred, *nodes.marked)}


def wanted(pool: MachinePool) -> Wanted:
    """What the nodes of a pool should carry."""
    template = pool.spec.template
    return Wanted(
        identity={
            Annotation.CLUSTER_NAME: pool.spec.cluster_name,
            Annotation.CLUSTER_NAMESPACE: pool.metadata.namespace,
            Annotation.OWNER_KIND: pool.RESOURCE.kind,
            Annotation.OWNER_NAME: pool.metadata.name,
        },
        labels=nodesync.managed_labels(template.metadata.labels),
        annotations=nodesync.managed_annotations(template.metadata.annotations),
        taints=template.spec.taints,
    )


def patches(pool: MachinePool, nodes: Iterable[Node]) -> tuple[NodePatch, ...]:
    """What to change on nodes so that they carry what the pool wants."""
    want = wanted(pool)
    found = (nodesync.patch(node, want) for node in nodes if not node.deleting)
    return tuple(p for p in found if p is not None)


def _next_available(nodes: Iterable[Node], least: int, now: dt.datetime) -> dt.datetime | None:
    if least <= 0:
        return None
    moments = (nodes_of.available_at(node, least) for node in nodes)
    return min((m for m in moments if m is not None and m >= now), default=None)
