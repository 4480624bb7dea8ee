"""What a pool is reconciled from: its MachinePool, Cluster and bootstrap data, read from the management cluster.

Used by `sdk.reconciler`. What is missing is no error but a `Wait`, which says so to whoever looks at the object.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from typing import ClassVar, Generic, TypeVar

from capipool.api.builtin import Secret
from capipool.api.constants import GROUP, Annotation, Label, Reason
from capipool.api.core import Cluster, MachinePool
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime.cache import Cache, Caches
from capipool.sdk import revision
from capipool.sdk.engine.plan import Wait
from capipool.sdk.provider import BootstrapData, Launch, Pool, PoolProvider

ObjectT = TypeVar("ObjectT", bound=Object)

DATA_KEY = "value"
FORMAT_KEY = "format"
_REMEMBERED = 4096
"""Digests of bootstrap data kept, each by the version of its secret."""


class SecretMeta(Object):
    """A secret without what is in it: enough to notice that it changed, and nothing that may leak."""

    RESOURCE: ClassVar = Resource("", "v1", "Secret", "secrets")


@dataclass(frozen=True, slots=True)
class Found(Generic[ObjectT]):
    """A pool with all it needs."""

    pool: Pool[ObjectT]
    launch: Launch


class Inputs(Generic[ObjectT]):
    """Reads what pools of one kind are made from."""

    def __init__(self, provider: PoolProvider[ObjectT], client: Client, caches: Caches) -> None:
        self._provider = provider
        self._client = client
        self.machine_pools = caches.of(MachinePool)
        self.clusters = caches.of(Cluster)
        self.secrets = caches.of(SecretMeta)
        self._digests: OrderedDict[tuple[str, str], str] = OrderedDict()

    def owner(self, obj: ObjectT) -> MachinePool | None:
        """The MachinePool that owns the object."""
        return machine_pool_of(obj, self.machine_pools)

    def cluster(self, obj: ObjectT, owner: MachinePool | None = None) -> Cluster | None:
        """The Cluster that the object belongs to: its MachinePool says so, or its label."""
        return cluster_of_pool(obj, owner, self.clusters)

    async def find(self, pool: Pool[ObjectT]) -> Found[ObjectT] | Wait:
        """The pool with what its instances boot from, or what is missing. Raises ApiError."""
        if not pool.cluster.status.initialization.infrastructure_provisioned:
            said = f"the infrastructure of cluster {pool.cluster.metadata.name} is not provisioned yet"
            return Wait(Reason.WAITING_FOR_CLUSTER_INFRASTRUCTURE_READY, said)
        name = pool.machine_pool.spec.template.spec.bootstrap.data_secret_name
        if not name:
            owner = pool.machine_pool.metadata.name
            return Wait(Reason.WAITING_FOR_BOOTSTRAP_DATA, f"MachinePool {owner} has no bootstrap data yet")
        secret = self.secrets.get(ObjectKey(pool.object.metadata.namespace, name))
        if secret is None:
            return Wait(Reason.WAITING_FOR_BOOTSTRAP_DATA, f"the bootstrap data secret {name} does not exist yet")
        return Found(pool, await self._launch(pool, secret))

    async def _launch(self, pool: Pool[ObjectT], secret: SecretMeta) -> Launch:
        content = self._provider.launch_content(pool)
        digest = secret.metadata.annotations.get(revision.DIGEST_ANNOTATION) or await self._digest(secret)
        return Launch(
            revision=revision.revision(content, version=pool.version, bootstrap_digest=digest),
            bootstrap_version=f"{secret.metadata.uid}/{secret.metadata.resource_version}",
            read_bootstrap=lambda: self._read(secret.key),
        )

    async def _digest(self, secret: SecretMeta) -> str:
        """The digest of data from a bootstrap provider that does not say it; read once for each version."""
        version = (secret.metadata.uid, secret.metadata.resource_version)
        if (known := self._digests.get(version)) is not None:
            return known
        data = await self._read(secret.key)
        made = self._digests[version] = revision.bootstrap_digest(data.data, data.format)
        if len(self._digests) > _REMEMBERED:
            self._digests.popitem(last=False)
        return made

    async def _read(self, key: ObjectKey) -> BootstrapData:
        secret = await self._client.get(Secret, key.name, key.namespace)
        if DATA_KEY not in secret.data:
            raise errors.NotFound(f"the bootstrap data secret {key.name} has no key {DATA_KEY!r}")
        return BootstrapData(secret.data[DATA_KEY], secret.data.get(FORMAT_KEY, b"cloud-config").decode())


def machine_pool_of(obj: Object, machine_pools: Cache[MachinePool]) -> MachinePool | None:
    """The MachinePool that owns a provider's pool; None until it does."""
    for reference in obj.metadata.owner_references:
        if reference.group_kind == (GROUP, MachinePool.RESOURCE.kind):
            return machine_pools.get(ObjectKey(obj.metadata.namespace, reference.name))
    return None


def cluster_of_pool(obj: Object, owner: MachinePool | None, clusters: Cache[Cluster]) -> Cluster | None:
    """The Cluster that a provider's pool belongs to: its MachinePool says so, or its label."""
    name = owner.spec.cluster_name if owner is not None else obj.metadata.labels.get(Label.CLUSTER_NAME, "")
    return clusters.get(ObjectKey(obj.metadata.namespace, name)) if name else None


def cluster_of(obj: Object, clusters: Cache[Cluster]) -> Cluster | None:
    """The Cluster that owns a provider's cluster object; None until it does."""
    for owner in obj.metadata.owner_references:
        if owner.group_kind == (GROUP, Cluster.RESOURCE.kind):
            return clusters.get(ObjectKey(obj.metadata.namespace, owner.name))
    return None


def is_paused(obj: Object, cluster: Cluster | None) -> bool:
    """Whether the object is not to be touched: its Cluster is paused, or it is itself."""
    return Annotation.PAUSED in obj.metadata.annotations or bool(cluster is not None and cluster.spec.paused)


def is_externally_scaled(machine_pool: MachinePool) -> bool:
    """Whether somebody else sets the number of instances; the value `false` takes it back."""
    return machine_pool.metadata.annotations.get(Annotation.REPLICAS_MANAGED_BY, "false") != "false"
