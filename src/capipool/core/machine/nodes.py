"""A Machine's node: which it is, how it is, and what it should carry. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from capipool.api.builtin import Node, NodeSystemInfo, Taint
from capipool.api.constants import Annotation, Label, Reason, TaintKey
from capipool.api.core import Machine
from capipool.api.v1beta2.machine import NodeInfo
from capipool.core import ownership
from capipool.core.machine.world import World
from capipool.core.writes import Problem
from capipool.machinery import objects
from capipool.workload import nodes as nodes_of
from capipool.workload import nodesync
from capipool.workload.nodesync import NodePatch, Wanted

OUTDATED = Taint(key=TaintKey.OUTDATED_REVISION, effect="PreferNoSchedule")
"""Keeps new pods off nodes that a rollout is about to replace."""

_PRESSURES = ("MemoryPressure", "DiskPressure", "PIDPressure")


@dataclass(frozen=True, slots=True)
class NodeStep:
    """What is known of a machine's node."""

    state: Literal["no provider ID", "not connected", "awaited", "there", "gone", "ambiguous"]
    node: Node | None = None
    problem: Problem | None = None


def find(world: World) -> NodeStep:
    """The node of a machine. One that it had and that is not there any more is a problem, unless the machine goes."""
    machine = world.machine
    if not machine.spec.provider_id:
        return NodeStep("no provider ID")
    if not world.connected:
        return NodeStep("not connected")
    if len(world.nodes) > 1:
        names = ", ".join(sorted(n.metadata.name for n in world.nodes))
        message = f"Nodes {names} have the same provider ID {machine.spec.provider_id}"
        return NodeStep("ambiguous", problem=Problem(Reason.INTERNAL_ERROR, message))
    if world.nodes:
        return NodeStep("there", world.nodes[0])
    if machine.status.node_ref is None:
        return NodeStep("awaited")
    if machine.deleting:
        return NodeStep("gone")
    message = f"Node {machine.status.node_ref.name} does not exist any more"
    return NodeStep("gone", problem=Problem(Reason.NODE_DELETED, message))


def only(nodes: Sequence[Node], provider_id: str) -> Node | None:
    """The node of a provider ID. Raises ValueError where several claim it."""
    found = [n for n in nodes if n.spec.provider_id == provider_id]
    if len(found) > 1:
        raise ValueError(f"Nodes {', '.join(n.metadata.name for n in found)} have the same provider ID {provider_id}")
    return found[0] if found else None


def is_outdated(machine_set_revision: str | None, deployment_revision: str | None) -> bool:
    """Whether a machine's set is of an older revision than its deployment. Unknown revisions are not."""
    if not (machine_set_revision or "").isdecimal() or not (deployment_revision or "").isdecimal():
        return False
    return int(machine_set_revision or 0) < int(deployment_revision or 0)


def wanted(machine: Machine) -> Wanted:
    """What the node of a machine should carry."""
    meta = machine.metadata
    owner = ownership.controller_of(machine)
    identity = {
        Annotation.CLUSTER_NAME: machine.spec.cluster_name,
        Annotation.CLUSTER_NAMESPACE: meta.namespace,
        Annotation.MACHINE: meta.name,
    }
    if owner is not None:
        identity |= {Annotation.OWNER_KIND: owner.kind, Annotation.OWNER_NAME: owner.name}
    labels = nodesync.managed_labels(meta.labels)
    if Label.INTERRUPTIBLE in meta.labels:
        labels[Label.INTERRUPTIBLE] = meta.labels[Label.INTERRUPTIBLE]
    return Wanted(
        identity=identity,
        labels=labels,
        annotations=nodesync.managed_annotations(meta.annotations),
        taints=machine.spec.taints,
        always_track=True,
    )


def patch(node: Node, want: Wanted, *, outdated: bool) -> NodePatch | None:
    """What to change on a node; the taint of outdated machines comes and goes with the rollout."""
    marked = _marked(node.spec.taints, outdated)
    as_if = objects.replace(node, spec=objects.replace_part(node.spec, taints=marked))
    found = nodesync.patch(as_if, want)
    if found is not None and "spec" in found.patch:
        return found
    if marked == node.spec.taints:
        return found
    body = {**(found.patch if found is not None else {}), "spec": {"taints": _raw(marked)}}
    return NodePatch(node.metadata.name, body, node.metadata.resource_version)


def summarize(node: Node) -> tuple[str, str]:
    """`True`, `False` or `Unknown` over a node's conditions, and what stands against it. Nothing reported is `True`."""
    wrong: list[str] = []
    statuses = set()
    for condition in node.status.conditions:
        good = "True" if condition.type == "Ready" else "False" if condition.type in _PRESSURES else None
        if good is None or condition.status == good:
            continue
        statuses.add("Unknown" if condition.status == "Unknown" else "False")
        wrong.append(f"Node condition {condition.type} is {condition.status}")
    status = "False" if "False" in statuses else "Unknown" if statuses else "True"
    return status, ". ".join(wrong)


def info(node: Node) -> NodeInfo:
    """What a node says of itself, as a machine's status has it."""
    told: NodeSystemInfo = node.status.node_info
    return NodeInfo(
        architecture=told.architecture,
        boot_id=told.boot_id,
        container_runtime_version=told.container_runtime_version,
        kernel_version=told.kernel_version,
        kube_proxy_version=told.kube_proxy_version,
        kubelet_version=told.kubelet_version,
        machine_id=told.machine_id,
        operating_system=told.operating_system,
        os_image=told.os_image,
        system_uuid=told.system_uuid,
    )


def is_relevant_change(old: Node | None, new: Node | None) -> bool:
    """Whether a change of a node is about what its machine shows: its state, its conditions, what it says of itself."""
    if old is None or new is None or nodes_of.state_changed(old, new):
        return True
    return (old.status.conditions, old.status.node_info) != (new.status.conditions, new.status.node_info)


def _marked(taints: tuple[Taint, ...], outdated: bool) -> tuple[Taint, ...]:
    there = any(_is_outdated_taint(t) for t in taints)
    if outdated:
        return taints if there else (*taints, OUTDATED)
    return tuple(t for t in taints if not _is_outdated_taint(t)) if there else taints


def _is_outdated_taint(taint: Taint) -> bool:
    return (taint.key, taint.effect) == (OUTDATED.key, OUTDATED.effect)


def _raw(taints: tuple[Taint, ...]) -> list[objects.Raw] | None:
    return [objects.part_to_raw(t) for t in taints] or None
