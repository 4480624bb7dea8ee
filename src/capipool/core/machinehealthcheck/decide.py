"""What to do about a MachineHealthCheck, from a World and the time alone. Pure and total.

Who is unhealthy is said on the machine in any case; whether something is done about it depends on how many there are.
A MachineSet or control plane replaces its own marked machines. The machines of a pool follow their infrastructure, and
nobody else would act on the mark: those are deleted here, which has the provider replace the instance. Instances of
pools without Machines are judged by their nodes, and their replacement is asked for on the node: see `pools`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from capipool.api.constants import GROUP, ConditionType, Label, Reason
from capipool.api.core import Cluster, Machine, MachineHealthCheck, MachinePool
from capipool.api.shared import V1Beta1Condition
from capipool.core import legacy, ownership, pausing
from capipool.core.machinehealthcheck import external, health, limits, pools
from capipool.core.machinehealthcheck.health import Health, Target
from capipool.core.machinehealthcheck.limits import Allowance
from capipool.core.machinehealthcheck.pools import Instance, NodeMark
from capipool.core.machinehealthcheck.world import External, MachineMark, Plan, World
from capipool.core.reports import Said
from capipool.core.writes import ObjectDeletion
from capipool.machinery import conditions, objects
from capipool.machinery.clock import to_seconds
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import replace_part
from capipool.machinery.resource import GroupKind
from capipool.runtime.reconcile import DONE, RequeueAfter, Result

_POOL = GroupKind(GROUP, "MachinePool")
_MAX_TARGETS = 10000


def decide(world: World, now: dt.datetime) -> Plan:
    """What to do now. A paused check, and one whose nodes cannot be asked for, judges nobody."""
    check, cluster = world.check, world.cluster
    owned = _owned(check, cluster) if isinstance(cluster, Cluster) else check
    paused = pausing.condition(check, cluster if isinstance(cluster, Cluster) else None)
    if paused.status == "True" or not isinstance(cluster, Cluster) or check.deleting:
        return Plan(check=_said(owned, (paused,), now))
    if not world.connected:
        return Plan(check=_said(owned, (paused,), now))
    judged = [(target, health.judge(target, check, cluster, now)) for target in world.targets]
    instances = [(i, pools.judge(i, check, cluster, now)) for i in world.instances]
    return _plan(world, owned, judged, instances, paused, now)


def _plan(
    world: World,
    owned: MachineHealthCheck,
    judged: list[tuple[Target, Health]],
    instances: list[tuple[Instance, Health]],
    paused: Condition,
    now: dt.datetime,
) -> Plan:
    everybody = [h for _, h in (*judged, *instances)]
    count = _Count(len(everybody), sum(h.verdict == "Healthy" for h in everybody))
    allowed = _allowance(owned, count)
    unhealthy = sum(h.verdict == "Unhealthy" for h in everybody)
    unwell = [(t, h) for t, h in judged if h.verdict == "Unhealthy"]
    well = [t for t, h in judged if h.verdict == "Healthy"]
    to_remediate = [t for t, _ in unwell if allowed.allowed and not t.machine.deleting]
    # A request to somebody else's controller names a Machine: there is none to name for an instance without one.
    on_nodes = pools.marks(owned, instances, remediate=allowed.allowed and world.external is None)
    marks = [
        *(_mark_well(t, now) for t in well),
        *(_mark_unwell(world, t, h, t in to_remediate, now) for t, h in unwell),
    ]
    return Plan(
        check=_with_status(owned, world, count, allowed, paused, now),
        machines=tuple(m for m in marks if _says_something(m)),
        nodes=tuple(mark for _, _, mark in on_nodes),
        requests=external.requests(world.external, to_remediate),
        deletions=(*_replace_in_pools(world, to_remediate), *external.obsolete(world.external, well)),
        events=(*_events(owned, unwell, to_remediate, allowed, unhealthy), *_instance_events(on_nodes)),
        result=_next(everybody, world.external if to_remediate else None),
    )


@dataclass(frozen=True, slots=True)
class _Count:
    """How many targets there are, and how many of them are known to be healthy."""

    expected: int
    healthy: int


def _names(world: World) -> tuple[str, ...]:
    """What `status.targets` lists: Machines, and the nodes of instances without one."""
    machines = (t.machine.metadata.name for t in world.targets)
    nodes = (i.node.metadata.name for i in world.instances if i.node is not None)
    return tuple(sorted((*machines, *nodes)))[:_MAX_TARGETS]


def _instance_events(marked: Iterable[tuple[Instance, Health, NodeMark]]) -> tuple[Said, ...]:
    return tuple(
        Said("Warning", "InstanceMarkedUnhealthy", f"node {mark.node.metadata.name}: {h.message}", about=i.pool)
        for i, h, mark in marked
        if mark.value is not None
    )


def succeeded(judged: Health) -> Condition:
    """`HealthCheckSucceeded` on a machine."""
    type_ = ConditionType.HEALTH_CHECK_SUCCEEDED
    if judged.verdict != "Unhealthy":
        return Condition(type=type_, status="True", reason=Reason.HEALTH_CHECK_SUCCEEDED)
    return Condition(type=type_, status="False", reason=judged.reason, message=judged.message)


def legacy_succeeded(judged: Health, now: dt.datetime) -> V1Beta1Condition:
    """The same as v1beta1 has it."""
    type_ = ConditionType.HEALTH_CHECK_SUCCEEDED
    if judged.verdict != "Unhealthy":
        return legacy.true(type_, now)
    return legacy.false(type_, judged.legacy_reason, "Warning", now, judged.message)


def is_of_pool(machine: Machine) -> bool:
    """Whether a machine belongs to a pool."""
    return ownership.controller_of(machine, MachinePool.RESOURCE.group_kind) is not None


def _owned(check: MachineHealthCheck, cluster: Cluster) -> MachineHealthCheck:
    meta = check.metadata
    owners = ownership.with_owner(meta.owner_references, ownership.reference(cluster))
    wanted = replace_part(
        meta, owner_references=owners, labels=meta.labels | {Label.CLUSTER_NAME: check.spec.cluster_name}
    )
    return objects.replace(check, metadata=wanted)


def _allowance(check: MachineHealthCheck, count: _Count) -> Allowance:
    """What the limits say; a range that cannot be read, which admission refuses, allows nothing."""
    try:
        return limits.allowance(check.spec.remediation.trigger_if, expected=count.expected, healthy=count.healthy)
    except ValueError:
        return Allowance(False)


def _mark_well(target: Target, now: dt.datetime) -> MachineMark:
    """A machine that is well: what was asked for while it was not is taken back, unless it is under way."""
    dropped = (ConditionType.OWNER_REMEDIATED, ConditionType.EXTERNALLY_REMEDIATED)
    return MachineMark(
        machine=target.machine,
        conditions=(succeeded(health.HEALTHY),),
        legacy=(legacy_succeeded(health.HEALTHY, now),),
        dropped=() if target.machine.deleting else dropped,
    )


def _mark_unwell(world: World, target: Target, judged: Health, remediate: bool, now: dt.datetime) -> MachineMark:
    found, old = [succeeded(judged)], [legacy_succeeded(judged, now)]
    if remediate and world.external is None:
        before = conditions.find(target.machine.status.conditions, ConditionType.OWNER_REMEDIATED)
        # What the owner says of its progress stays: it is more than that it is awaited.
        if before is None or before.status != "False":
            found.append(_waiting(ConditionType.OWNER_REMEDIATED))
            type_, reason = ConditionType.OWNER_REMEDIATED, Reason.WAITING_FOR_REMEDIATION
            old.append(legacy.false(type_, reason, "Warning", now))
    elif remediate and world.external is not None:
        told = external.condition(world.external, target.machine)
        found += [told] if told is not None else []
    return MachineMark(target.machine, tuple(found), tuple(old))


def _waiting(type_: str) -> Condition:
    return Condition(
        type=type_, status="False", reason=Reason.WAITING_FOR_REMEDIATION, message="Waiting for remediation"
    )


def _says_something(mark: MachineMark) -> bool:
    """Whether a machine's status does not say this already."""
    known = {c.type: c for c in mark.machine.status.conditions}
    if any(type_ in known for type_ in mark.dropped):
        return True
    return any(
        c.type not in known
        or (known[c.type].status, known[c.type].reason, known[c.type].message) != (c.status, c.reason, c.message)
        for c in mark.conditions
    )


