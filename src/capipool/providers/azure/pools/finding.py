"""Finds where a pool's scale set is, who calls Azure for it, and the facts of its cluster. Reads caches only."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure import ids
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.pools.model import Scope
from capipool.providers.azure.pools.place import Place, resource_group, scale_set_name
from capipool.runtime.cache import Caches
from capipool.sdk import InvalidConfiguration, Pool, ProviderError

PLACE = "capipool.io/azure-scale-set"
"""Annotation: the resource ID of the scale set. Written before that is made, so that it can always be deleted."""


class Finding:
    """Places of pools. Every method raises InvalidConfiguration and PermissionDenied, unless it says otherwise."""

    def __init__(self, caches: Caches, identities: Identities) -> None:
        self._azure_clusters = caches.of(AzureCluster)
        self._clusters = caches.of(Cluster)
        self._identities = identities

    def scope(self, pool: Pool[AzureMachinePool]) -> Scope:
        """What the model of a pool's scale set depends on."""
        cluster = self._azure_cluster(pool)
        return Scope(
            pool=pool.object,
            cluster=cluster,
            cluster_name=pool.cluster.metadata.name,
            subscription=self._identities.of_cluster(cluster).subscription,
            zones=tuple(sorted(pool.failure_domains)),
        )

    def place(self, pool: Pool[AzureMachinePool], *, anew: bool = False) -> Place:
        """Where the scale set is: where it was made, else where the cluster is now.

        `anew`: it is not where it was noted, so that one that was never made is made where the cluster is now.
        """
        cluster = self._azure_cluster(pool)
        caller = self._identities.of_cluster(cluster)
        known = self.noted(pool.object) if pool.object.spec.provider_id or not anew else None
        if known is not None:
            return Place(Caller(known.subscription, caller.environment, caller.identity), known)
        group = resource_group(cluster, pool.cluster.metadata.name)
        return Place(caller, ids.ScaleSetID(caller.subscription, group, scale_set_name(pool.object)))

    def of_object(self, obj: AzureMachinePool) -> Place | None:
        """The same by the object alone, None where nothing was ever made. Raises nothing.

        Without its cluster, or where that is no use, the process's own identity calls.
        """
        known = self.noted(obj)
        if known is None:
            return None
        cluster = self._cluster_of(obj)
        if cluster is None:
            return Place(Caller(known.subscription), known)
        try:
            caller = self._identities.of_cluster(cluster)
        except ProviderError:
            return Place(Caller(known.subscription), known)
        return Place(Caller(known.subscription, caller.environment, caller.identity), known)

    def noted(self, obj: AzureMachinePool) -> ids.ScaleSetID | None:
        """Where its scale set was made, or was about to be; None where it never was. Raises nothing."""
        return ids.ScaleSetID.parse(obj.metadata.annotations.get(PLACE, "") or obj.spec.provider_id)

    def _azure_cluster(self, pool: Pool[AzureMachinePool]) -> AzureCluster:
        """The facts of the cluster. Raises InvalidConfiguration where it is not one in Azure."""
        reference = pool.cluster.spec.infrastructure_ref
        if reference is None or reference.group_kind != AzureCluster.RESOURCE.group_kind:
            kind = reference.kind if reference is not None else "nothing"
            detail = "must be an AzureCluster: it says where scale sets are, and who calls for them"
            raise InvalidConfiguration("spec.infrastructureRef of the Cluster", detail=detail, value=kind)
        found = self._azure_clusters.get(ObjectKey(pool.cluster.metadata.namespace, reference.name))
        if found is None:
            detail = f"there is no AzureCluster {reference.name}"
            raise InvalidConfiguration("spec.infrastructureRef of the Cluster", detail=detail)
        return found

    def _cluster_of(self, obj: AzureMachinePool) -> AzureCluster | None:
        namespace, name = obj.metadata.namespace, obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        cluster = self._clusters.get(ObjectKey(namespace, name)) if name else None
        if cluster is not None and (reference := cluster.spec.infrastructure_ref) is not None:
            name = reference.name if reference.group_kind == AzureCluster.RESOURCE.group_kind else ""
        return self._azure_clusters.get(ObjectKey(namespace, name)) if name else None
