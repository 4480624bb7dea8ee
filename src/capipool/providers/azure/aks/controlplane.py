"""Reconciles AzureManagedControlPlanes: reads the AKS cluster that they name, and keeps its kubeconfigs fresh.

Used by `setup`. Makes, changes and deletes nothing in Azure: the cluster is somebody else's.
"""

from __future__ import annotations

import datetime as dt
from typing import ClassVar

from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.providers.azure.aks import deciding, facts, kubeconfigs, places
from capipool.providers.azure.aks.cloud import AKS
from capipool.providers.azure.aks.deciding import Plan
from capipool.providers.azure.aks.facts import AKSCluster
from capipool.providers.azure.aks.places import ClusterPlace
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.identities.finding import Identities
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.sdk import Intervals, ProviderError, writes
from capipool.sdk import kubeconfigs as secrets
from capipool.sdk.inputs import SecretMeta, cluster_of
from capipool.sdk.managed import planes
from capipool.workload.connections import KUBECONFIG_KEY

RENEW = dt.timedelta(minutes=4)
"""A token is replaced so long before its end: the library gives another in the last five minutes alone."""
_LEAST = dt.timedelta(seconds=10)


class AzureManagedControlPlaneReconciler(planes.Reader[AzureManagedControlPlane]):
    """Takes an AzureManagedControlPlane to what its cluster is."""

    finalizer: ClassVar = "azuremanagedcontrolplane.infrastructure.cluster.x-k8s.io"

    def __init__(
        self, manager: Manager, aks: AKS, identities: Identities, *, intervals: Intervals = planes.INTERVALS
    ) -> None:
        super().__init__(manager, AzureManagedControlPlane, intervals)
        self._aks = aks
        self._identities = identities
        self.pools = manager.caches.of(AzureManagedMachinePool)
        self.identities = manager.caches.of(AzureClusterIdentity)
        self.secrets = manager.caches.of(SecretMeta)

    async def _look(self, obj: AzureManagedControlPlane, cluster: Cluster) -> dt.timedelta | None:
        place = places.of_cluster(obj, self._identities)
        body = await self._aks.cluster(place)
        if body is None:
            await self._write(obj, deciding.missing(obj, self._clock.now()))
            return self._converging
        found = facts.read(body)
        left = self._rest if found.state == "Succeeded" else self._converging
        if found.up:
            left = min(left, await self._keep_kubeconfig(obj, cluster, found, place))
            await self._keep_people_kubeconfig(obj, cluster, found, place)
        plan = deciding.decide(obj, found, self._clock.now(), initialized=found.up)
        await self._write(obj, plan)
        return left

    async def _fail(self, obj: AzureManagedControlPlane, error: ProviderError) -> None:
        if not error.quiet:
            await self._write(obj, deciding.failed(obj, error, self._clock.now()))

    # --- kubeconfigs

    async def _keep_kubeconfig(
        self, obj: AzureManagedControlPlane, cluster: Cluster, found: AKSCluster, place: ClusterPlace
    ) -> dt.timedelta:
        """The secret for controllers. Returns when it is to be replaced.

        A secret of that name that a person made is left alone. Certificates are read anew at each look: they can be
        rotated at any time.
        """
        present = await secrets.find(self._client, cluster)
        if present is not None and not secrets.is_kept_by(present, obj):
            return self._rest
        config, left = await self._aks.kubeconfig(place, admin=found.local_accounts), self._rest
        if not found.local_accounts:
            token = await self._aks.token(place.caller)
            config = kubeconfigs.with_token(config, token.text, name=found.name)
            left = max(token.expires - RENEW - self._clock.now(), _LEAST)
        await secrets.store(self._client, secrets.secret(obj, cluster, {KUBECONFIG_KEY: config}), present)
        return left

    async def _keep_people_kubeconfig(
        self, obj: AzureManagedControlPlane, cluster: Cluster, found: AKSCluster, place: ClusterPlace
    ) -> None:
        """The secret for people, as upstream has it: where they come as who they are in Entra ID."""
        if not found.entra:
            return
        present = await secrets.find(self._client, cluster, people=True)
        if present is None or secrets.is_kept_by(present, obj):
            config = await self._aks.kubeconfig(place, admin=False)
            wanted = secrets.secret(obj, cluster, {KUBECONFIG_KEY: config}, people=True)
            await secrets.store(self._client, wanted, present)

    # --- the object itself

    async def _release(self, obj: AzureManagedControlPlane) -> Result:
        """The secrets go with the object that owns them. Not before its pools: it alone says where those are."""
        cluster = cluster_of(obj, self.clusters)
        name = cluster.metadata.name if cluster is not None else obj.metadata.labels.get(Label.CLUSTER_NAME, "")
        if any(p.metadata.labels.get(Label.CLUSTER_NAME) == name for p in self.pools.list(obj.metadata.namespace)):
            return RequeueAfter(self._converging)
        said = f"the AKS cluster {obj.metadata.name} is left as it is: capipool deletes no cluster of AKS"
        self._events.event(obj, "Normal", "AKSClusterKept", said)
        await writes.remove_finalizer(self._client, obj, self.finalizer)
        return DONE

    async def _write(self, obj: AzureManagedControlPlane, plan: Plan) -> None:
        await writes.bring(self._client, obj, spec=plan.spec, annotations=plan.annotations, status=plan.status)
