"""Reconciles AzureClusters as facts: the network and the endpoint are taken as they are, never made.

Used by `setup`. What the spec gives is taken; the endpoint may also come by the Cluster or its kubeconfig, and
zones are those that Azure has machines in. Pools and machines find the network by its names, which admission fills in.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from capipool.api import labels
from capipool.api.core import Cluster
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.machine import AzureMachine
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller, Calls
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.identities.news import IdentityNews
from capipool.providers.azure.pools import comparing, resolving
from capipool.runtime import reconcile
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import PermissionDenied, ProviderError, conditions, kubeconfigs, news, writes
from capipool.sdk.inputs import SecretMeta, cluster_of, is_paused
from capipool.sdk.keeping import Remains
from capipool.workload.connections import kubeconfig_secret_name

FINALIZER = "azurecluster.infrastructure.cluster.x-k8s.io"
"""Upstream's. An AzureCluster stays until its pools and machines are gone: it says where they are, and who calls."""
AGAIN = dt.timedelta(seconds=20)
"""When to look again for what is missing."""
_STRANGERS = ("ClientAuthenticationError", "CredentialUnavailableError")
"""What Azure's library raises for who is nobody, as against who may not."""
_KUBECONFIG = kubeconfig_secret_name("")
OUT_OF_SCOPE = "capipool makes no network, subnet, security group or load balancer: it takes those that are there"


class AzureClusterReconciler:
    """Takes an AzureCluster to its facts. There is nothing to delete in Azure: nothing was made."""

    def __init__(self, manager: Manager, calls: Calls, identities: Identities, *, again: dt.timedelta = AGAIN) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._calls = calls
        self._identities = identities
        self._again = again
        self.objects = manager.caches.of(AzureCluster)
        self.clusters = manager.caches.of(Cluster)
        self._news = IdentityNews(manager.caches)
        self._remains = Remains(manager.caches, (AzureMachinePool, AzureMachine))

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch everything that concerns clusters."""
        controller.watch(self.objects, news.of_object)
        controller.watch(self.clusters, news.infrastructure_of(AzureCluster))
        controller.watch(self._news.identities, self._identity_changed)
        controller.watch(self._news.secrets, self._secret_changed)
        self._remains.watch(controller, self.objects)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat; an object that somebody else manages is left alone."""
        obj = self.objects.get(key)
        if obj is None or labels.is_externally_managed(obj.metadata.annotations):
            return reconcile.DONE
        cluster = cluster_of(obj, self.clusters)
        if is_paused(obj, cluster):
            return reconcile.DONE
        if obj.deleting:
            return await self._release(obj)
        if cluster is None:
            return reconcile.DONE
        if FINALIZER not in obj.metadata.finalizers:
            await writes.set_finalizers(self._client, obj, [*obj.metadata.finalizers, FINALIZER])
            return RequeueAfter(dt.timedelta(0))
        endpoint = await self._endpoint(obj, cluster)
        if not endpoint:
            secret = kubeconfig_secret_name(cluster.metadata.name)
            missing = f"where the API server is must be given: by spec.controlPlaneEndpoint, or by the Secret {secret}"
            await self._fail(obj, "ClusterFactsMissing", missing)
            return RequeueAfter(self._again)
        try:
            zones = await self._zones(obj, self._identities.of_cluster(obj))
        except ProviderError as error:
            await self._fail(obj, error.reason, str(error))
            return RequeueAfter(error.delay or self._again)
        if not obj.spec.control_plane_endpoint.host:
            await writes.bring(self._client, obj, spec={"controlPlaneEndpoint": endpoint})
        await writes.bring(self._client, obj, status=self._status(obj) | {"ready": True, "failureDomains": zones})
        return reconcile.DONE

    async def _release(self, obj: AzureCluster) -> Result:
        """Let the object go once nothing of its cluster is left; what goes last is watched."""
        if FINALIZER not in obj.metadata.finalizers:
            return reconcile.DONE
        if waits := self._remains.waits_for(obj):
            await self._fail(obj, "Deleting", waits, severity=conditions.INFO)
        else:
            await writes.remove_finalizer(self._client, obj, FINALIZER)
        return reconcile.DONE

    async def _endpoint(self, obj: AzureCluster, cluster: Cluster) -> Raw:
        """Where the API server is: by this object, by its Cluster, or by the cluster's kubeconfig; empty: unknown."""
        for known in (obj.spec.control_plane_endpoint, cluster.spec.control_plane_endpoint):
            if known.host:
                return {"host": known.host, "port": known.port or 6443}
        return await kubeconfigs.endpoint(self._client, cluster)

    async def _zones(self, obj: AzureCluster, caller: Caller) -> Raw:
        """The failure domains: the spec's, else the zones of the region. They do not change, and are asked for once.

        The list that Azure answers with is long. Who may not read it has no zones, as in regions without any.
        """
        if obj.spec.failure_domains:
            return {name: objects.part_to_raw(domain) for name, domain in obj.spec.failure_domains.items()}
        if obj.status.ready:
            return {name: objects.part_to_raw(domain) for name, domain in obj.status.failure_domains.items()}
        place = comparing.location(obj.spec.location)
        try:
            listed = await self._calls.pages(caller, "resource_skus.list", filter=f"location eq '{place}'")
        except PermissionDenied as error:
            if type(error.__cause__).__name__ in _STRANGERS:
                raise
            return {}
        zones = {zone for size in resolving.sizes(listed, place) for zone in size.zones}
        return {zone: {"controlPlane": True} for zone in sorted(zones)}

    # --- what is written

    async def _fail(self, obj: AzureCluster, reason: str, message: str, *, severity: str = conditions.WARNING) -> None:
        status = self._status(obj, reason=reason, message=message, severity=severity)
        await writes.bring(self._client, obj, status=status)

    def _status(
        self, obj: AzureCluster, *, reason: str = "", message: str = "", severity: str = conditions.WARNING
    ) -> Raw:
        """`ready` once is ready for good."""
        about = {"reason": reason, "message": message, "severity": severity}
        wanted = [
            conditions.condition("Ready", not reason, **about),
            conditions.condition("NetworkInfrastructureReady", not reason, **about),
            conditions.condition("NetworkCreated", False, reason="OutOfScope", message=OUT_OF_SCOPE),
        ]
        return {"conditions": conditions.merged(obj.status.conditions, wanted, self._clock.now())}

    # --- what is news

    def _identity_changed(
        self, old: AzureClusterIdentity | None, new: AzureClusterIdentity | None
    ) -> Iterable[ObjectKey]:
        """Who waits for it goes on."""
        return [each.key for each in self._news.of_identity(old, new)]

    def _secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        """The secret of an identity; the kubeconfig of a cluster that came, which names its endpoint."""
        keys = [each.key for each in self._news.of_secret(old, new)]
        if old is None and new is not None and new.metadata.name.endswith(_KUBECONFIG):
            cluster = self.clusters.get(ObjectKey(new.metadata.namespace, new.metadata.name.removesuffix(_KUBECONFIG)))
            keys += news.infrastructure(cluster, AzureCluster)
        return keys
