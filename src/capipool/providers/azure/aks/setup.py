"""What the composition root takes of AKS to run it: its controllers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from capipool.api import labels
from capipool.machinery.objects import Object
from capipool.providers.azure.aks import watches
from capipool.providers.azure.aks.cloud import AKS
from capipool.providers.azure.aks.controlplane import AzureManagedControlPlaneReconciler
from capipool.providers.azure.aks.managedcluster import AzureManagedClusterReconciler
from capipool.providers.azure.aks.pools import reconciler
from capipool.providers.azure.aks.pools.reconciler import AzureManagedMachinePoolReconciler
from capipool.providers.azure.api.managedcluster import AzureManagedCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals, news
from capipool.sdk.managed.planes import INTERVALS


def setup(
    manager: Manager,
    calls: Calls,
    identities: Identities,
    *,
    concurrency: int = 20,
    watch_filter: str = "",
    intervals: Intervals | None = None,
    cluster_intervals: Intervals | None = None,
    machine_pools: bool = True,
) -> None:
    """Add the controllers of AKS's kinds to a manager. `calls` must have `identities.credential`.

    `intervals` is how often pools are looked at, `cluster_intervals` how often clusters are. With `watch_filter` they
    see to objects alone that carry it as their label `cluster.x-k8s.io/watch-filter`. Without `machine_pools` agent
    pools are left alone.
    """
    aks, selects = AKS(calls), partial(labels.selects, watch_filter)
    planes = AzureManagedControlPlaneReconciler(manager, aks, identities, intervals=cluster_intervals or INTERVALS)
    seen = watches.ControlPlanes(planes)
    controller = manager.controller(
        "azuremanagedcontrolplane", Selecting(planes, planes.objects.get, selects), concurrency=8
    )
    controller.watch(planes.objects, partial(news.of_object, finalizers=True))
    controller.watch(planes.clusters, news.control_plane_of(AzureManagedControlPlane))
    controller.watch(planes.pools, seen.pool_changed)
    controller.watch(planes.identities, seen.identity_changed)
    controller.watch(planes.secrets, seen.secret_changed)
    clusters = AzureManagedClusterReconciler(manager)
    shown = watches.Clusters(clusters)
    controller = manager.controller(
        "azuremanagedcluster", Selecting(clusters, clusters.objects.get, selects), concurrency=4
    )
    controller.watch(clusters.objects, partial(news.of_object, finalizers=True))
    controller.watch(clusters.clusters, news.infrastructure_of(AzureManagedCluster))
    controller.watch(clusters.control_planes, shown.control_plane_changed)
    if machine_pools:
        pools = AzureManagedMachinePoolReconciler(manager, aks, identities, intervals=intervals or reconciler.INTERVALS)
        _add_pools(manager, pools, selects, concurrency=concurrency)


def _add_pools(
    manager: Manager,
    pools: AzureManagedMachinePoolReconciler,
    selects: Callable[[Object], bool],
    *,
    concurrency: int,
) -> None:
    seen = watches.Pools(pools)
    controller = manager.controller(
        "azuremanagedmachinepool", Selecting(pools, pools.objects.get, selects), concurrency=concurrency
    )
    controller.watch(pools.objects, partial(news.of_object, finalizers=True))
    controller.watch(pools.around.machine_pools, seen.owner_changed)
    controller.watch(pools.around.clusters, seen.cluster_changed)
    controller.watch(pools.around.planes, seen.control_plane_changed)
