"""Keeps the secret `<pool>-azure-json` for each pool: bootstrap data takes a file from it before the pool is made.

Those of machine templates are kept by `machines.files`, which finds their clusters another way.
"""

from __future__ import annotations

import abc
import datetime as dt
from collections.abc import Iterable
from typing import Generic, TypeVar

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster, MachinePool
from capipool.client.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.objects import Object, ObjectMeta, Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.identities.finding import Identities
from capipool.providers.azure.pools import cloudconfig
from capipool.providers.azure.pools.cloudconfig import Login
from capipool.runtime import reconcile
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import ProviderError
from capipool.sdk.inputs import SecretMeta, cluster_of_pool, is_paused, machine_pool_of

SUFFIX = "-azure-json"
AGAIN = dt.timedelta(seconds=30)
"""When to look again while the identity cannot be used."""
_WITH_SECRET = ("ServicePrincipal", "ManualServicePrincipal")


ObjectT = TypeVar("ObjectT", bound=Object)


class CloudConfigs(abc.ABC, Generic[ObjectT]):
    """Writes the secrets of one kind, and writes them anew when what they say changes. Each goes with its object."""

    def __init__(self, manager: Manager, identities: Identities, kind: type[ObjectT]) -> None:
        self._client: Client = manager.client
        self._identities = identities
        self.objects = manager.caches.of(kind)
        self._clusters = manager.caches.of(Cluster)
        self._azure_clusters = manager.caches.of(AzureCluster)
        self._cluster_identities = manager.caches.of(AzureClusterIdentity)
        self._secrets = manager.caches.of(SecretMeta)
        self._written: dict[ObjectKey, tuple[object, ...]] = {}

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch all that the files are made from."""
        controller.watch(self.objects, _object_changed)
        controller.watch(self._azure_clusters, self._fact_changed)
        controller.watch(self._clusters, self._fact_changed)
        controller.watch(self._cluster_identities, self._fact_changed)
        controller.watch(self._secrets, self._secret_changed)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Raises ApiError where only backoff helps."""
        obj = self.objects.get(key)
        if obj is None or obj.deleting:
            self._written.pop(key, None)
            return reconcile.DONE
        cluster = self._cluster(obj)
        facts = self._facts(cluster) if cluster is not None else None
        if cluster is None or facts is None or is_paused(obj, cluster):
            return reconcile.DONE  # its coming is watched
        try:
            caller = self._identities.of_cluster(facts)
        except ProviderError:
            return RequeueAfter(AGAIN)  # the pool's own condition says what is wrong
        there = self._secrets.get(ObjectKey(key.namespace, key.name + SUFFIX))
        made_from = (obj.metadata.generation, facts.metadata.generation, caller, there and there.metadata.uid)
        if there is not None and self._written.get(key) == made_from:
            return reconcile.DONE
        login = await self._login(facts)
        said = cloudconfig.files(
            self._pool(obj), facts, cluster_name=cluster.metadata.name, subscription=caller.subscription, login=login
        )
        written = await self._ensure(obj, cluster, said)
        self._written[key] = (*made_from[:-1], written.metadata.uid)
        return reconcile.DONE

    async def _ensure(self, obj: Object, cluster: Cluster, said: Raw) -> Secret:
        name, data = obj.metadata.name + SUFFIX, {key: text.encode() for key, text in said.items()}
        try:
            there = await self._client.get(Secret, name, obj.metadata.namespace)
        except errors.NotFound:
            return await self._client.create(_secret(obj, cluster, data))
        if {key: there.data.get(key) for key in data} == data:
            return there
        patch = {"data": objects.to_raw(_secret(obj, cluster, data))["data"]}
        return await self._client.patch(Secret, name, obj.metadata.namespace, patch=patch)

    async def _login(self, facts: AzureCluster) -> Login:
        """How the cluster's identity logs in; of one that needs no secret none is read."""
        reference = facts.spec.identity_ref
        if reference is None or not reference.name:
            return Login()
        key = ObjectKey(reference.namespace or facts.metadata.namespace, reference.name)
        identity = self._cluster_identities.get(key)
        if identity is None:
            return Login()
        spec, secret = identity.spec, ""
        if spec.type in _WITH_SECRET and spec.client_secret is not None:
            where = spec.client_secret
            try:
                found = await self._client.get(Secret, where.name, where.namespace or key.namespace)
                secret = found.data.get("clientSecret", b"").decode()
            except errors.NotFound:
                secret = ""
        return Login(spec.tenant_id, spec.client_id, secret)

    @abc.abstractmethod
    def _cluster(self, obj: ObjectT) -> Cluster | None:
        """The Cluster of an object."""

    @abc.abstractmethod
    def _pool(self, obj: ObjectT) -> AzureMachinePool:
        """The object in the words of a pool."""

    def _cluster_named(self, obj: ObjectT, name: str) -> Cluster | None:
        return self._clusters.get(ObjectKey(obj.metadata.namespace, name)) if name else None

    def _facts(self, cluster: Cluster) -> AzureCluster | None:
        reference = cluster.spec.infrastructure_ref
        if reference is None or reference.group_kind != AzureCluster.RESOURCE.group_kind:
            return None
        return self._azure_clusters.get(ObjectKey(cluster.metadata.namespace, reference.name))

    def _fact_changed(
        self,
        old: AzureCluster | Cluster | AzureClusterIdentity | None,
        new: AzureCluster | Cluster | AzureClusterIdentity | None,
    ) -> Iterable[ObjectKey]:
        """Such changes are rare: every object is looked at, and nothing written where nothing differs."""
        if new is None or (old is not None and old.metadata.generation == new.metadata.generation):
            return ()
        return [each.key for each in self.objects.list()]

    def _secret_changed(self, old: SecretMeta | None, new: SecretMeta | None) -> Iterable[ObjectKey]:
        """One of ours that somebody deleted, or the secret of an identity."""
        secret = new or old
        if secret is None or (old is not None and new is not None and _version(old) == _version(new)):
            return ()
        name, namespace = secret.metadata.name, secret.metadata.namespace
        if new is None and name.endswith(SUFFIX):
            return [ObjectKey(namespace, name.removesuffix(SUFFIX))]
        named = {i.spec.client_secret.name for i in self._cluster_identities.list() if i.spec.client_secret is not None}
        return [each.key for each in self.objects.list()] if name in named else ()


