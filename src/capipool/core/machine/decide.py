"""What to do about a Machine, from a World and the time alone. Pure and total: the sequence of all steps."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Sequence

from capipool.api import labels
from capipool.api.constants import Annotation, Finalizer, Label, MachinePhase
from capipool.api.core import Cluster, Machine
from capipool.api.v1beta2.machine import MachineNodeReference
from capipool.core import ownership, pausing
from capipool.core.bootstrap import BootstrapObject
from capipool.core.machine import conditions, deletion, nodes
from capipool.core.machine.conditions import Facts
from capipool.core.machine.deletion import DeletionStep
from capipool.core.machine.nodes import NodeStep
from capipool.core.machine.world import InfraMachine, Plan, World
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import ObjectPatch, Problem
from capipool.machinery import conditions as conditions_of
from capipool.machinery import objects
from capipool.machinery.clock import to_seconds
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import replace_part
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.workload.nodesync import NodePatch

BEING_MADE = dt.timedelta(seconds=5)
"""How long a set may take to make a machine's parts before the machine says that they are missing."""


def decide(world: World, now: dt.datetime) -> Plan:
    """What to do now. A paused machine is left alone but for saying so."""
    machine = world.machine
    paused = pausing.condition(machine, world.cluster)
    if paused.status == "True":
        return Plan(machine=_only(machine, (paused,), now))
    if machine.deleting:
        return _delete(world, now)
    if world.cluster is None:
        available = ownership.without_cluster(machine)
        problem = Problem("ClusterNotFound", available.message)
        return Plan(machine=_only(machine, (paused, available), now), problems=(problem,))
    if is_being_made(world, now):
        return Plan(machine=_with_metadata(machine, world.cluster), result=RequeueAfter(BEING_MADE))
    return _reconcile(world, world.cluster, now)


def is_being_made(world: World, now: dt.datetime) -> bool:
    """Whether a set has made the machine and is about to make its parts: nothing is wrong yet that could be told."""
    machine, created = world.machine, world.machine.metadata.creation_timestamp
    missing = isinstance(world.infra, Absent) and world.infra.why == "not found"
    made_by_set = Label.MACHINE_SET_NAME in machine.metadata.labels
    fresh = created is not None and now - created < BEING_MADE
    return missing and made_by_set and fresh and not machine.status.conditions


def _reconcile(world: World, cluster: Cluster, now: dt.datetime) -> Plan:
    """The normal course of things: bootstrap data, infrastructure, node."""
    machine = _with_metadata(world.machine, cluster)
    machine = _with_bootstrap(machine, world.bootstrap)
    machine = _with_infrastructure(machine, world.infra)
    step = nodes.find(_seen(world, machine))
    if step.node is not None:
        machine = _with_node(machine, step)
    owned, conflicts = _take_ownership(world)
    problems = (*conflicts, *((step.problem,) if step.problem is not None else ()))
    machine = _with_status(Facts(world, machine, step, problems=problems), now)
    return Plan(
        machine=machine,
        objects=owned,
        node=_node_patch(world, machine, step),
        events=_events(world.machine, machine),
        problems=problems,
        result=_when_again(machine, now),
    )


def _delete(world: World, now: dt.datetime) -> Plan:
    """Go one step further in the deletion, and say where it is."""
    step = deletion.decide(world, now)
    if step.needs:
        return Plan(machine=world.machine, needs=step.needs)
    seen = nodes.find(world)
    machine = world.machine
    progress = replace_part(machine.status.deletion, **step.began)
    machine = objects.replace(machine, status=replace_part(machine.status, deletion=progress))
    machine = _with_status(Facts(world, machine, seen, deletion=step), now)
    if step.done:
        machine = objects.replace(machine, metadata=ownership.without_finalizer(machine.metadata, Finalizer.MACHINE))
    return Plan(
        machine=machine,
        deletions=step.deletions,
        node_deletion=step.node_deletion,
        events=_deletion_events(world.machine, step),
        result=step.result,
    )


def _seen(world: World, machine: Machine) -> World:
    """The world with the machine's provider ID as it will be: its nodes were looked up by it."""
    return dataclasses.replace(world, machine=machine)


def _with_metadata(machine: Machine, cluster: Cluster) -> Machine:
    owned = is_stand_alone(machine)
    return objects.replace(machine, metadata=ownership.joined(machine, cluster, Finalizer.MACHINE, owned=owned))


def is_stand_alone(machine: Machine) -> bool:
    """Whether nothing but its Cluster owns a machine. One that a label gives to another waits for that to adopt it."""
    made_by = (Label.MACHINE_SET_NAME, Label.MACHINE_POOL_NAME, Label.MACHINE_CONTROL_PLANE_NAME)
    return ownership.controller_of(machine) is None and not any(label in machine.metadata.labels for label in made_by)


def _with_bootstrap(machine: Machine, found: BootstrapObject | Absent | None) -> Machine:
    initialization = machine.status.initialization
    if found is None:
        created: bool | None = True if machine.spec.bootstrap.data_secret_name is not None else None
        secret = machine.spec.bootstrap.data_secret_name
    elif isinstance(found, Absent) or not (found.data_secret_created and found.data_secret_name):
        return machine
    else:
        created, secret = True, found.data_secret_name
    return objects.replace(
        machine,
        spec=replace_part(machine.spec, bootstrap=replace_part(machine.spec.bootstrap, data_secret_name=secret)),
        status=replace_part(
            machine.status, initialization=replace_part(initialization, bootstrap_data_secret_created=created)
        ),
    )


