"""Which changes are news for which object of AKS. Pure but for looks into caches."""

from __future__ import annotations

from collections.abc import Iterable

from capipool.api.core import Cluster, MachinePool
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.aks.controlplane import AzureManagedControlPlaneReconciler
from capipool.providers.azure.aks.managedcluster import AzureManagedClusterReconciler
from capipool.providers.azure.aks.pools.reconciler import AzureManagedMachinePoolReconciler
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.managedcluster import AzureManagedCluster
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.identities.finding import identity_of, secret_key
from capipool.runtime.cache import Cache
from capipool.sdk import news
from capipool.sdk.inputs import SecretMeta
from capipool.sdk.managed import pools as managed


class ControlPlanes:
    """News for AzureManagedControlPlanes."""

    def __init__(self, planes: AzureManagedControlPlaneReconciler) -> None:
        self._planes = planes

    def pool_changed(
        self, old: AzureManagedMachinePool | None, new: AzureManagedMachinePool | None
    ) -> Iterable[ObjectKey]:
        """A pool that is gone: its control plane may have waited for that."""
        if new is not None or old is None:
            return ()
        return [p.key for p in self._planes.objects.list(old.metadata.namespace) if p.deleting]

    def identity_changed(
        self, old: AzureClusterIdentity | None, new: AzureClusterIdentity | None
    ) -> Iterable[ObjectKey]:
        """An identity that came, or lets other namespaces use it."""
        if new is None or (old is not None and old.spec == new.spec):
            return ()
        return self._users(new)

    def secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        """The secret of an identity that came, or changed."""
        if new is None or (old is not None and old.metadata.resource_version == new.metadata.resource_version):
            return ()
        return [k for i in self._planes.identities.list() if secret_key(i) == new.key for k in self._users(i)]

    def _users(self, identity: AzureClusterIdentity) -> list[ObjectKey]:
        return [obj.key for obj in self._planes.objects.list() if identity_of(obj) == identity.key]


class Clusters:
    """News for AzureManagedClusters."""

    def __init__(self, clusters: AzureManagedClusterReconciler) -> None:
        self._clusters = clusters

    def control_plane_changed(
        self, old: AzureManagedControlPlane | None, new: AzureManagedControlPlane | None
    ) -> Iterable[ObjectKey]:
        """The endpoint is shown by the AzureManagedCluster, too."""
        return [
            key
            for owner in _owners(old, new, self._clusters.clusters)
            for key in news.infrastructure(owner, AzureManagedCluster)
        ]


class Pools:
    """News for AzureManagedMachinePools."""

    def __init__(self, pools: AzureManagedMachinePoolReconciler) -> None:
        self._around = pools.around

    def owner_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        """A MachinePool that wants another number, version or scaler."""
        if new is None or (old is not None and _wish(old) == _wish(new)):
            return ()
        return self._around.pool_of(new)

    def cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        """A Cluster that comes, goes, is paused, or goes on."""
        return self._around.pools_of(new.key) if new is not None and _is_news(old, new) else ()

    def control_plane_changed(
        self, old: AzureManagedControlPlane | None, new: AzureManagedControlPlane | None
    ) -> Iterable[ObjectKey]:
        """A control plane that is ready, has another version, or another identity."""
        return [key for owner in _owners(old, new, self._around.clusters) for key in self._around.pools_of(owner.key)]


def _owners(
    old: AzureManagedControlPlane | None, new: AzureManagedControlPlane | None, clusters: Cache[Cluster]
) -> list[Cluster]:
    """The Clusters that a control plane is of, if it says something else than before."""
    if new is None or (old is not None and _shown(old) == _shown(new)):
        return []
    keys = (ObjectKey(new.metadata.namespace, owner.name) for owner in new.metadata.owner_references)
    return [found for key in keys if (found := clusters.get(key)) is not None]


def _is_news(old: Cluster | None, new: Cluster | None) -> bool:
    return new is not None and (old is None or _facts(old) != _facts(new))


def _facts(cluster: Cluster) -> tuple[object, ...]:
    meta, spec = cluster.metadata, cluster.spec
    return (meta.uid, spec.paused, spec.infrastructure_ref, spec.control_plane_ref, meta.deletion_timestamp)


def _shown(obj: AzureManagedControlPlane) -> tuple[object, ...]:
    owners = tuple(o.uid for o in obj.metadata.owner_references)
    status = obj.status
    said = (status.ready, status.version, status.auto_upgrade_version, managed.waits_for(obj))
    return (obj.spec, obj.metadata.annotations, owners, *said)


def _wish(pool: MachinePool) -> tuple[object, ...]:
    meta, spec = pool.metadata, pool.spec
    return (meta.uid, spec.replicas, spec.template.spec.version, meta.annotations, meta.deletion_timestamp)
