"""What the AWS provider takes from this room to run it: the controllers of AWSMachines and of their templates."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool.api import labels
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.identities import watching as identities
from capipool.providers.aws.machines import capacity
from capipool.providers.aws.machines.api import AWSMachine, AWSMachineTemplate
from capipool.providers.aws.machines.capacity import CapacityReconciler, User
from capipool.providers.aws.machines.reconciler import INTERVALS, AWSMachineReconciler
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals, news

_BY_CLUSTER = "cluster of AWSMachines"


def setup(
    manager: Manager,
    calls: Calls,
    *,
    default_region: str = "",
    intervals: Intervals | None = None,
    concurrency: int = 20,
    watch_filter: str = "",
) -> None:
    """Add the controllers of single machines and of their templates.

    `intervals`: how often instances are looked at, if not as usual.
    """
    machines = AWSMachineReconciler(manager, calls, default_region=default_region, intervals=intervals or INTERVALS)
    selecting = Selecting(machines, machines.objects.get, partial(labels.selects, watch_filter))
    controller = manager.controller("awsmachine", selecting, concurrency=concurrency)
    machines.objects.add_index(_BY_CLUSTER, _clusters_of)
    _watch(controller, manager, machines)
    templates = CapacityReconciler(manager, calls, default_region=default_region)
    selecting = Selecting(templates, templates.objects.get, partial(labels.selects, watch_filter))
    _watch_templates(manager.controller("awsmachinetemplate", selecting, concurrency=2), templates)


def _watch(controller: Controller, manager: Manager, machines: AWSMachineReconciler) -> None:
    """Everything that a machine waits for, or is made from."""

    def of_cluster(obj: Object, name: str) -> list[ObjectKey]:
        return [m.key for m in machines.objects.by(_BY_CLUSTER, f"{obj.metadata.namespace}/{name}")]

    def cluster_changed(old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
            return ()
        return of_cluster(new, new.metadata.name)

    def infra_changed(
        old: AWSCluster | AWSManagedControlPlane | None, new: AWSCluster | AWSManagedControlPlane | None
    ) -> Iterable[ObjectKey]:
        if new is None or (old is not None and _of_infra(old) == _of_infra(new)):
            return ()
        name = new.metadata.labels.get(Label.CLUSTER_NAME) or _owner_name(new)
        return of_cluster(new, name) if name else ()

    def waiting() -> Iterable[ObjectKey]:
        """Those that have no instance yet, or are to lose it."""
        return (m.key for m in machines.objects.list() if not m.spec.provider_id or m.deleting)

    controller.watch(machines.objects, _object_changed)
    controller.watch(machines.machines, news.machine_of(AWSMachine))
    controller.watch(machines.clusters, cluster_changed)
    controller.watch(manager.caches.of(AWSCluster), infra_changed)
    controller.watch(manager.caches.of(AWSManagedControlPlane), infra_changed)
    identities.watch(controller, manager.caches, waiting)


def _watch_templates(controller: Controller, templates: CapacityReconciler) -> None:
    """Templates, who names them, and the clusters that they need to know the region of."""

    def template_changed(old: AWSMachineTemplate | None, new: AWSMachineTemplate | None) -> Iterable[ObjectKey]:
        return [new.key] if new is not None and (old is None or old.spec != new.spec) else ()

    def user_changed(old: User | None, new: User | None) -> Iterable[ObjectKey]:
        named = capacity.template_of(new) if new is not None else ()
        if not named or (old is not None and capacity.template_of(old) == named):
            return ()
        return [ObjectKey(*name.split("/", 1)) for name in named]

    def cluster_changed(old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
            return ()
        return [obj.key for obj in templates.objects.list(new.metadata.namespace)]

    controller.watch(templates.objects, template_changed)
    controller.watch(templates.deployments, user_changed)
    controller.watch(templates.sets, user_changed)
    controller.watch(templates.clusters, cluster_changed)


def _object_changed(old: AWSMachine | None, new: AWSMachine | None) -> Iterable[ObjectKey]:
    """Its own status is written here, and is no news."""
    if new is None:
        return [old.key] if old is not None else ()
    return () if old is not None and _of_object(old) == _of_object(new) else [new.key]


def _clusters_of(obj: AWSMachine) -> tuple[str, ...]:
    name = obj.metadata.labels.get(Label.CLUSTER_NAME)
    return (f"{obj.metadata.namespace}/{name}",) if name else ()


def _owner_name(obj: Object) -> str:
    group_kind = Cluster.RESOURCE.group_kind
    return next((o.name for o in obj.metadata.owner_references if o.group_kind == group_kind), "")


def _of_object(obj: AWSMachine) -> tuple[object, ...]:
    meta = obj.metadata
    owners = meta.owner_references
    return (meta.uid, obj.spec, meta.annotations, meta.labels, meta.deletion_timestamp, owners, meta.finalizers)


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    spec = cluster.spec
    provisioned = cluster.status.initialization.infrastructure_provisioned
    return (spec.paused, provisioned, spec.infrastructure_ref, spec.control_plane_ref)


def _of_infra(obj: AWSCluster | AWSManagedControlPlane) -> tuple[object, ...]:
    return (obj.spec, obj.status.network_status)
