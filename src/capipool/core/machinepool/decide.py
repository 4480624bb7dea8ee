"""What to do about a MachinePool, from a World and the time alone. Pure and total: the sequence of all steps.

Everything that is written to the pool is computed here from one observation: metadata, spec, counters, conditions,
phase and observedGeneration belong together.
"""

from __future__ import annotations

import datetime as dt

from capipool.api.constants import EventReason, Finalizer
from capipool.api.core import MachinePool
from capipool.api.shared import ObjectReference
from capipool.core import ownership
from capipool.core.machinepool import (
    bootstrap,
    conditions,
    deletion,
    infrastructure,
    legacy,
    machines,
    nodes,
    status,
)
from capipool.core.machinepool.bootstrap import BootstrapStep
from capipool.core.machinepool.deletion import DeletionStep
from capipool.core.machinepool.infrastructure import InfrastructureStep
from capipool.core.machinepool.nodes import NodesStep
from capipool.core.machinepool.world import Plan, World
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import NodeDeletion, ObjectPatch, Problem
from capipool.machinery import conditions as conditions_of
from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import replace_part
from capipool.runtime.reconcile import DONE, RequeueAfter, Result

NOT_READY_REQUEUE = dt.timedelta(seconds=30)
"""A pool whose nodes are not all ready is looked at again after this, whatever the watches bring. As upstream."""


def decide(world: World, now: dt.datetime) -> Plan:
    """What to do now. A paused pool is left alone but for saying so."""
    pool = world.pool
    paused = conditions.paused(world.cluster, pool)
    if paused.status == "True":
        return Plan(pool=_with_conditions(pool, [conditions.finished(paused, pool.metadata.generation)], now))
    if pool.deleting:
        return _delete(world, now)
    if world.cluster is None:
        return _wait_for_cluster(world, paused, now)
    return _reconcile(world, now)


def _wait_for_cluster(world: World, paused: Condition, now: dt.datetime) -> Plan:
    """Without its Cluster a pool gets no finalizer and touches nothing."""
    pool = world.pool
    found = [ownership.without_cluster(pool), paused]
    pool = _with_conditions(pool, [conditions.finished(c, pool.metadata.generation) for c in found], now)
    return Plan(pool=_with_phase(pool), problems=(Problem(found[0].reason, found[0].message),))


def _reconcile(world: World, now: dt.datetime) -> Plan:
    """The normal course of things: each step takes over what the one before it found."""
    boot = bootstrap.decide(world.pool, world.bootstrap)
    infra = infrastructure.decide(world.pool, world.infra)
    owned, conflicts = _take_ownership(world)
    step = nodes.decide(world.pool, infra.provider_ids, world.nodes, now) if world.nodes is not None else None
    machine_step = machines.decide(world, now)
    problems = tuple(p for p in (boot.problem, infra.problem, *conflicts) if p is not None)
    pool = _pool(world, boot, infra, step, now, settled=not problems)
    provisioned = bool(pool.status.initialization.infrastructure_provisioned)
    sync = step is not None and provisioned and not world.has_machines
    return Plan(
        pool=pool,
        objects=owned,
        deletions=machine_step.deletions,
        nodes=nodes.patches(world.pool, step.nodes) if step is not None and sync else (),
        node_deletions=_retire(world, step) if infra.is_current else (),
        machines=machine_step.machines,
        machine_statuses=machine_step.statuses,
        events=_events(world.pool, pool),
        problems=problems,
        result=_when_again(pool, step, now),
    )


def _delete(world: World, now: dt.datetime) -> Plan:
    """Go one step further in the deletion, and say where it is."""
    step = deletion.decide(world, now)
    pool = _deleting_pool(world, step, now)
    if step.done:
        pool = objects.replace(pool, metadata=ownership.without_finalizer(pool.metadata, Finalizer.MACHINE_POOL))
    return Plan(
        pool=pool,
        deletions=step.deletions,
        node_deletions=step.node_deletions,
        result=step.result,
    )


def _retire(world: World, step: NodesStep | None) -> tuple[NodeDeletion, ...]:
    """Nodes of instances that are gone.

    The node of a Machine goes with that Machine, after its drain, whatever the provider's list says: it may not name an
    instance yet that has joined, or no longer one that is still being drained.
    """
    kept = {m.spec.provider_id for m in world.machines} | {m.provider_id for m in world.infra_machines or ()}
    retired = step.retired if step is not None else ()
    return tuple(NodeDeletion(n.metadata.name, n.metadata.uid) for n in retired if n.spec.provider_id not in kept)


def _take_ownership(world: World) -> tuple[tuple[ObjectPatch, ...], tuple[Problem, ...]]:
    found = [
        ownership.take(world.pool, provider.object, provider.resource, world.pool.spec.cluster_name)
        for provider in (world.bootstrap, world.infra)
        if provider is not None and not isinstance(provider, Absent)
    ]
    return (
        tuple(f for f in found if isinstance(f, ObjectPatch)),
        tuple(f for f in found if isinstance(f, Problem)),
    )


