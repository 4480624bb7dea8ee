"""The reconciler of KubeadmConfigs: which changes concern it, and the sequence observe, decide, apply.

Added to a manager by `setup`. KubeadmConfigTemplates need none: others make KubeadmConfigs from them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster, Machine, MachinePool, MachineSpec
from capipool.client.client import Client
from capipool.machinery import errors
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.providers.kubeadm import certificates, decide, inputs
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.providers.kubeadm.apply import Applier
from capipool.providers.kubeadm.observe import Observer
from capipool.providers.kubeadm.world import Settings
from capipool.runtime.cache import Caches
from capipool.runtime.controller import Controller
from capipool.runtime.logs import Logger
from capipool.runtime.reconcile import DONE, RequeueAfter, Result
from capipool.workload.connections import Connections, Unavailable

_log = Logger("capipool.providers.kubeadm")

BY_CLUSTER = "kubeadm.cluster"
_WATCH_AGAIN_SECONDS = 5.0


class KubeadmConfigReconciler:
    """Makes and keeps the bootstrap data of one KubeadmConfig."""

    def __init__(self, *, observer: Observer, applier: Applier, settings: Settings) -> None:
        self._observer = observer
        self._applier = applier
        self._settings = settings

    async def reconcile(self, key: ObjectKey) -> Result:
        """Bring data, tokens and status to what they should be. Safe to repeat."""
        seen = await self._observer.observe(key)
        if seen is None:
            return DONE
        plan = decide.decide(seen, self._settings)
        try:
            return await self._applier.apply(seen, plan)
        except Unavailable:
            return RequeueAfter(decide.POLL)  # lost this moment; its return comes as an event, too


class Watches:
    """Turns changes elsewhere into KubeadmConfigs to look at."""

    def __init__(self, *, caches: Caches, client: Client, connections: Connections) -> None:
        self._caches = caches
        self._client = client
        self._connections = connections
        self._machines = caches.of(Machine)
        self._pools = caches.of(MachinePool)
        self._machines.add_index(BY_CLUSTER, _cluster_of_machine)
        self._pools.add_index(BY_CLUSTER, _cluster_of_pool)

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch all that matters."""
        controller.watch(self._caches.of(KubeadmConfig), config_changed)
        controller.watch(self._machines, machine_changed)
        controller.watch(self._pools, pool_changed)
        controller.watch(self._caches.of(Cluster), self._cluster_changed)
        self._connections.subscribe(lambda cluster, _: self._enqueue(controller, cluster))

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
            return ()
        return self.of_cluster(new.key)

    def of_cluster(self, cluster: ObjectKey) -> list[ObjectKey]:
        """The KubeadmConfigs that machines and pools of a cluster boot from."""
        specs = [machine.spec for machine in self._machines.by(BY_CLUSTER, str(cluster))]
        specs += [pool.spec.template.spec for pool in self._pools.by(BY_CLUSTER, str(cluster))]
        return [key for spec in specs for key in _config_of(cluster.namespace, spec)]

    def _enqueue(self, controller: Controller, cluster: ObjectKey) -> None:
        for key in self.of_cluster(cluster):
            controller.enqueue(key)

    async def follow_secrets(self, controller: Controller) -> None:
        """Notice data secrets that are deleted, and certificates and kubeconfigs that come. Runs until cancelled.

        A watch without a cache: secrets are many and large, and what they hold need not lie in memory.
        """
        while True:
            try:
                async for change in self._client.watch(Secret, self._caches.namespace, labels=Label.CLUSTER_NAME):
                    for key in self._secret_changed(change.type, change.object):
                        controller.enqueue(key)
            except errors.ApiError as error:
                _log.debug("watch of secrets broke", why=error.message)
            await asyncio.sleep(_WATCH_AGAIN_SECONDS)

    def _secret_changed(self, type_: str, secret: Secret) -> Iterable[ObjectKey]:
        owned = [o.name for o in secret.metadata.owner_references if o.group_kind == KubeadmConfig.RESOURCE.group_kind]
        namespace, name = secret.key
        cluster = secret.metadata.labels.get(Label.CLUSTER_NAME, "")
        if name in (f"{cluster}-{certificates.CLUSTER_CA}", f"{cluster}-{inputs.KUBECONFIG_SUFFIX}"):
            return self.of_cluster(ObjectKey(namespace, cluster))
        return [ObjectKey(namespace, owner) for owner in owned] if type_ == "DELETED" else ()


def _cluster_of_machine(machine: Machine) -> Iterable[str]:
    return _cluster_of(machine, machine.spec)


def _cluster_of_pool(pool: MachinePool) -> Iterable[str]:
    return _cluster_of(pool, pool.spec.template.spec)


def _cluster_of(owner: Object, spec: MachineSpec) -> Iterable[str]:
    """Only owners that boot from a KubeadmConfig are worth finding."""
    namespace = owner.metadata.namespace
    return [str(ObjectKey(namespace, spec.cluster_name))] if _config_of(namespace, spec) else []


def config_changed(old: KubeadmConfig | None, new: KubeadmConfig | None) -> Iterable[ObjectKey]:
    """All but its own status, which only the reconciler writes."""
    if new is None or (old is not None and _of_config(old) == _of_config(new)):
        return ()
    return [new.key]


def machine_changed(old: Machine | None, new: Machine | None) -> Iterable[ObjectKey]:
    """What it is to be, and whether it has joined."""
    machine = new or old
    if machine is None or (old is not None and new is not None and _of_machine(old) == _of_machine(new)):
        return ()
    return _config_of(machine.metadata.namespace, machine.spec)


def pool_changed(old: MachinePool | None, new: MachinePool | None) -> Iterable[ObjectKey]:
    """NB: of its nodes only whether there are any: a pool's scaling does not concern its bootstrap data."""
    pool = new or old
    if pool is None or (old is not None and new is not None and _of_pool(old) == _of_pool(new)):
        return ()
    return _config_of(pool.metadata.namespace, pool.spec.template.spec)


def _config_of(namespace: str, spec: MachineSpec) -> Iterable[ObjectKey]:
    reference = spec.bootstrap.config_ref
    if reference is None or reference.group_kind != KubeadmConfig.RESOURCE.group_kind:
        return ()
    return [ObjectKey(namespace, reference.name)]


def _of_config(config: KubeadmConfig) -> Any:
    meta = config.metadata
    return config.spec, meta.labels, meta.annotations, meta.owner_references, meta.deletion_timestamp


def _of_machine(machine: Machine) -> Any:
    return machine.spec, machine.metadata.labels, machine.status.node_ref is None


def _of_pool(pool: MachinePool) -> Any:
    return pool.spec.template, not pool.status.node_refs


def _of_cluster(cluster: Cluster) -> Any:
    return cluster.spec, cluster.status.initialization
