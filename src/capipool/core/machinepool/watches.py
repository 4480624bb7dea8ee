"""Which changes concern which pools: from (old, new) of some object to the keys of pools. Pure, but for index look-ups.

What is decided here is what a change costs. A heartbeat, our own write, a counter that moved: nothing. Every function
looks at a few objects by index, never at all of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from capipool.api import indexes, labels
from capipool.api.builtin import Node
from capipool.api.constants import Annotation, Label
from capipool.api.core import Machine, MachinePool
from capipool.core import changes, references
from capipool.core.machinepool import nodes as pool_nodes
from capipool.machinery.objects import Object, Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache
from capipool.workload import nodes, nodesync

BY_NODE_NAME = "status.nodeRefs.name"
BY_LABEL = "pool name label"


def add_indexes(pools: Cache[MachinePool]) -> None:
    """The indexes by which pools are found here."""
    pools.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
    references.add_indexes(pools)
    pools.add_index(BY_NODE_NAME, node_names)
    pools.add_index(indexes.PROVIDER_ID_LIST, indexes.pool_provider_ids)
    pools.add_index(BY_LABEL, _label)


def node_names(pool: MachinePool) -> tuple[str, ...]:
    """The names of the nodes that a pool refers to."""
    return tuple(ref.name for ref in pool.status.node_refs if ref.name)


def of_cluster(pools: Cache[MachinePool], cluster: ObjectKey) -> Sequence[MachinePool]:
    """The pools of a Cluster."""
    return pools.by(indexes.CLUSTER_NAME, str(cluster))


def infra_machine_changed(
    pools: Cache[MachinePool], old: Unstructured | None, new: Unstructured | None
) -> Iterable[ObjectKey]:
    """The pool whose labels an infrastructure machine carries: in its namespace, of its cluster."""
    obj = changes.relevant(old, new, changes.of_provider)
    return labelled(pools, obj) if obj is not None else ()


def machine_changed(pools: Cache[MachinePool], old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
    """The pool that a Machine belongs to, where something changed that the pool counts or shows."""
    machine = changes.relevant(old, new, _of_machine)
    return labelled(pools, machine) if machine is not None else ()


def labelled(pools: Cache[MachinePool], obj: Object) -> Iterable[ObjectKey]:
    """The pools that an object's labels name: by pool name, which may be hashed, and cluster name."""
    value = obj.metadata.labels.get(Label.MACHINE_POOL_NAME)
    if value is None:
        return ()
    cluster = obj.metadata.labels.get(Label.CLUSTER_NAME)
    found = pools.by(BY_LABEL, _scoped(obj.metadata.namespace, value))
    return [pool.key for pool in found if pool.spec.cluster_name == cluster]


def node_changed(
    pools: Cache[MachinePool], cluster: ObjectKey, old: Node | None, new: Node | None
) -> Iterable[ObjectKey]:
    """The pools that a node of this workload cluster concerns.

    A change of its state concerns its pool. Of labels, annotations and taints only what is not as the pool wants it:
    neither a heartbeat nor our own write of them leads to a reconcile.
    """
    node = new or old
    if node is None:
        return ()
    found = pools_of_node(pools, node, cluster)
    if not nodes.state_changed(old, new):
        found = [p for p in found if new is not None and nodesync.patch(new, pool_nodes.wanted(p)) is not None]
    keys = {pool.key for pool in found}
    if old is not None and new is not None and old.spec.provider_id != new.spec.provider_id:
        keys |= {pool.key for pool in pools_of_node(pools, old, cluster)}
    return keys


def pools_of_node(pools: Cache[MachinePool], node: Node, cluster: ObjectKey | None = None) -> list[MachinePool]:
    """The pools of a node: those that refer to it by name, or list its provider ID where that is not one pool.

    Only pools of the given Cluster, or else of the one that the node's annotations name, are considered.
    """
    owner = cluster or _cluster_of(node)
    by_name = _in_cluster(pools.by(BY_NODE_NAME, node.metadata.name), owner)
    listed = node.spec.provider_id
    if not listed:
        return by_name
    by_id = _in_cluster(pools.by(indexes.PROVIDER_ID_LIST, listed), owner)
    if len(by_name) == 1 and (not by_id or by_id == by_name):
        return by_name
    return by_id or by_name


def _in_cluster(pools: Iterable[MachinePool], cluster: ObjectKey | None) -> list[MachinePool]:
    if cluster is None:
        return list(pools)
    return [p for p in pools if (p.metadata.namespace, p.spec.cluster_name) == cluster]


def _cluster_of(node: Node) -> ObjectKey | None:
    said = node.metadata.annotations
    namespace, name = said.get(Annotation.CLUSTER_NAMESPACE), said.get(Annotation.CLUSTER_NAME)
    return ObjectKey(namespace, name) if namespace and name else None


def _label(pool: MachinePool) -> tuple[str, ...]:
    return (_scoped(pool.metadata.namespace, labels.format_value(pool.metadata.name)),)


def _scoped(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


def _of_machine(machine: Machine) -> tuple[object, ...]:
    status = machine.status
    return (
        machine.metadata.uid,
        machine.metadata.deletion_timestamp,
        machine.metadata.owner_references,
        machine.spec,
        status.node_info and status.node_info.kubelet_version,
        tuple((c.type, c.status, c.message) for c in status.conditions),
    )