def _replace_in_pools(world: World, targets: Iterable[Target]) -> Iterable[ObjectDeletion]:
    if world.external is not None:
        return ()
    machines = (t.machine for t in targets if is_of_pool(t.machine))
    return [ObjectDeletion(Machine.RESOURCE, m.key, m.metadata.uid) for m in machines]


def _with_status(
    check: MachineHealthCheck,
    world: World,
    count: _Count,
    allowed: Allowance,
    paused: Condition,
    now: dt.datetime,
) -> MachineHealthCheck:
    told = _remediation_allowed(check, count, allowed)
    before = check.status.deprecated.v1beta1
    type_ = ConditionType.REMEDIATION_ALLOWED
    old = legacy.true(type_, now)
    if told.status == "False":
        old = legacy.false(type_, Reason.TOO_MANY_UNHEALTHY, "Warning", now, told.message)
    wanted = (old, external.legacy_available(world.external, now))
    deprecated = replace_part(before, conditions=legacy.set_all(before.conditions, wanted, (), now))
    status = replace_part(
        check.status,
        expected_machines=count.expected,
        current_healthy=count.healthy,
        remediations_allowed=allowed.remaining,
        targets=_names(world),
        observed_generation=check.metadata.generation or None,
        deprecated=replace_part(check.status.deprecated, v1beta1=deprecated),
    )
    return _said(objects.replace(check, status=status), (told, paused), now)


