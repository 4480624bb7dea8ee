"""Which changes concern which Machines: from (old, new) of some object to keys. Pure, but for index look-ups."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api import indexes
from capipool.api.builtin import CustomResourceDefinition, Node
from capipool.api.constants import GROUP, Annotation
from capipool.api.core import Cluster, ContractVersionedObjectReference, Machine, MachineDeployment, MachineSet
from capipool.core import ownership, references
from capipool.core.machine import nodes as machine_nodes
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.runtime.cache import Cache

BY_REFERENCE = "reference"
BY_KIND = "kind of reference"
BY_SET = "machine set"


def add_indexes(machines: Cache[Machine]) -> None:
    """The indexes by which machines are found here."""
    machines.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
    machines.add_index(
        BY_REFERENCE, lambda m: [_reference(r.group_kind, m.metadata.namespace, r.name) for r in refs(m)]
    )
    machines.add_index(BY_KIND, lambda m: {str(r.group_kind) for r in refs(m)})
    machines.add_index(BY_SET, _set_uid)
    machines.add_index(indexes.PROVIDER_ID, indexes.machine_provider_id)
    machines.add_index(indexes.NODE_NAME, indexes.machine_node_name)


def refs(machine: Machine) -> list[ContractVersionedObjectReference]:
    """The provider objects that a machine refers to."""
    config = machine.spec.bootstrap.config_ref
    return [machine.spec.infrastructure_ref, *([config] if config is not None else [])]


def machine_changed(old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
    """A machine whose metadata or spec changed, or whose conditions others wrote; our own status says nothing."""
    machine = new or old
    if machine is None or (old is not None and new is not None and _of_machine(old) == _of_machine(new)):
        return ()
    return (machine.key,)


def cluster_changed(machines: Cache[Machine], old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
    """All machines of a Cluster that came, went, was paused, or is going."""
    cluster = new or old
    if cluster is None or (old is not None and new is not None and _of_cluster(old) == _of_cluster(new)):
        return ()
    return of_cluster(machines, cluster.key)


def of_cluster(machines: Cache[Machine], cluster: ObjectKey) -> list[ObjectKey]:
    """The machines of a Cluster."""
    return [m.key for m in machines.by(indexes.CLUSTER_NAME, str(cluster))]


def provider_changed(
    machines: Cache[Machine], old: Unstructured | None, new: Unstructured | None
) -> Iterable[ObjectKey]:
    """The machine that refers to a bootstrap or infrastructure object whose spec, status or life changed."""
    obj = new or old
    if obj is None:
        return ()
    found = machines.by(BY_REFERENCE, _reference(obj.group_kind, obj.metadata.namespace, obj.metadata.name))
    if old is None or new is None or _of_provider(old) != _of_provider(new):
        return [m.key for m in found]
    return [m.key for m in found if not ownership.is_taken(m, new.metadata, m.spec.cluster_name)]


def definition_changed(
    machines: Cache[Machine], old: CustomResourceDefinition | None, new: CustomResourceDefinition | None
) -> Iterable[ObjectKey]:
    """The machines that refer to a kind that was installed, changed, or went."""
    definition = new or old
    if definition is None:
        return ()
    return [m.key for m in machines.by(BY_KIND, str(references.kind_of(definition)))]


def set_changed(machines: Cache[Machine], old: MachineSet | None, new: MachineSet | None) -> Iterable[ObjectKey]:
    """The machines of a set whose revision changed: their nodes may be outdated now."""
    if new is None or (old is not None and _revision(old) == _revision(new)):
        return ()
    return [m.key for m in machines.by(BY_SET, new.metadata.uid)]


def deployment_changed(
    machines: Cache[Machine],
    sets: Cache[MachineSet],
    old: MachineDeployment | None,
    new: MachineDeployment | None,
) -> Iterable[ObjectKey]:
    """The machines of a deployment whose revision changed."""
    if new is None or (old is not None and _revision(old) == _revision(new)):
        return ()
    return [m.key for s in sets.owned_by(new.metadata.uid) for m in machines.by(BY_SET, s.metadata.uid)]


def node_changed(machines: Cache[Machine], cluster: ObjectKey, old: Node | None, new: Node | None) -> list[ObjectKey]:
    """The machine of a node, where something changed that it shows, or that it keeps in step."""
    node = new or old
    if node is None:
        return []
    found = {m.key: m for m in machines.by(indexes.NODE_NAME, node.metadata.name)}
    found |= (
        {m.key: m for m in machines.by(indexes.PROVIDER_ID, node.spec.provider_id)} if node.spec.provider_id else {}
    )
    own = [m for m in found.values() if (m.metadata.namespace, m.spec.cluster_name) == cluster]
    if machine_nodes.is_relevant_change(old, new):
        return [m.key for m in own]
    return [m.key for m in own if new is not None and _is_out_of_step(m, new)]


def _is_out_of_step(machine: Machine, node: Node) -> bool:
    """Whether somebody changed what the machine keeps on its node. The outdated taint moves with revisions alone."""
    outdated = any(t.key == machine_nodes.OUTDATED.key for t in node.spec.taints)
    return machine_nodes.patch(node, machine_nodes.wanted(machine), outdated=outdated) is not None


def _set_uid(machine: Machine) -> tuple[str, ...]:
    kind = GroupKind(GROUP, "MachineSet")
    return tuple(o.uid for o in machine.metadata.owner_references if o.controller and o.group_kind == kind)


def _reference(kind: GroupKind, namespace: str, name: str) -> str:
    return f"{kind}/{namespace}/{name}"


def _revision(obj: MachineSet | MachineDeployment) -> str | None:
    return obj.metadata.annotations.get(Annotation.REVISION)


_OTHERS = ("UpToDate", "HealthCheckSucceeded", "OwnerRemediated", "ExternallyRemediated")


def _of_machine(machine: Machine) -> tuple[object, ...]:
    meta = machine.metadata
    gates = {g.condition_type for g in machine.spec.readiness_gates}
    told = tuple((c.type, c.status) for c in machine.status.conditions if c.type in _OTHERS or c.type in gates)
    return (
        meta.uid,
        meta.deletion_timestamp,
        meta.labels,
        meta.annotations,
        meta.owner_references,
        meta.finalizers,
        machine.spec,
        told,
    )


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    return (cluster.metadata.uid, bool(cluster.spec.paused), cluster.deleting)


def _of_provider(obj: Unstructured) -> tuple[object, ...]:
    meta = obj.metadata
    return (meta.uid, meta.deletion_timestamp, meta.finalizers, obj.spec, obj.status)