def _pool(
    world: World,
    boot: BootstrapStep,
    infra: InfrastructureStep,
    step: NodesStep | None,
    now: dt.datetime,
    *,
    settled: bool,
) -> MachinePool:
    """The pool as it should read: what the steps found, counters, conditions, and the phase that follows."""
    pool = _with_spec(world, boot, infra)
    if step is not None:
        pool = objects.replace(pool, status=replace_part(pool.status, node_refs=_same_refs(pool, step)))
    pool = _with_counters(world, pool, step)
    pool = _with_legacy(world, pool, boot, infra, step, now)
    facts = conditions.Facts(
        world=world,
        pool=pool,
        nodes=step,
        bootstrap_problem=boot.problem,
        infrastructure_problem=infra.problem,
    )
    pool = _with_conditions(pool, conditions.compute(facts), now)
    return _with_phase(pool, observed=settled)


def _with_spec(world: World, boot: BootstrapStep, infra: InfrastructureStep) -> MachinePool:
    """Metadata, spec and the plain facts of the status."""
    pool = world.pool
    assert world.cluster is not None
    template = pool.spec.template
    data = replace_part(template.spec.bootstrap, data_secret_name=boot.data_secret_name)
    spec = replace_part(
        pool.spec,
        provider_id_list=infra.provider_ids,
        template=replace_part(template, spec=replace_part(template.spec, bootstrap=data)),
    )
    initialization = replace_part(
        pool.status.initialization,
        bootstrap_data_secret_created=boot.created,
        infrastructure_provisioned=infra.provisioned,
    )
    return objects.replace(
        pool,
        metadata=ownership.joined(pool, world.cluster, Finalizer.MACHINE_POOL),
        spec=spec,
        status=replace_part(pool.status, initialization=initialization, replicas=infra.replicas),
    )


def _with_counters(world: World, pool: MachinePool, step: NodesStep | None) -> MachinePool:
    """Counted anew where there is something to count by; kept as they were where the nodes are not known."""
    if isinstance(world.infra, Absent):
        return pool
    if world.has_machines:
        counted = status.of_machines(world.machines)
    elif step is not None:
        counted = status.of_nodes(pool, step, world.infra)
    else:
        return pool
    changed = replace_part(
        pool.status,
        ready_replicas=counted.ready,
        available_replicas=counted.available,
        up_to_date_replicas=counted.up_to_date,
        versions=counted.versions,
    )
    return objects.replace(pool, status=changed)


def _with_legacy(
    world: World,
    pool: MachinePool,
    boot: BootstrapStep,
    infra: InfrastructureStep,
    step: NodesStep | None,
    now: dt.datetime,
) -> MachinePool:
    """`status.deprecated.v1beta1`: counted from nodes, also where there are Machines."""
    before = pool.status.deprecated.v1beta1
    changed = replace_part(before, failure_reason=infra.failure_reason, failure_message=infra.failure_message)
    if step is not None and pool.status.initialization.infrastructure_provisioned:
        changed = replace_part(
            changed,
            ready_replicas=step.ready,
            available_replicas=step.available,
            unavailable_replicas=max(0, (pool.status.replicas or 0) - step.available),
        )
    told = legacy.conditions(world, pool, step, bootstrap_created=boot.created, now=now)
    deprecated = replace_part(pool.status.deprecated, v1beta1=replace_part(changed, conditions=told))
    return objects.replace(pool, status=replace_part(pool.status, deprecated=deprecated))


def _deleting_pool(world: World, step: DeletionStep, now: dt.datetime) -> MachinePool:
    """A pool on its way out: its conditions go on telling, the rest of its status stays."""
    seen = nodes.decide(world.pool, world.pool.spec.provider_id_list, world.nodes, now) if world.nodes else None
    facts = conditions.Facts(world=world, pool=world.pool, nodes=seen, deletion=step)
    return _with_phase(_with_conditions(world.pool, conditions.compute(facts), now), observed=True)


def _with_conditions(
    pool: MachinePool, wanted: list[Condition] | tuple[Condition, ...], now: dt.datetime
) -> MachinePool:
    merged = conditions_of.set_all(pool.status.conditions, wanted, now)
    return objects.replace(pool, status=replace_part(pool.status, conditions=merged))


def _with_phase(pool: MachinePool, *, observed: bool = False) -> MachinePool:
    generation = pool.metadata.generation if observed else pool.status.observed_generation
    changed = replace_part(pool.status, phase=status.phase(pool), observed_generation=generation or None)
    return objects.replace(pool, status=changed)


def _same_refs(pool: MachinePool, step: NodesStep) -> tuple[ObjectReference, ...]:
    """The new references; those that are there already where only what we do not compare differs."""
    before = pool.status.node_refs
    if [(r.name, r.uid) for r in before] == [(n.metadata.name, n.metadata.uid) for n in step.nodes]:
        return before
    return step.refs


def _events(before: MachinePool, after: MachinePool) -> tuple[Said, ...]:
    refs = after.status.node_refs
    if refs == before.status.node_refs or not refs:
        return ()
    count = len(refs)
    return (
        Said("Normal", EventReason.SUCCESSFUL_SET_NODE_REFS, f"{count} node{'s' if count > 1 else ''} referred to"),
    )


def _when_again(pool: MachinePool, step: NodesStep | None, now: dt.datetime) -> Result:
    """When to look again without being told to: nodes that become available with time, and a net under the watches."""
    if step is None:
        return DONE
    waits = []
    told = legacy.replicas_ready(pool, step, now)
    if told is not None and told.status == "False":
        waits.append(NOT_READY_REQUEUE)
    if step.next_available is not None:
        waits.append(step.next_available - now + dt.timedelta(milliseconds=50))
    return RequeueAfter(min(waits)) if waits else DONE
