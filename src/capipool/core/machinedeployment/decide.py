"""What to do about a MachineDeployment, from a World, the time and chance. Pure and total.

Chance only makes the name of a new set. How many replicas each set gets is the planner's (`rollout`).
"""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Sequence

from capipool.api.constants import Annotation, Finalizer
from capipool.api.core import Cluster, MachineDeployment, MachineSet
from capipool.core import ownership, pausing, replicas, serverside
from capipool.core.machinedeployment import conditions, revisions, rollout, sets, status
from capipool.core.machinedeployment.rollout import Intents, SetSize
from capipool.core.machinedeployment.world import Plan, World
from capipool.core.reports import Said
from capipool.core.writes import ObjectDeletion, Problem
from capipool.machinery import conditions as conditions_of
from capipool.machinery import objects, selectors
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw, replace_part
from capipool.runtime.reconcile import DONE, RequeueAfter, Result

FIELD_MANAGER = "capipool-machinedeployment"


def decide(world: World, now: dt.datetime, rng: random.Random) -> Plan:
    """What to do now. A deployment paused from outside is left alone; `spec.paused` only stops its rollout."""
    deployment = world.deployment
    paused = pausing.condition(deployment, world.cluster)
    if paused.status == "True":
        return Plan(deployment=_only(deployment, world, now))
    if deployment.deleting:
        return _delete(world, now)
    if world.cluster is None:
        available = ownership.without_cluster(deployment)
        problem = Problem("ClusterNotFound", available.message)
        return Plan(deployment=_only(deployment, world, now, available), problems=(problem,))
    if deployment.spec.replicas is None:
        return Plan(deployment=_with_status(deployment, world, None, world.sets, now))
    return _reconcile(world, world.cluster, now, rng)


def _reconcile(world: World, cluster: Cluster, now: dt.datetime, rng: random.Random) -> Plan:
    living = [s for s in world.sets if not s.deleting]
    new, old = revisions.split_new_and_old(world.deployment, living, now)
    if world.deployment.spec.paused:
        wanted = _paused(world, new, old)
    elif new is None and world.missing_templates:
        wanted = []
    else:
        wanted = _rollout(world, new, old, rng)
    deployment = _with_metadata(world.deployment, cluster, wanted, new)
    deployment = _with_status(deployment, world, new, living, now)
    return Plan(
        deployment=deployment,
        sets=tuple(raw for raw in wanted if _differs(raw, living)),
        deletions=_clean_up(deployment, old),
        events=_events(world, new, wanted, now),
        problems=tuple(Problem("TemplateNotFound", m) for m in world.missing_templates),
        result=_when_again(world.deployment, now),
    )


def _rollout(world: World, new: MachineSet | None, old: Sequence[MachineSet], rng: random.Random) -> list[Raw]:
    """All sets as they are to be after this pass of the rollout. One that is to be made has nothing yet."""
    deployment = world.deployment
    name, suffix = (new.metadata.name, "") if new is not None else revisions.set_name(deployment.metadata.name, rng)
    sizes = _sizes(world, [*old, *([new] if new is not None else [])])
    planned = sets.world(deployment, sizes.pop(name, SetSize(name, 0)), sizes.values())
    intents = rollout.plan_on_delete(planned) if sets.is_on_delete(deployment) else rollout.plan_rolling_update(planned)
    size = intents.get(name, planned.new.spec)
    return [
        sets.desired_new(deployment, new, old, name=name, suffix=suffix, replicas=size),
        *_old(deployment, old, intents),
    ]


def _sizes(world: World, known: Sequence[MachineSet]) -> dict[str, SetSize]:
    """Sets as the planner sees them, by name, in their order."""
    machines = sets.by_set(world.machines)
    return {s.metadata.name: sets.size(s, machines.get(s.metadata.uid, ())) for s in known}


def _paused(world: World, new: MachineSet | None, old: Sequence[MachineSet]) -> list[Raw]:
    """A paused rollout stays where it is, and is only scaled, each set by its share."""
    deployment = world.deployment
    known = [*old, *([new] if new is not None else [])]
    before = max((_desired_replicas(s) for s in known), default=0)
    wanted = deployment.spec.replicas or 0
    intents = rollout.scale_proportionally(_sizes(world, known).values(), before, wanted)
    made = _old(deployment, old, intents)
    if new is not None:
        size = intents.get(new.metadata.name, new.spec.replicas or 0)
        made.append(sets.desired_new(deployment, new, old, name=new.metadata.name, replicas=size))
    return made


