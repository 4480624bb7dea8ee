"""Deleting a Machine as a state machine: hooks, drain, volumes, hooks, infrastructure, bootstrap data, node. Pure.

Where it is follows from what is still there, so it may be interrupted and begun again anywhere. What is not found
counts as done. `status.deletion` keeps when each wait began, which the timeouts count from.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any, Literal

from capipool.api.builtin import Node
from capipool.api.constants import Annotation, ConditionType, Label, Reason
from capipool.api.core import Machine
from capipool.core.bootstrap import BootstrapObject
from capipool.core.machine.world import InfraMachine, World
from capipool.core.references import Absent
from capipool.core.writes import NodeDeletion, ObjectDeletion
from capipool.machinery.clock import format_time, to_seconds
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.workload import drain

Refusal = Literal["cluster_being_deleted", "no_node_ref", "control_plane_being_deleted", "no_control_plane_nodes"]

KCP_CLEANUP_HOOK = f"{Annotation.PRE_TERMINATE_DELETE_HOOK_PREFIX}/kcp-cleanup"
"""Set by KubeadmControlPlane on its machines: until it is there, they are not drained, so that etcd stays whole."""

VOLUMES_RETRY = dt.timedelta(seconds=5)
NODE_RETRY = dt.timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class DeletionStep:
    """Where a deletion is, and what it does next. With `done` the finalizer goes once all else is carried out."""

    reason: str
    message: str
    needs: Literal["", "drain", "volumes"] = ""
    began: dict[str, dt.datetime] = field(default_factory=dict)
    """Fields of `status.deletion` to set."""
    deletions: tuple[ObjectDeletion, ...] = ()
    node_deletion: NodeDeletion | None = None
    passed: tuple[str, ...] = ()
    """Stages that are behind: `hooks`, `drain`, `volumes`, `terminate hooks`."""
    done: bool = False
    result: Result = DONE


def decide(world: World, now: dt.datetime) -> DeletionStep:
    """The next step of deleting a machine."""
    passed: list[str] = []
    began: dict[str, dt.datetime] = {}
    for stage in (_leave_node, _leave_cloud):
        step = stage(world, now, passed, began)
        if step is not None:
            return step
    return _delete_node(world, now, tuple(passed), began)


def _leave_node(
    world: World, now: dt.datetime, passed: list[str], began: dict[str, dt.datetime]
) -> DeletionStep | None:
    """Everything that is done on the node, where there is one that may be touched."""
    if delete_node_refusal(world) is not None:
        return None
    machine = world.machine
    if hooks := _hooks(machine, Annotation.PRE_DRAIN_DELETE_HOOK_PREFIX):
        began |= _begin(machine, "wait_for_pre_drain_hook_start_time", now)
        message = f"Waiting for pre-drain hooks to succeed (hooks: {', '.join(hooks)})"
        return DeletionStep(Reason.WAITING_FOR_PRE_DRAIN_HOOK, message, began=began)
    passed.append("hooks")
    if is_drain_allowed(world, now):
        began |= _begin(machine, "node_drain_start_time", now)
        step = _drain(world, now, began)
        if step is not None:
            return step
        passed.append("drain")
    if is_volume_detach_wait_allowed(world, now):
        began |= _begin(machine, "wait_for_node_volume_detach_start_time", now)
        step = _detach(world, now, began)
        if step is not None:
            return step
        passed.append("volumes")
    return None


def _leave_cloud(
    world: World, now: dt.datetime, passed: list[str], began: dict[str, dt.datetime]
) -> DeletionStep | None:
    """The last hooks, then infrastructure, then bootstrap data."""
    machine, done = world.machine, tuple(passed)
    if hooks := _hooks(machine, Annotation.PRE_TERMINATE_DELETE_HOOK_PREFIX):
        began |= _begin(machine, "wait_for_pre_terminate_hook_start_time", now)
        message = f"Waiting for pre-terminate hooks to succeed (hooks: {', '.join(hooks)})"
        return DeletionStep(Reason.WAITING_FOR_PRE_TERMINATE_HOOK, message, began=began, passed=done)
    passed.append("terminate hooks")
    done = tuple(passed)
    step = _object_step(world.infra, Reason.WAITING_FOR_INFRASTRUCTURE_DELETION, began, done)
    if step is None and world.bootstrap is not None:
        step = _object_step(world.bootstrap, Reason.WAITING_FOR_BOOTSTRAP_DELETION, began, done)
    return step


def delete_node_refusal(world: World) -> Refusal | None:
    """Why the node is left as it is; None where it is drained and deleted.

    A refusal never holds the machine up. With no control plane machine left there is nobody to ask, unless the
    workload cluster answers: then its control plane is somebody else's.
    """
    if world.cluster is None or world.cluster.deleting:
        return "cluster_being_deleted"
    if world.machine.status.node_ref is None and not world.nodes:
        return "no_node_ref"
    if world.control_plane.deleting:
        return "control_plane_being_deleted"
    if world.control_plane.external or world.control_plane.machines > 0 or world.connected:
        return None
    return "no_control_plane_nodes"


def is_drain_allowed(world: World, now: dt.datetime) -> bool:
    """Whether the node is drained: the machine is still there, and neither it nor its time forbids it."""
    machine = world.machine
    progress = machine.status.deletion
    if _is_past_node(world) or _was_left(world, ConditionType.DRAINING_SUCCEEDED):
        return False
    if Annotation.EXCLUDE_NODE_DRAINING in machine.metadata.annotations:
        return False
    return not drain.is_expired(progress.node_drain_start_time, machine.spec.deletion.node_drain_timeout_seconds, now)


def is_volume_detach_wait_allowed(world: World, now: dt.datetime) -> bool:
    """Whether volumes are waited for, as above."""
    machine = world.machine
    progress = machine.status.deletion
    excluded = Annotation.EXCLUDE_WAIT_FOR_NODE_VOLUME_DETACH in machine.metadata.annotations
    if _is_past_node(world) or excluded or _was_left(world, ConditionType.VOLUME_DETACH_SUCCEEDED):
        return False
    return not drain.is_expired(
        progress.wait_for_node_volume_detach_start_time,
        machine.spec.deletion.node_volume_detach_timeout_seconds,
        now,
    )


def node_of(world: World) -> Node | None:
    """The machine's node. A node of its name that another provider ID took over is another machine's."""
    if world.nodes:
        return world.nodes[0]
    node, own = world.node, world.machine.spec.provider_id
    if node is not None and node.spec.provider_id and own and node.spec.provider_id != own:
        return None
    return node


def _is_past_node(world: World) -> bool:
    """Whether nothing on the node can or need be waited for any more."""
    machine = world.machine
    if isinstance(world.infra, Absent) or machine.status.deletion.wait_for_pre_terminate_hook_start_time is not None:
        return True
    owned_by_kcp = any(o.kind == "KubeadmControlPlane" for o in machine.metadata.owner_references)
    is_control_plane = Label.MACHINE_CONTROL_PLANE in machine.metadata.labels
    return owned_by_kcp and is_control_plane and KCP_CLEANUP_HOOK not in machine.metadata.annotations


def _was_left(world: World, type_: str) -> bool:
    """Whether a stage was passed already and its machine is going: there is no need to ask the node again."""
    going = isinstance(world.infra, InfraMachine) and world.infra.object.deleting
    known = world.machine.status.deprecated.v1beta1.conditions
    return going and any(c.type == type_ and c.status == "True" for c in known)


def _drain(world: World, now: dt.datetime, began: dict[str, dt.datetime]) -> DeletionStep | None:
    reason = Reason.DRAINING_NODE
    if not world.connected:
        message = f"The Node cannot be drained: the workload cluster is not connected: {world.unavailable}"
        return DeletionStep(reason, message, began=began, passed=("hooks",), result=_until_timeout(world, now))
    if node_of(world) is None:
        return None
    if world.drained is None:
        since = format_time(began.get("node_drain_start_time", now))
        return DeletionStep(reason, f"Drain not completed yet (started at {since})", needs="drain", began=began)
    if world.drained.done:
        return None
    result = RequeueAfter(world.drained.retry_after)
    return DeletionStep(reason, world.drained.message, began=began, passed=("hooks",), result=result)


def _until_timeout(world: World, now: dt.datetime) -> Result:
    """While nothing can be drained, only the timeout moves things on."""
    seconds = world.machine.spec.deletion.node_drain_timeout_seconds
    since = world.machine.status.deletion.node_drain_start_time or now
    return RequeueAfter(since + dt.timedelta(seconds=seconds) - now) if seconds else DONE


def _detach(world: World, now: dt.datetime, began: dict[str, dt.datetime]) -> DeletionStep | None:
    node = node_of(world)
    if node is None or drain.is_unreachable(node):
        return None  # nobody on a node out of reach can detach anything
    passed = ("hooks", "drain")
    since = format_time(began.get("wait_for_node_volume_detach_start_time", now))
    message = f"Waiting for Node volumes to be detached (started at {since})"
    if world.attached is None:
        return DeletionStep(Reason.WAITING_FOR_VOLUME_DETACH, message, needs="volumes", began=began, passed=passed)
    if not world.attached:
        return None
    lines = "\n".join(f"* {name}" for name in world.attached[:5])
    result = RequeueAfter(VOLUMES_RETRY)
    return DeletionStep(
        Reason.WAITING_FOR_VOLUME_DETACH, f"{message}:\n{lines}", began=began, passed=passed, result=result
    )


def _object_step(
    provider: InfraMachine | BootstrapObject | Absent, reason: str, began: dict[str, dt.datetime], passed: Any
) -> DeletionStep | None:
    """Delete a provider's object and wait until it is gone; None once it is."""
    if isinstance(provider, Absent):
        return None if provider.is_gone else DeletionStep(reason, provider.message, began=began, passed=passed)
    obj = provider.object
    message = f"Waiting for {obj.kind} {obj.metadata.name} to be deleted"
    if obj.deleting:
        return DeletionStep(reason, message, began=began, passed=passed)
    deletion = ObjectDeletion(provider.resource, obj.key, obj.metadata.uid)
    return DeletionStep(reason, message, began=began, passed=passed, deletions=(deletion,))


