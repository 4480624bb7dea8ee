"""Nodes of a workload cluster: found by provider ID or name, and what their conditions mean.

Used by every controller that follows nodes (pools, machines, health checks, the pool engine). Knows nothing of pools or
machines. Looking a node up costs the same in a cluster of ten nodes and of ten thousand.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence

from capipool.api.builtin import Node, NodeCondition
from capipool.api.constants import Annotation
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache

PROVIDER_ID_INDEX = "spec.providerID"
OWNER_INDEX = "owner annotations"


def provider_ids(node: Node) -> tuple[str, ...]:
    """What a node is indexed by: its provider ID, once a kubelet or a cloud controller has set it."""
    return (node.spec.provider_id,) if node.spec.provider_id else ()


def owners(node: Node) -> tuple[str, ...]:
    """Who keeps the node in step, by the annotations that `nodesync` writes."""
    said = node.metadata.annotations
    if not (name := said.get(Annotation.OWNER_NAME)):
        return ()
    return (_owner(said.get(Annotation.OWNER_KIND, ""), said.get(Annotation.CLUSTER_NAMESPACE, ""), name),)


def _owner(kind: str, namespace: str, name: str) -> str:
    return f"{kind}/{namespace}/{name}"


class NodeIndex:
    """The nodes in a cluster's Node cache, by provider ID, by name, and by the owner that their annotations name."""

    def __init__(self, cache: Cache[Node]) -> None:
        self.cache = cache
        cache.add_index(PROVIDER_ID_INDEX, provider_ids)
        cache.add_index(OWNER_INDEX, owners)

    def by_provider_id(self, provider_id: str) -> Sequence[Node]:
        """The nodes of one instance: one, or none yet; several where an old Node was left behind."""
        return self.cache.by(PROVIDER_ID_INDEX, provider_id) if provider_id else ()

    def of_owner(self, kind: str, key: ObjectKey) -> Sequence[Node]:
        """The nodes whose annotations name this object of the management cluster as their owner."""
        return self.cache.by(OWNER_INDEX, _owner(kind, key.namespace, key.name))

    def get(self, name: str) -> Node | None:
        """A node by its name."""
        return self.cache.get(ObjectKey("", name))


def ready_condition(node: Node) -> NodeCondition | None:
    """The node's `Ready` condition; None before its kubelet has reported."""
    return next((c for c in node.status.conditions if c.type == "Ready"), None)


def is_ready(node: Node) -> bool:
    """Whether the node's kubelet says that it can run pods."""
    condition = ready_condition(node)
    return condition is not None and condition.status == "True"


def available_at(node: Node, min_ready_seconds: int) -> dt.datetime | None:
    """When a ready node has been ready for long enough; None where it is not ready, or does not say since when.

    Without a minimum that is at once: the beginning of time.
    """
    condition = ready_condition(node)
    if condition is None or condition.status != "True":
        return None
    if min_ready_seconds <= 0:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    since = condition.last_transition_time
    return None if since is None else since + dt.timedelta(seconds=min_ready_seconds)


def is_available(node: Node, min_ready_seconds: int, now: dt.datetime) -> bool:
    """Whether the node has been ready for longer than the minimum. Exactly as long is not enough, as upstream."""
    moment = available_at(node, min_ready_seconds)
    return moment is not None and moment < now


def newest(nodes: Iterable[Node]) -> Node:
    """The node that joined last, of at least one: a reimaged instance joins anew, and leaves an older Node behind."""
    beginning = dt.datetime.min.replace(tzinfo=dt.UTC)
    return max(nodes, key=lambda n: (n.metadata.creation_timestamp or beginning, n.metadata.name))


def state_changed(old: Node | None, new: Node | None) -> bool:
    """Whether a change is about more than metadata and heartbeats: identity, readiness, version, deletion, cordon.

    What labels, annotations and taints should be depends on who owns the node: see `nodesync`.
    """
    if old is None or new is None:
        return True
    return _state(old) != _state(new)


def _state(node: Node) -> tuple[object, ...]:
    condition = ready_condition(node)
    ready = condition and (condition.status, condition.reason, condition.message, condition.last_transition_time)
    return (
        node.metadata.uid,
        node.spec.provider_id,
        ready,
        node.status.node_info.kubelet_version,
        node.metadata.deletion_timestamp,
        node.spec.unschedulable,
    )