def _desired_replicas(machine_set: MachineSet) -> int:
    """The deployment's size when the set was last written."""
    text = machine_set.metadata.annotations.get(Annotation.DESIRED_REPLICAS, "")
    return int(text) if text.isdecimal() else 0


def _old(deployment: MachineDeployment, old: Sequence[MachineSet], intents: Intents) -> list[Raw]:
    return [sets.desired_old(deployment, s, intents.get(s.metadata.name)) for s in old]


def _differs(raw: Raw, living: Sequence[MachineSet]) -> bool:
    existing = next((s for s in living if s.metadata.name == raw["metadata"]["name"]), None)
    return existing is None or serverside.needs_apply(existing, raw, FIELD_MANAGER)


def _delete(world: World, now: dt.datetime) -> Plan:
    """All sets go, and the deployment once none is left."""
    deployment = _with_status(world.deployment, world, None, world.sets, now)
    if not world.sets:
        metadata = ownership.without_finalizer(deployment.metadata, Finalizer.MACHINE_DEPLOYMENT)
        deployment = objects.replace(deployment, metadata=metadata)
    going = (s for s in world.sets if not s.deleting)
    return Plan(
        deployment=deployment,
        deletions=tuple(ObjectDeletion(MachineSet.RESOURCE, s.key, s.metadata.uid) for s in going),
    )


def _clean_up(deployment: MachineDeployment, old: Sequence[MachineSet]) -> tuple[ObjectDeletion, ...]:
    """Empty old sets, once the rollout is complete. Going back makes a new one."""
    if not status.is_complete(deployment):
        return ()
    empty = (s for s in old if not s.spec.replicas and not s.status.replicas and s.status.observed_generation)
    return tuple(ObjectDeletion(MachineSet.RESOURCE, s.key, s.metadata.uid) for s in empty)


def _with_metadata(
    deployment: MachineDeployment, cluster: Cluster, wanted: Sequence[Raw], new: MachineSet | None
) -> MachineDeployment:
    """The finalizer, the cluster's label and ownership, and the revision of the new set."""
    metadata = ownership.joined(deployment, cluster, Finalizer.MACHINE_DEPLOYMENT)
    if (revision := _revision(wanted, new)) is not None:
        metadata = replace_part(metadata, annotations=metadata.annotations | {Annotation.REVISION: revision})
    return objects.replace(deployment, metadata=metadata)


def _revision(wanted: Sequence[Raw], new: MachineSet | None) -> str | None:
    """The newest revision among the sets as they will be."""
    found = [raw["metadata"]["annotations"].get(Annotation.REVISION, "") for raw in wanted]
    if new is not None:
        found.append(new.metadata.annotations.get(Annotation.REVISION, ""))
    numbers = [int(text) for text in found if text.isdecimal()]
    return str(max(numbers)) if numbers else None


def _with_status(
    deployment: MachineDeployment,
    world: World,
    new: MachineSet | None,
    living: Sequence[MachineSet],
    now: dt.datetime,
) -> MachineDeployment:
    old = [s for s in living if s is not new]
    counted = status.count(deployment, new, old, now)
    selector = selectors.from_object(objects.part_to_raw(deployment.spec.selector))
    counted = replace_part(counted, selector=str(selector) if selector is not None else "")
    deployment = objects.replace(deployment, status=counted)
    told = conditions.compute(world, deployment, new, now)
    return objects.replace(deployment, status=replace_part(deployment.status, conditions=told))


def _only(deployment: MachineDeployment, world: World, now: dt.datetime, *more: Condition) -> MachineDeployment:
    """With nothing said but whether it is paused, and what is given."""
    told = (pausing.condition(deployment, world.cluster), *more)
    finished = [replicas.finished(c, deployment.metadata.generation) for c in told]
    after = conditions_of.set_all(deployment.status.conditions, finished, now)
    return objects.replace(deployment, status=replace_part(deployment.status, conditions=after))


def _events(world: World, new: MachineSet | None, wanted: Sequence[Raw], now: dt.datetime) -> tuple[Said, ...]:
    if new is not None or not wanted or world.deployment.spec.paused:
        return ()
    why = revisions.why_new_set(world.deployment, world.sets, now)
    return (Said("Normal", "SuccessfulCreate", f"Created MachineSet {wanted[0]['metadata']['name']}: {why}"),)


def _when_again(deployment: MachineDeployment, now: dt.datetime) -> Result:
    """A rollout that is to begin at some time needs nobody else to begin."""
    after = deployment.spec.rollout.after
    return RequeueAfter(after - now) if after is not None and after > now else DONE
