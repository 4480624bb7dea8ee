"""Which changes concern which Machines: from (old, new) of some object to keys. Pure, but for index look-ups."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api import indexes
from capipool.api.builtin import Node
from capipool.api.constants import Annotation
from capipool.api.core import Machine, MachineDeployment, MachineSet
from capipool.core import changes, ownership, references
from capipool.core.machine import nodes as machine_nodes
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache

BY_SET = "machine set"


def add_indexes(machines: Cache[Machine]) -> None:
    """The indexes by which machines are found here."""
    machines.add_index(indexes.CLUSTER_NAME, indexes.cluster_name)
    references.add_indexes(machines)
    machines.add_index(BY_SET, _set_uid)
    machines.add_index(indexes.PROVIDER_ID, indexes.machine_provider_id)
    machines.add_index(indexes.NODE_NAME, indexes.machine_node_name)


def machine_changed(old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
    """A machine whose metadata or spec changed, or whose conditions others wrote; our own status says nothing."""
    machine = changes.relevant(old, new, _of_machine)
    return (machine.key,) if machine is not None else ()


def of_cluster(machines: Cache[Machine], cluster: ObjectKey) -> list[ObjectKey]:
    """The machines of a Cluster."""
    return [m.key for m in machines.by(indexes.CLUSTER_NAME, str(cluster))]


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
    owner = ownership.controller_of(machine, MachineSet.RESOURCE.group_kind)
    return (owner.uid,) if owner is not None else ()


def _revision(obj: MachineSet | MachineDeployment) -> str | None:
    return obj.metadata.annotations.get(Annotation.REVISION)


_OTHERS = ("UpToDate", "HealthCheckSucceeded", "OwnerRemediated", "ExternallyRemediated")


def _of_machine(machine: Machine) -> tuple[object, ...]:
    gates = {g.condition_type for g in machine.spec.readiness_gates}
    told = tuple((c.type, c.status) for c in machine.status.conditions if c.type in _OTHERS or c.type in gates)
    return (*changes.of_body(machine), told)
