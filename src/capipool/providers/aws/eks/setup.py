"""What the composition root takes from EKS to run it: its controllers. The AWS provider's own are beside it."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

from capipool.api import labels
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks import bootstrapping
from capipool.providers.aws.eks.api.cluster import AWSManagedCluster
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.controlplane import AWSManagedControlPlaneReconciler, CallsOf
from capipool.providers.aws.eks.kinds import crds, rules
from capipool.providers.aws.eks.managedcluster import AWSManagedClusterReconciler
from capipool.providers.aws.eks.nodegroups import watches as nodegroups
from capipool.providers.aws.identities import watching as identities
from capipool.providers.aws.identities.finding import Identities
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals, news
from capipool.sdk.managed.planes import INTERVALS
from capipool.workload.connections import Connections

__all__ = ["crds", "rules", "setup"]


def setup(
    manager: Manager,
    connections: Connections,
    *,
    calls: Calls,
    calls_of: CallsOf | None = None,
    region: str = "",
    intervals: Intervals | None = None,
    node_group_intervals: Intervals | None = None,
    watch_filter: str = "",
    machine_pools: bool = True,
) -> None:
    """Add the controllers of EKS's kinds to a manager.

    `calls` are the process's own; `calls_of` finds those of a namespace and an `identityRef`, by default as the
    identities say. `region` is for clusters that name none, `intervals` is how often clusters are looked at, and node
    groups unless `node_group_intervals` says otherwise. With `watch_filter` they see to objects alone that carry it as
    their label `cluster.x-k8s.io/watch-filter`. Without `machine_pools` no pool's boot data is made, and node groups
    are left alone.
    """
    find = calls_of or Identities(manager.client, manager.caches, calls).calls
    planes = AWSManagedControlPlaneReconciler(manager, find, default_region=region, intervals=intervals or INTERVALS)
    selects = partial(labels.selects, watch_filter)
    controller = manager.controller(
        "awsmanagedcontrolplane", Selecting(planes, planes.objects.get, selects), concurrency=8
    )
    controller.watch(planes.objects, news.of_object)
    planes.remains.watch(controller, planes.objects)
    controller.watch(planes.clusters, news.control_plane_of(AWSManagedControlPlane))
    identities.watch(controller, manager.caches, lambda: (p.key for p in planes.objects.list() if not p.status.ready))
    clusters = AWSManagedClusterReconciler(manager)
    controller = manager.controller(
        "awsmanagedcluster", Selecting(clusters, clusters.objects.get, selects), concurrency=4
    )
    controller.watch(clusters.objects, news.of_object)
    controller.watch(clusters.clusters, news.infrastructure_of(AWSManagedCluster))
    controller.watch(clusters.control_planes, partial(_control_plane_changed, clusters))
    bootstrapping.setup(manager, watch_filter=watch_filter, machine_pools=machine_pools)
    if machine_pools:
        every = node_group_intervals or intervals
        nodegroups.setup(manager, calls, region=region, intervals=every, watch_filter=watch_filter)


def _control_plane_changed(
    clusters: AWSManagedClusterReconciler, old: AWSManagedControlPlane | None, new: AWSManagedControlPlane | None
) -> Iterable[ObjectKey]:
    """Endpoint and zones are shown by the AWSManagedCluster, too."""
    if new is None or (old is not None and _shown(old) == _shown(new)):
        return ()
    owners = (clusters.clusters.get(ObjectKey(new.metadata.namespace, o.name)) for o in new.metadata.owner_references)
    return [key for owner in owners for key in news.infrastructure(owner, AWSManagedCluster)]


def _shown(obj: AWSManagedControlPlane) -> Any:
    owners = tuple(o.uid for o in obj.metadata.owner_references)
    return obj.spec.control_plane_endpoint, obj.status.failure_domains, owners