def _delete_node(
    world: World, now: dt.datetime, passed: tuple[str, ...], began: dict[str, dt.datetime]
) -> DeletionStep:
    """The node goes last: while its machine runs, its kubelet would register it again."""
    completed = DeletionStep(Reason.DELETION_COMPLETED, "Deletion completed", began=began, passed=passed, done=True)
    if delete_node_refusal(world) is not None:
        return completed
    expired = drain.is_expired(
        world.machine.metadata.deletion_timestamp, world.machine.spec.deletion.node_deletion_timeout_seconds, now
    )
    if not world.connected:
        if expired:
            return completed
        message = f"The Node cannot be deleted: the workload cluster is not connected: {world.unavailable}"
        result = RequeueAfter(NODE_RETRY)
        return DeletionStep(Reason.DELETING_NODE, message, began=began, passed=passed, result=result)
    node = node_of(world)
    if node is None:
        return completed
    deletion = NodeDeletion(node.metadata.name, node.metadata.uid, forgive=expired)
    message = f"Node {node.metadata.name} is being deleted"
    return DeletionStep(Reason.DELETING_NODE, message, began=began, passed=passed, node_deletion=deletion, done=True)


def _begin(machine: Machine, name: str, now: dt.datetime) -> dict[str, dt.datetime]:
    """When a stage began, by its field in `status.deletion`: as it was noted, or now."""
    noted = getattr(machine.status.deletion, name)
    return {name: noted or to_seconds(now)}


def _hooks(machine: Machine, prefix: str) -> list[str]:
    return sorted(key for key in machine.metadata.annotations if key.startswith(prefix))
