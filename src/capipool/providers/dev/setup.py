"""What the composition root takes from the development provider to run it: its controllers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool import sdk
from capipool.api import labels
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.cloud import Cloud
from capipool.providers.dev.cluster import DevClusterReconciler
from capipool.providers.dev.kubelets import Kubelets
from capipool.providers.dev.machine import DevMachineReconciler
from capipool.providers.dev.provider import DevPoolProvider
from capipool.providers.dev.spaces import WorkloadSpaces
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk.inputs import SecretMeta
from capipool.workload.connections import Connections


def setup(
    manager: Manager,
    connections: Connections,
    spaces: WorkloadSpaces,
    *,
    machine_pools: bool = True,
    watch_filter: str = "",
    concurrency: int = 20,
) -> None:
    """Add the development cloud to a manager: its own machinery, and the controllers of its provider.

    Without `machine_pools` (the feature gate) the cloud goes on with the instances it has, and nobody changes a pool.
    With `watch_filter` the controllers see to objects alone that carry it as a label; the cloud itself knows no filter.
    """
    selects = partial(labels.selects, watch_filter)
    cloud = Cloud(manager)
    cloud.add_to(manager.controller("devscalinggroup", cloud, concurrency=concurrency))
    if machine_pools:
        sdk.setup(manager, connections, DevPoolProvider(manager), concurrency=concurrency, watch_filter=watch_filter)
    manager.add_task("simulated kubelets", Kubelets(manager, connections).run)
    machines = DevMachineReconciler(manager)
    selecting = Selecting(machines, machines.objects.get, selects)
    machines.add_to(manager.controller("devmachine", selecting, concurrency=concurrency))
    clusters = DevClusterReconciler(manager, connections, spaces)
    selecting = Selecting(clusters, clusters.objects.get, selects)
    controller = manager.controller("devcluster", selecting, concurrency=4)
    controller.watch(clusters.objects, _cluster_changed)
    controller.watch(clusters.clusters, _owner_changed)
    controller.watch(manager.caches.of(SecretMeta), _secret_changed)


def _cluster_changed(old: DevCluster | None, new: DevCluster | None) -> Iterable[ObjectKey]:
    """Its own status is written here, and is no news."""
    if new is None:
        return ()
    return () if old is not None and _facts(old) == _facts(new) else [new.key]


def _facts(obj: DevCluster) -> tuple[object, ...]:
    meta = obj.metadata
    return (meta.uid, obj.spec, meta.annotations, meta.deletion_timestamp, meta.owner_references)


def _owner_changed(old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
    """A Cluster that comes, is paused, or goes on."""
    if new is None or new.spec.infrastructure_ref is None:
        return ()
    if old is not None and (old.spec.paused, old.spec.infrastructure_ref) == (
        new.spec.paused,
        new.spec.infrastructure_ref,
    ):
        return ()
    reference = new.spec.infrastructure_ref
    same = reference.group_kind == DevCluster.RESOURCE.group_kind
    return [ObjectKey(new.metadata.namespace, reference.name)] if same else ()


def _secret_changed(old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
    """A kubeconfig that somebody changed or deleted is made anew."""
    secret = new or old
    if secret is None:
        return ()
    ours = (o for o in secret.metadata.owner_references if o.group_kind == DevCluster.RESOURCE.group_kind)
    return [ObjectKey(secret.metadata.namespace, owner.name) for owner in ours]
