"""Which changes are news for which AWSManagedMachinePool, and its controller. Pure but for looks into caches."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool.api import labels
from capipool.api.core import Cluster, MachinePool
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.calls import Calls
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.eks.nodegroups.reconciler import INTERVALS, AWSManagedMachinePoolReconciler
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals, intents
from capipool.sdk.inputs import SecretMeta
from capipool.sdk.managed import pools as managed


def setup(
    manager: Manager,
    calls: Calls,
    *,
    region: str = "",
    intervals: Intervals | None = None,
    concurrency: int = 20,
    watch_filter: str = "",
) -> None:
    """Add the controller of AWSManagedMachinePools to a manager. `region` is for clusters that name none."""
    pools = AWSManagedMachinePoolReconciler(manager, calls, default_region=region, intervals=intervals or INTERVALS)
    news, selects = News(pools), partial(labels.selects, watch_filter)
    controller = manager.controller(
        "awsmanagedmachinepool", Selecting(pools, pools.objects.get, selects), concurrency=concurrency
    )
    controller.watch(pools.objects, news.object_changed)
    controller.watch(pools.around.machine_pools, news.owner_changed)
    controller.watch(pools.around.clusters, news.cluster_changed)
    controller.watch(pools.around.planes, news.control_plane_changed)
    controller.watch(pools.keeper.templates.secrets, news.secret_changed)


class News:
    """News for AWSManagedMachinePools."""

    def __init__(self, pools: AWSManagedMachinePoolReconciler) -> None:
        self._around = pools.around

    def object_changed(
        self, old: AWSManagedMachinePool | None, new: AWSManagedMachinePool | None
    ) -> Iterable[ObjectKey]:
        """Its own status is written here, and is no news."""
        if new is None:
            return ()
        return () if old is not None and intents.of_object(old) == intents.of_object(new) else [new.key]

    def owner_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        """A MachinePool that wants another number, version, boot data or scaler."""
        if new is None or (old is not None and intents.of_machine_pool(old) == intents.of_machine_pool(new)):
            return ()
        return self._around.pool_of(new)

    def cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        """A Cluster that comes, is paused, or goes on."""
        if new is None or (old is not None and _facts(old) == _facts(new)):
            return ()
        return self._around.pools_of(new.key)

    def control_plane_changed(
        self, old: AWSManagedControlPlane | None, new: AWSManagedControlPlane | None
    ) -> Iterable[ObjectKey]:
        """A control plane that is ready, has another version, network or identity."""
        if new is None or (old is not None and _shown(old) == _shown(new)):
            return ()
        namespace = new.metadata.namespace
        return [
            key
            for owner in new.metadata.owner_references
            for key in self._around.pools_of(ObjectKey(namespace, owner.name))
        ]

    def secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        """Boot data that came, or is another."""
        secret = new or old
        if secret is None:
            return ()
        pools = self._around.machine_pools.list(secret.metadata.namespace)
        named = secret.metadata.name
        those = (p for p in pools if p.spec.template.spec.bootstrap.data_secret_name == named)
        return [key for pool in those for key in self._around.pool_of(pool)]


def _facts(cluster: Cluster) -> tuple[object, ...]:
    return (cluster.metadata.uid, cluster.spec.paused, cluster.spec.control_plane_ref)


def _shown(obj: AWSManagedControlPlane) -> tuple[object, ...]:
    owners = tuple(owner.uid for owner in obj.metadata.owner_references)
    status = obj.status
    return (obj.spec, owners, status.ready, status.version, status.network_status, managed.waits_for(obj))
