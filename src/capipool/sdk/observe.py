"""Puts the engine's picture together: the cloud's group, and the nodes of its instances."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from capipool.api.builtin import Node
from capipool.api.constants import Annotation
from capipool.machinery.objects import Object
from capipool.sdk import inputs, removal
from capipool.sdk.engine.picture import Deletion, Member, NodeHealth, Picture
from capipool.sdk.engine.strategy import Strategy
from capipool.sdk.inputs import Found
from capipool.sdk.machines.census import NOT_SHOWN, Census, Shown
from capipool.sdk.provider import Group, Instance
from capipool.sdk.report import InstanceNode
from capipool.workload import nodes
from capipool.workload.connections import Connections, WorkloadCluster

ObjectT = TypeVar("ObjectT", bound=Object)


@dataclass(frozen=True, slots=True)
class World(Generic[ObjectT]):
    """One moment of a pool, with what it takes to act on it."""

    found: Found[ObjectT]
    group: Group
    workload: WorkloadCluster | None
    nodes: Mapping[str, Node]
    """By instance id."""
    picture: Picture
    census: Census = field(default_factory=Census)
    """Objects and Machines of the instances, where the provider shows them so."""

    def shown(self, id: str) -> Shown:
        """How an instance is shown."""
        return self.census.shown.get(id, NOT_SHOWN)

    def instance_nodes(self) -> dict[str, InstanceNode]:
        """What the status says of nodes, by provider ID."""
        return {
            i.provider_id: InstanceNode(nodes.is_ready(node), node.status.node_info.kubelet_version)
            for i in self.group.instances
            if (node := self.nodes.get(i.id)) is not None
        }


def world(
    found: Found[ObjectT],
    group: Group,
    strategy: Strategy,
    connections: Connections,
    *,
    census: Census,
    now: dt.datetime,
) -> World[ObjectT]:
    """Join a group with its nodes. Reads caches only."""
    machine_pool, cluster = found.pool.machine_pool, found.pool.cluster
    workload = connections.get(cluster.key)
    joined = _nodes(group, workload)
    template = machine_pool.spec.template.spec
    exempt = Annotation.MACHINE_SKIP_REMEDIATION in machine_pool.metadata.annotations
    picture = Picture(
        now=now,
        replicas=1 if machine_pool.spec.replicas is None else machine_pool.spec.replicas,
        desired=group.desired,
        revision=found.launch.revision,
        members=tuple(_member(i, joined.get(i.id), census.shown.get(i.id, NOT_SHOWN), exempt) for i in group.instances),
        strategy=strategy,
        min_ready_seconds=template.min_ready_seconds or 0,
        externally_scaled=inputs.is_externally_scaled(machine_pool),
        nodes_known=workload is not None,
        nodes_unknown_reason="" if workload is not None else connections.unavailable_reason(cluster.key),
        operation=group.operation,
    )
    return World(found, group, workload, joined, picture, census)


def _nodes(group: Group, workload: WorkloadCluster | None) -> dict[str, Node]:
    """The node of each instance that has one: the newest, where an old one was left behind."""
    if workload is None:
        return {}
    found = ((i.id, workload.nodes.by_provider_id(i.provider_id)) for i in group.instances)
    return {id: nodes.newest(those) for id, those in found if those}


def _member(instance: Instance, node: Node | None, shown: Shown, exempt: bool) -> Member:
    """An instance, and what its node and its Machine say.

    `exempt`: the pool is not to be healed, whatever is asked on a node.
    """
    fields: dict[str, Any] = {}
    if node is not None:
        condition = nodes.ready_condition(node)
        ready = condition is not None and condition.status == "True"
        annotations = node.metadata.annotations
        fields = {
            "node": NodeHealth.READY if ready else NodeHealth.NOT_READY,
            "ready_since": condition.last_transition_time if condition is not None and ready else None,
            "removing": removal.REMOVING in annotations,
            "remediate": Annotation.REMEDIATE_MACHINE in annotations
            and not exempt
            and Annotation.MACHINE_SKIP_REMEDIATION not in annotations,
        }
    marked = instance.marked or shown.marked
    marked = marked or (node is not None and Annotation.DELETE_MACHINE in node.metadata.annotations)
    deletion = shown.deletion
    if shown.begun or deletion is not Deletion.NONE:
        fields["removing"] = True
    if deletion is Deletion.ORDERED:
        fields["remediate"] = shown.given_up
    return Member(
        id=instance.id,
        state=instance.state,
        revision=instance.revision,
        zone=instance.zone,
        created=instance.created,
        protected=instance.protected,
        marked=marked,
        name=instance.name,
        message=instance.message,
        deletion=deletion,
        drained=shown.drained,
        **fields,
    )
