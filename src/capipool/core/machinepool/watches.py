"""Which changes concern which pools: from (old, new) of some object to the keys of pools. Pure, but for index look-ups.

What is decided here is what a change costs. A heartbeat, our own write, a counter that moved: nothing. Every function
looks at a few objects by index, never at all of them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from capipool.api import indexes, labels
from capipool.api.builtin import CustomResourceDefinition, Node
from capipool.api.constants import Annotation, Label
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.core import ownership, references
from capipool.core.machinepool import nodes as pool_nodes
from capipool.machinery.objects import Object, Unstructured
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.runtime.cache import Cache
from capipool.workload import nodes, nodesync

BY_REFERENCE = "reference"
BY_KIND = "kind of reference"
BY_NODE_NAME = "status.nodeRefs.name"
BY_LABEL = "pool name label"


def add_indexes(pools: Cache[MachinePool]) -> None:
    """The indexes by which pools are found here."""
    pools.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
    pools.add_index(BY_REFERENCE, _references)
    pools.add_index(BY_KIND, _kinds)
    pools.add_index(BY_NODE_NAME, node_names)
    pools.add_index(indexes.PROVIDER_ID_LIST, indexes.pool_provider_ids)
    pools.add_index(BY_LABEL, _label)


def node_names(pool: MachinePool) -> tuple[str, ...]:
    """The names of the nodes that a pool refers to."""
    return tuple(ref.name for ref in pool.status.node_refs if ref.name)


def of_cluster(pools: Cache[MachinePool], cluster: ObjectKey) -> Sequence[MachinePool]:
    """The pools of a Cluster."""
    return pools.by(indexes.CLUSTER_NAME, str(cluster))


def cluster_changed(pools: Cache[MachinePool], old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
    """All pools of a Cluster that came, went, was paused, or is going; its status moves without us."""
    cluster = new or old
    if cluster is None or (old is not None and new is not None and _of_cluster(old) == _of_cluster(new)):
        return ()
    return [pool.key for pool in of_cluster(pools, cluster.key)]


def provider_changed(
    pools: Cache[MachinePool], old: Unstructured | None, new: Unstructured | None
) -> Iterable[ObjectKey]:
    """The pools that refer to a bootstrap or infrastructure object whose spec, status or life changed."""
    obj = new or old
    if obj is None:
        return ()
    found = pools.by(BY_REFERENCE, _reference(obj.group_kind, obj.key))
    if old is None or new is None or _of_provider(old) != _of_provider(new):
        return [pool.key for pool in found]
    return [pool.key for pool in found if not ownership.is_taken(pool, new.metadata, pool.spec.cluster_name)]


def infra_machine_changed(
    pools: Cache[MachinePool], old: Unstructured | None, new: Unstructured | None
) -> Iterable[ObjectKey]:
    """The pool whose labels an infrastructure machine carries: in its namespace, of its cluster."""
    obj = new or old
    if obj is None or (old is not None and new is not None and _of_provider(old) == _of_provider(new)):
        return ()
    return labelled(pools, obj)


def machine_changed(pools: Cache[MachinePool], old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
    """The pool that a Machine belongs to, where something changed that the pool counts or shows."""
    machine = new or old
    if machine is None or (old is not None and new is not None and _of_machine(old) == _of_machine(new)):
        return ()
    return labelled(pools, machine)


def labelled(pools: Cache[MachinePool], obj: Object) -> Iterable[ObjectKey]:
    """The pools that an object's labels name: by pool name, which may be hashed, and cluster name."""
    value = obj.metadata.labels.get(Label.MACHINE_POOL_NAME)
    if value is None:
        return ()
    cluster = obj.metadata.labels.get(Label.CLUSTER_NAME)
    found = pools.by(BY_LABEL, _scoped(obj.metadata.namespace, value))
    return [pool.key for pool in found if pool.spec.cluster_name == cluster]


def definition_changed(
    pools: Cache[MachinePool], old: CustomResourceDefinition | None, new: CustomResourceDefinition | None
) -> Iterable[ObjectKey]:
    """The pools that refer to a kind that was installed, changed its versions or contract, or went."""
    definition = new or old
    if definition is None or (old is not None and new is not None and _of_kind(old) == _of_kind(new)):
        return ()
    return [pool.key for pool in pools.by(BY_KIND, str(references.kind_of(definition)))]


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


def _references(pool: MachinePool) -> Collection[str]:
    spec = pool.spec.template.spec
    found = [spec.infrastructure_ref] + ([spec.bootstrap.config_ref] if spec.bootstrap.config_ref else [])
    return [_reference(ref.group_kind, ObjectKey(pool.metadata.namespace, ref.name)) for ref in found]


def _kinds(pool: MachinePool) -> Collection[str]:
    spec = pool.spec.template.spec
    found = [spec.infrastructure_ref] + ([spec.bootstrap.config_ref] if spec.bootstrap.config_ref else [])
    return {str(ref.group_kind) for ref in found}


def _reference(kind: GroupKind, key: ObjectKey) -> str:
    return f"{kind}/{key.namespace}/{key.name}"


def _scoped(namespace: str, name: str) -> str:
    return f"{namespace}/{name}"


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    return (cluster.metadata.uid, bool(cluster.spec.paused), cluster.deleting)


def _of_provider(obj: Unstructured) -> tuple[object, ...]:
    meta = obj.metadata
    return (meta.uid, meta.deletion_timestamp, meta.finalizers, obj.spec, obj.status)


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


def _of_kind(definition: CustomResourceDefinition) -> tuple[object, ...]:
    conditions = tuple((c.type, c.status) for c in definition.status.conditions)
    return (definition.metadata.labels, definition.spec.versions, conditions)
