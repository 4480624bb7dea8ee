"""What to do about a Cluster, from a World and the time alone. Pure and total."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.api.constants import ConditionType, Finalizer, Reason
from capipool.api.core import Cluster, ClusterStatus
from capipool.api.shared import V1Beta1Condition
from capipool.api.v1beta2.cluster import APIEndpoint, ClusterInitialization
from capipool.core import legacy, ownership
from capipool.core.cluster import conditions, deletion, status
from capipool.core.cluster.deletion import DeletionStep
from capipool.core.cluster.world import ControlPlane, InfraCluster, Plan, World
from capipool.core.references import Absent
from capipool.core.writes import ObjectPatch, Problem
from capipool.machinery import conditions as conditions_of
from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import ObjectMeta, replace_part

_SUMMED_UP = (
    ConditionType.CONTROL_PLANE_INITIALIZED,
    ConditionType.CONTROL_PLANE_READY,
    ConditionType.INFRASTRUCTURE_READY,
)


def decide(world: World, now: dt.datetime) -> Plan:
    """What to do now. A paused Cluster is left alone but for saying so."""
    cluster = world.cluster
    paused = conditions.paused(cluster)
    if paused.status == "True":
        told = conditions.finished(paused, cluster.metadata.generation)
        return Plan(cluster=_with_conditions(cluster, [told], now))
    return _delete(world, now) if cluster.deleting else _reconcile(world, now)


def _reconcile(world: World, now: dt.datetime) -> Plan:
    owned, problems = _take_ownership(world)
    cluster = objects.replace(
        world.cluster,
        metadata=_with_finalizer(world.cluster),
        spec=replace_part(world.cluster.spec, control_plane_endpoint=_endpoint(world)),
        status=_with_progress(world),
    )
    cluster = _with_legacy(world, cluster, now)
    return Plan(cluster=_told(world, cluster, None, now), objects=owned, problems=problems)


def _delete(world: World, now: dt.datetime) -> Plan:
    """Go one step further in the deletion, and say where it is."""
    step = deletion.decide(world)
    cluster = _told(world, world.cluster, step, now)
    if step.done:
        metadata = ownership.without_finalizer(cluster.metadata, Finalizer.CLUSTER)
        cluster = objects.replace(cluster, metadata=metadata)
    return Plan(cluster=cluster, deletions=step.deletions)


def _told(world: World, cluster: Cluster, step: DeletionStep | None, now: dt.datetime) -> Cluster:
    """The Cluster with counters, conditions and phase."""
    counted = replace_part(
        cluster.status,
        workers=replace_part(status.workers(world), upgrade_plan=cluster.status.workers.upgrade_plan),
        control_plane=replace_part(status.control_plane(world), upgrade_plan=cluster.status.control_plane.upgrade_plan),
    )
    cluster = objects.replace(cluster, status=counted)
    cluster = _with_conditions(cluster, conditions.compute(world, cluster, step), now)
    changed = replace_part(
        cluster.status, phase=status.phase(cluster), observed_generation=cluster.metadata.generation or None
    )
    return objects.replace(cluster, status=changed)


def _take_ownership(world: World) -> tuple[tuple[ObjectPatch, ...], tuple[Problem, ...]]:
    cluster = world.cluster
    found = [
        ownership.take(cluster, provider.object, provider.resource, cluster.metadata.name)
        for provider in (world.infra, world.control_plane)
        if isinstance(provider, InfraCluster | ControlPlane)
    ]
    return (
        tuple(f for f in found if isinstance(f, ObjectPatch)),
        tuple(f for f in found if isinstance(f, Problem)),
    )


def _with_finalizer(cluster: Cluster) -> ObjectMeta:
    finalizers = cluster.metadata.finalizers
    if Finalizer.CLUSTER in finalizers:
        return cluster.metadata
    return replace_part(cluster.metadata, finalizers=(*finalizers, Finalizer.CLUSTER))


def _endpoint(world: World) -> APIEndpoint:
    """Where the API server is: as it is set, or as whichever provider knows first says. It never moves."""
    known = world.cluster.spec.control_plane_endpoint
    if known.host and known.port:
        return known
    providers = [p for p in (world.infra, world.control_plane) if isinstance(p, InfraCluster | ControlPlane)]
    return next((p.endpoint for p in providers if p.endpoint is not None), known)


def _with_progress(world: World) -> ClusterStatus:
    """The status with what happens once, and with failure domains."""
    before = world.cluster.status
    infra = world.infra
    domains = before.failure_domains
    if isinstance(infra, InfraCluster) and infra.provisioned and not infra.object.deleting:
        domains = infra.failure_domains
    return replace_part(before, initialization=_initialization(world), failure_domains=domains)


def _initialization(world: World) -> ClusterInitialization:
    """What happened once stays so: neither a provider nor an API server that is away takes it back."""
    before = world.cluster.status.initialization
    infra, master = world.infra, world.control_plane
    provisioned = infra is None or (isinstance(infra, InfraCluster) and infra.provisioned)
    initialized = world.connected if master is None else isinstance(master, ControlPlane) and master.initialized
    return ClusterInitialization(
        infrastructure_provisioned=bool(before.infrastructure_provisioned) or provisioned,
        control_plane_initialized=bool(before.control_plane_initialized) or initialized,
    )


def _with_legacy(world: World, cluster: Cluster, now: dt.datetime) -> Cluster:
    before = cluster.status.deprecated.v1beta1
    told = legacy.set_all(before.conditions, _legacy(world, cluster, now), _SUMMED_UP, now)
    deprecated = replace_part(cluster.status.deprecated, v1beta1=replace_part(before, conditions=told))
    return objects.replace(cluster, status=replace_part(cluster.status, deprecated=deprecated))


def _legacy(world: World, cluster: Cluster, now: dt.datetime) -> Iterable[V1Beta1Condition | None]:
    done = cluster.status.initialization
    waits = Reason.WAITING_FOR_CONTROL_PLANE_PROVIDER_INITIALIZED
    yield (
        legacy.true(ConditionType.CONTROL_PLANE_INITIALIZED, now)
        if done.control_plane_initialized
        else legacy.false(ConditionType.CONTROL_PLANE_INITIALIZED, waits, "Info", now)
    )
    yield _legacy_of(
        world.infra,
        ConditionType.INFRASTRUCTURE_READY,
        bool(done.infrastructure_provisioned),
        Reason.WAITING_FOR_INFRASTRUCTURE,
        now,
    )
    if world.control_plane is not None:
        ready = bool(done.control_plane_initialized)
        yield _legacy_of(
            world.control_plane, ConditionType.CONTROL_PLANE_READY, ready, Reason.WAITING_FOR_CONTROL_PLANE, now
        )


def _legacy_of(
    found: InfraCluster | ControlPlane | Absent | None, type_: str, ready: bool, reason: str, now: dt.datetime
) -> V1Beta1Condition:
    if isinstance(found, Absent):
        return legacy.false(type_, Reason.INCORRECT_EXTERNAL_REF, "Error", now, found.message)
    told = found.legacy_ready if found is not None else None
    return legacy.mirrored(told, type_, ready, reason, now)


def _with_conditions(cluster: Cluster, wanted: Iterable[Condition], now: dt.datetime) -> Cluster:
    merged = conditions_of.set_all(cluster.status.conditions, wanted, now)
    return objects.replace(cluster, status=replace_part(cluster.status, conditions=merged))