def _with_infrastructure(machine: Machine, found: InfraMachine | Absent) -> Machine:
    """What the provider says of its machine. Once provisioned it stays so, whatever comes later."""
    if isinstance(found, Absent):
        return machine
    status = machine.status
    deprecated = replace_part(
        status.deprecated.v1beta1, failure_reason=found.failure_reason, failure_message=found.failure_message
    )
    status = replace_part(status, deprecated=replace_part(status.deprecated, v1beta1=deprecated))
    spec = machine.spec
    if found.provisioned and found.provider_id:
        initialization = replace_part(status.initialization, infrastructure_provisioned=True)
        status = replace_part(
            status,
            initialization=initialization,
            addresses=found.addresses,
            failure_domain=found.failure_domain or spec.failure_domain,
        )
        spec = replace_part(spec, provider_id=found.provider_id)
    return objects.replace(machine, spec=spec, status=status)


def _with_node(machine: Machine, step: NodeStep) -> Machine:
    assert step.node is not None
    reference = MachineNodeReference(name=step.node.metadata.name)
    status = replace_part(machine.status, node_ref=reference, node_info=nodes.info(step.node))
    return objects.replace(machine, status=status)


def _take_ownership(world: World) -> tuple[tuple[ObjectPatch, ...], tuple[Problem, ...]]:
    """Provider objects are the machine's; those of a pool's machines are the pool's, which is as it should be."""
    machine, patches, problems = world.machine, [], []
    for provider in (world.bootstrap, world.infra):
        if provider is None or isinstance(provider, Absent):
            continue
        found = ownership.take(machine, provider.object, provider.resource, machine.spec.cluster_name)
        if isinstance(found, ObjectPatch):
            patches.append(found)
        elif found is not None and not labels.is_machine_pool_owned(machine.metadata):
            problems.append(found)
    return tuple(patches), tuple(problems)


def _node_patch(world: World, machine: Machine, step: NodeStep) -> NodePatch | None:
    if step.node is None or step.node.deleting:
        return None
    return nodes.patch(step.node, nodes.wanted(machine), outdated=world.outdated)


def _with_status(facts: Facts, now: dt.datetime) -> Machine:
    """The machine with conditions, phase and observed generation."""
    machine = facts.machine
    deprecated = machine.status.deprecated
    old = replace_part(deprecated.v1beta1, conditions=conditions.legacy_conditions(facts, now))
    status = replace_part(
        machine.status,
        conditions=conditions.compute(facts, now),
        deprecated=replace_part(deprecated, v1beta1=old),
        observed_generation=machine.metadata.generation or None,
    )
    now_in = phase(objects.replace(machine, status=status))
    if now_in != facts.world.machine.status.phase:
        status = replace_part(status, last_updated=to_seconds(now))
    return objects.replace(machine, status=replace_part(status, phase=now_in))


def phase(machine: Machine) -> str:
    """Where a machine is in its life, for people: conditions say it better."""
    status = machine.status
    provisioned = bool(status.initialization.infrastructure_provisioned)
    if machine.deleting:
        return MachinePhase.DELETING
    if status.deprecated.v1beta1.failure_reason or status.deprecated.v1beta1.failure_message:
        return MachinePhase.FAILED
    if provisioned and status.node_ref is not None:
        updating = Annotation.UPDATE_IN_PROGRESS in machine.metadata.annotations
        return MachinePhase.UPDATING if updating else MachinePhase.RUNNING
    if provisioned:
        return MachinePhase.PROVISIONED
    if status.initialization.bootstrap_data_secret_created:
        return MachinePhase.PROVISIONING
    return MachinePhase.PENDING


def _only(machine: Machine, told: Sequence[Condition], now: dt.datetime) -> Machine:
    """With nothing else said."""
    generation = machine.metadata.generation
    finished = [replace_part(c, observed_generation=generation) if generation else c for c in told]
    after = conditions_of.set_all(machine.status.conditions, finished, now)
    return objects.replace(machine, status=replace_part(machine.status, conditions=after))


def _when_again(machine: Machine, now: dt.datetime) -> Result:
    moment = conditions.available_at(machine, machine.status.conditions)
    return RequeueAfter(moment - now) if moment is not None and moment > now else DONE


def _events(before: Machine, after: Machine) -> tuple[Said, ...]:
    reference = after.status.node_ref
    if before.status.node_ref is None and reference is not None:
        return (Said("Normal", "SuccessfulSetNodeRef", reference.name),)
    return ()


def _deletion_events(machine: Machine, step: DeletionStep) -> tuple[Said, ...]:
    """Each stage is told once: when its condition is not True yet."""
    before = {c.type for c in machine.status.deprecated.v1beta1.conditions if c.status == "True"}
    told = {
        "drain": ("DrainingSucceeded", "SuccessfulDrainNode"),
        "volumes": ("VolumeDetachSucceeded", "NodeVolumesDetached"),
    }
    name = machine.status.node_ref.name if machine.status.node_ref is not None else ""
    return tuple(
        Said("Normal", reason, f"Node {name}")
        for stage, (type_, reason) in told.items()
        if stage in step.passed and type_ not in before
    )