def _remediation_allowed(check: MachineHealthCheck, count: _Count, allowed: Allowance) -> Condition:
    type_ = ConditionType.REMEDIATION_ALLOWED
    if allowed.allowed:
        return Condition(type=type_, status="True", reason=Reason.REMEDIATION_ALLOWED)
    trigger = check.spec.remediation.trigger_if
    if trigger.unhealthy_in_range:
        limit = f"not within {trigger.unhealthy_in_range}"
    else:
        limit = f"more than {trigger.unhealthy_less_than_or_equal_to}"
    message = (
        f"Remediation is not allowed: {count.expected - count.healthy} of {count.expected} machines are unhealthy "
        f"or not known to be healthy, which is {limit}"
    )
    return Condition(type=type_, status="False", reason=Reason.TOO_MANY_UNHEALTHY, message=message)


def _said(check: MachineHealthCheck, found: Iterable[Condition], now: dt.datetime) -> MachineHealthCheck:
    generation = check.metadata.generation
    finished = [replace_part(c, observed_generation=generation) if generation else c for c in found]
    after = conditions.set_all(check.status.conditions, finished, to_seconds(now))
    return objects.replace(check, status=replace_part(check.status, conditions=after))


def _events(
    check: MachineHealthCheck,
    unwell: list[tuple[Target, Health]],
    to_remediate: list[Target],
    allowed: Allowance,
    unhealthy: int,
) -> tuple[Said, ...]:
    """What is told of machines that are given up, and of a check that may not: not where all of them are only new."""
    told = conditions.is_true(check.status.conditions, ConditionType.REMEDIATION_ALLOWED)
    found = [
        Said("Warning", "MachineMarkedUnhealthy", h.message, about=t.machine)
        for t, h in unwell
        if t in to_remediate and not _was_marked(t.machine)
    ]
    news = told or any(not _is_said_unhealthy(t.machine) for t, _ in unwell)
    if not allowed.allowed and unhealthy and news:
        message = f"Too many machines are unhealthy: {unhealthy} are known to be, and none is replaced"
        found.append(Said("Warning", "RemediationRestricted", message))
    return tuple(found)


def _is_said_unhealthy(machine: Machine) -> bool:
    found = conditions.find(machine.status.conditions, ConditionType.HEALTH_CHECK_SUCCEEDED)
    return found is not None and found.status == "False"


def _was_marked(machine: Machine) -> bool:
    known = machine.status.conditions
    types = (ConditionType.OWNER_REMEDIATED, ConditionType.EXTERNALLY_REMEDIATED)
    return any(conditions.find(known, type_) is not None for type_ in types)


def _next(judged: Iterable[Health], wanting: External | None) -> Result:
    """When to look again; `wanting` is the external remediation that somebody is in need of."""
    waits = [h.next_check for h in judged if h.next_check is not None]
    waits += [external.RETRY] if wanting is not None and wanting.why else []
    return RequeueAfter(min(waits)) if waits else DONE
