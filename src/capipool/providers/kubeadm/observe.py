"""Gathers what one reconcile of a KubeadmConfig sees: from caches, and from API servers what is not worth caching."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import msgspec

from capipool.api.builtin import ConfigMap, Secret
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.clock import Clock
from capipool.machinery.resource import ObjectKey
from capipool.providers.kubeadm import certificates, inputs, locking, tokens, world
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.tokens import Token
from capipool.providers.kubeadm.world import Owner, World
from capipool.runtime.cache import Caches
from capipool.workload.connections import Connections, WorkloadCluster


class Observer:
    """Reads; changes nothing. Secrets are read from the server at each reconcile: they are many, and needed rarely."""

    def __init__(self, *, client: Client, caches: Caches, connections: Connections, clock: Clock) -> None:
        self._client = client
        self._connections = connections
        self._clock = clock
        self._configs = caches.of(KubeadmConfig)
        self._clusters = caches.of(Cluster)
        self._machines = caches.of(Machine)
        self._pools = caches.of(MachinePool)

    async def observe(self, key: ObjectKey) -> World | None:
        """The picture; None where the KubeadmConfig is gone. Raises ApiError where the management API fails."""
        config = self._configs.get(key)
        if config is None:
            return None
        seen = World(config=config, now=self._clock.now(), owner=self._owner(config))
        if seen.owner is None:
            return seen
        cluster = self._clusters.get(ObjectKey(key.namespace, seen.owner.spec.cluster_name))
        if cluster is None:
            return seen
        data = await self._secret(key)
        seen = msgspec.structs.replace(seen, cluster=cluster, data=data)
        seen = msgspec.structs.replace(
            seen,
            secrets=await self._secrets(seen, cluster),
            control_plane_version=await self._control_plane_version(seen, cluster),
            holds_init_lock=await self._holds_init_lock(seen, cluster),
        )
        return await self._with_tokens(seen, cluster)

    def _owner(self, config: KubeadmConfig) -> Owner | None:
        """The Machine or MachinePool among its owners; other owners (a control plane, a MachineSet) do not count."""
        namespace = config.metadata.namespace
        for reference in config.metadata.owner_references:
            key = ObjectKey(namespace, reference.name)
            if reference.group_kind == Machine.RESOURCE.group_kind and (machine := self._machines.get(key)):
                return Owner.of_machine(machine)
            if reference.group_kind == MachinePool.RESOURCE.group_kind and (pool := self._pools.get(key)):
                return Owner.of_pool(pool)
        return None

    async def _secrets(self, seen: World, cluster: Cluster) -> dict[str, Secret]:
        assert seen.owner is not None
        name = cluster.metadata.name
        wanted = inputs.secret_names(seen.spec)
        wanted |= {f"{name}-{certificates.CLUSTER_CA}", f"{name}-{inputs.KUBECONFIG_SUFFIX}"}
        if seen.owner.control_plane:
            needed = certificates.of_control_plane(seen.spec.get("clusterConfiguration") or {})
            wanted |= {certificate.secret_name(name) for certificate in needed}
        ordered = sorted(wanted)
        found = await asyncio.gather(*(self._secret(ObjectKey(seen.config.metadata.namespace, s)) for s in ordered))
        return {name: secret for name, secret in zip(ordered, found, strict=True) if secret is not None}

    async def _secret(self, key: ObjectKey) -> Secret | None:
        return await _get_secret(self._client, key.name, key.namespace)

    async def _control_plane_version(self, seen: World, cluster: Cluster) -> str:
        """What templates may ask for; read only where a file is a template."""
        reference = cluster.spec.control_plane_ref
        if reference is None or not any(file.content_format == "Template" for file in seen.config.spec.files):
            return ""
        try:
            resource = await self._client.resources.find(reference.api_group, reference.kind)
            control_plane = await self._client.get(resource, reference.name, cluster.metadata.namespace)
        except errors.NotFound:
            return ""
        return str(control_plane.spec.get("version") or "")

    async def _holds_init_lock(self, seen: World, cluster: Cluster) -> bool:
        assert seen.owner is not None
        if not seen.owner.control_plane or world.initialized(cluster):
            return False
        try:
            lock = await self._client.get(ConfigMap, locking.name(cluster), cluster.metadata.namespace)
        except errors.NotFound:
            return False
        return locking.holder(lock) == seen.owner.name

    async def _with_tokens(self, seen: World, cluster: Cluster) -> World:
        """The tokens that are recorded, as the workload cluster has them. One that fails counts as not connected."""
        reached = self._connections.get(cluster.key)
        replace = msgspec.structs.replace
        if reached is None:
            return replace(seen, unavailable=self._connections.unavailable_reason(cluster.key))
        spec_token = tokens.split(seen.config.spec.join_configuration.discovery.bootstrap_token.token)
        given_id = spec_token[0] if spec_token else ""
        try:
            found = await _read_tokens(reached, {*seen.recorded, given_id} - {""})
        except (errors.ApiError, OSError) as error:
            why = error.message if isinstance(error, errors.ApiError) else type(error).__name__
            return replace(seen, unavailable=f"its API server answers: {why}")
        given = next((t for t in found if t.id == given_id and t.left(seen.now).total_seconds() > 0), None)
        made = tuple(t for t in found if t.id in seen.recorded or (t.id == given_id and t.ours))
        return replace(seen, connected=True, tokens=made, given=given)


async def _read_tokens(cluster: WorkloadCluster, ids: Iterable[str]) -> list[Token]:
    names = [tokens.secret_name(token_id) for token_id in sorted(ids)]
    secrets = await asyncio.gather(*(_get_secret(cluster.client, name, tokens.NAMESPACE) for name in names))
    found = [tokens.from_secret(secret) for secret in secrets if secret is not None]
    return [token for token in found if token is not None]


async def _get_secret(client: Client, name: str, namespace: str) -> Secret | None:
    try:
        return await client.get(Secret, name, namespace)
    except errors.NotFound:
        return None
