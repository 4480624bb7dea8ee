"""What the composition root takes from the development provider to run it: its controllers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool import sdk
from capipool.api import labels
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
from capipool.sdk import news
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
    controller.watch(clusters.objects, news.of_object)
    controller.watch(clusters.clusters, news.infrastructure_of(DevCluster))
    controller.watch(manager.caches.of(SecretMeta), _secret_changed)


def _secret_changed(old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
    """A kubeconfig that somebody changed or deleted is made anew."""
    secret = new or old
    if secret is None:
        return ()
    ours = (o for o in secret.metadata.owner_references if o.group_kind == DevCluster.RESOURCE.group_kind)
    return [ObjectKey(secret.metadata.namespace, owner.name) for owner in ours]
