"""What the composition root takes of Azure's pools to run them: their controllers."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from capipool import sdk
from capipool.api import labels
from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.identities.news import IdentityNews
from capipool.providers.azure.pools.provider import AzurePoolProvider
from capipool.providers.azure.pools.secrets import CloudConfigReconciler
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk import Intervals
from capipool.sdk.inputs import SecretMeta
from capipool.workload.connections import Connections


class Facts:
    """Which pools depend on an AzureCluster, or its identity: a change is no reason to wait for the next look."""

    def __init__(self, manager: Manager) -> None:
        self.objects = manager.caches.of(AzureCluster)
        self.identities = IdentityNews(manager.caches)
        self._clusters = manager.caches.of(Cluster)
        self._pools = manager.caches.of(AzureMachinePool)

    def changed(self, old: AzureCluster | None, new: AzureCluster | None) -> Iterable[ObjectKey]:
        """The pools of its clusters, if what it says has changed."""
        return self._pools_of(new) if new is not None and (old is None or old.spec != new.spec) else ()

    def identity_changed(
        self, old: AzureClusterIdentity | None, new: AzureClusterIdentity | None
    ) -> Iterable[ObjectKey]:
        """The pools of the clusters that are called for with it."""
        return [key for cluster in self.identities.of_identity(old, new) for key in self._pools_of(cluster)]

    def secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        """The same for an identity's Secret."""
        return [key for cluster in self.identities.of_secret(old, new) for key in self._pools_of(cluster)]

    def _pools_of(self, new: AzureCluster) -> list[ObjectKey]:
        namespace, kind = new.metadata.namespace, AzureCluster.RESOURCE.group_kind
        references = {c.metadata.name: c.spec.infrastructure_ref for c in self._clusters.list(namespace)}
        names = {name for name, r in references.items() if r and (r.group_kind, r.name) == (kind, new.metadata.name)}
        pools = self._pools.list(namespace)
        return [pool.key for pool in pools if pool.metadata.labels.get(Label.CLUSTER_NAME) in names]


def setup(
    manager: Manager,
    connections: Connections,
    calls: Calls,
    identities: Identities,
    *,
    concurrency: int = 20,
    watch_filter: str = "",
    intervals: Intervals | None = None,
) -> None:
    """Add the controllers of AzureMachinePool to a manager. `calls` must have `identities.credential`.

    `intervals` is for who cannot wait: how often Azure is asked.
    """
    provider = AzurePoolProvider(manager, calls, identities, intervals=intervals)
    controller = sdk.setup(manager, connections, provider, concurrency=concurrency, watch_filter=watch_filter)
    manager.caches.of(AzureMachinePool).subscribe(partial(_forget_gone, provider))
    facts = Facts(manager)
    controller.watch(facts.objects, facts.changed)
    controller.watch(facts.identities.identities, facts.identity_changed)
    controller.watch(facts.identities.secrets, facts.secret_changed)
    files = CloudConfigReconciler(manager, identities)
    selecting = Selecting(files, files.objects.get, partial(labels.selects, watch_filter))
    files.add_to(manager.controller("azuremachinepool-files", selecting, concurrency=4))


def _forget_gone(provider: AzurePoolProvider, old: AzureMachinePool | None, new: AzureMachinePool | None) -> None:
    """Whoever lets an object go, also a person who takes its finalizer off."""
    if old is not None and (new is None or new.metadata.uid != old.metadata.uid):
        provider.gone(old)