class CloudConfigReconciler(CloudConfigs[AzureMachinePool]):
    """The secrets of pools."""

    def __init__(self, manager: Manager, identities: Identities) -> None:
        super().__init__(manager, identities, AzureMachinePool)
        self._machine_pools = manager.caches.of(MachinePool)

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch all that the files are made from, and whose a pool is."""
        super().add_to(controller)
        controller.watch(self._machine_pools, self._machine_pool_changed)

    def _pool(self, obj: AzureMachinePool) -> AzureMachinePool:
        return obj

    def _cluster(self, obj: AzureMachinePool) -> Cluster | None:
        return cluster_of_pool(obj, machine_pool_of(obj, self._machine_pools), self._clusters)

    def _machine_pool_changed(self, old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and old.spec.cluster_name == new.spec.cluster_name):
            return ()
        reference = new.spec.template.spec.infrastructure_ref
        same = reference.group_kind == AzureMachinePool.RESOURCE.group_kind
        return [ObjectKey(new.metadata.namespace, reference.name)] if same else ()


def _version(secret: SecretMeta) -> str:
    return secret.metadata.resource_version


def _object_changed(old: Object | None, new: Object | None) -> Iterable[ObjectKey]:
    if new is None:
        return [old.key] if old is not None else ()
    owners = new.metadata.owner_references
    same = old is not None and old.metadata.generation == new.metadata.generation
    return () if same and old is not None and old.metadata.owner_references == owners else [new.key]


def _secret(obj: Object, cluster: Cluster, data: dict[str, bytes]) -> Secret:
    owner = objects.owner_reference(obj, controller=True)
    meta = ObjectMeta(
        name=obj.metadata.name + SUFFIX,
        namespace=obj.metadata.namespace,
        labels={Label.CLUSTER_NAME: cluster.metadata.name},
        owner_references=(owner,),
    )
    return objects.new(Secret, metadata=meta, data=data)
