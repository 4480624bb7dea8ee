"""Reconciles NodeadmConfigs and EKSConfigs: renders what nodes boot with, and keeps it in a secret. No token is in it.

Used by `setup`. Both kinds go the same way, and differ in their renderer alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from functools import partial

from capipool.api import labels
from capipool.api.builtin import Secret
from capipool.api.constants import Label
from capipool.api.core import Cluster, Machine, MachinePool, MachineSpec
from capipool.machinery import errors, objects
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.eks import boot_world
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.eksconfig import EKSConfig
from capipool.providers.aws.eks.api.nodeadmconfig import NodeadmConfig
from capipool.providers.aws.eks.boot_watches import Watches
from capipool.providers.aws.eks.boot_world import Keep, Render, Wait, World
from capipool.providers.aws.eks.rendering import nodeadm, script
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result, Selecting
from capipool.sdk.conditions import condition, merged
from capipool.sdk.inputs import DATA_KEY, FORMAT_KEY, is_paused
from capipool.sdk.kubeconfigs import SECRET_TYPE
from capipool.sdk.revision import DIGEST_ANNOTATION
from capipool.workload.connections import kubeconfig_secret_name

Config = NodeadmConfig | EKSConfig
AVAILABLE = "DataSecretAvailable"
FORMAT = b"cloud-config"
_KINDS: dict[type[Config], Render] = {NodeadmConfig: nodeadm.render, EKSConfig: script.render}


def setup(manager: Manager, *, watch_filter: str = "", machine_pools: bool = True, concurrency: int = 8) -> None:
    """Add the controllers of both kinds. Without `machine_pools` only single machines get data."""
    for kind, render in _KINDS.items():
        reconciler = BootReconciler(manager, kind, render, machine_pools=machine_pools)
        selecting = Selecting(reconciler, reconciler.objects.get, partial(labels.selects, watch_filter))
        controller = manager.controller(kind.RESOURCE.kind.lower(), selecting, concurrency=concurrency)
        Watches(manager.caches, kind).add_to(controller)


class BootReconciler:
    """Makes and keeps the boot data of the configurations of one kind."""

    def __init__(self, manager: Manager, kind: type[Config], render: Render, *, machine_pools: bool = True) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._events = manager.events
        self._kind = kind
        self._render = render
        self.objects = manager.caches.of(kind)
        self._clusters = manager.caches.of(Cluster)
        self._machines = manager.caches.of(Machine)
        self._pools = manager.caches.of(MachinePool) if machine_pools else None
        self._control_planes = manager.caches.of(AWSManagedControlPlane)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Bring data and status to what they should be. Safe to repeat."""
        config = self.objects.get(key)
        owner = self._owner(config) if config is not None and not config.deleting else None
        if config is None or owner is None:
            return DONE
        cluster = self._clusters.get(ObjectKey(key.namespace, owner.cluster_name))
        if cluster is None or is_paused(config, cluster):
            return DONE
        seen = await self._observe(config, owner, cluster)
        plan = boot_world.decide(seen, self._render)
        if isinstance(plan, Wait):
            await self._wait(config, plan, has_data=seen.data is not None)
        else:
            await self._keep(config, cluster, seen, plan)
        return DONE

    # --- looking

    def _owner(self, config: Config) -> MachineSpec | None:
        """The Machine or MachinePool among its owners, as the machine that it asks for."""
        for reference in config.metadata.owner_references:
            key = ObjectKey(config.metadata.namespace, reference.name)
            if reference.group_kind == Machine.RESOURCE.group_kind and (machine := self._machines.get(key)):
                return machine.spec
            if reference.group_kind == MachinePool.RESOURCE.group_kind and self._pools is not None:
                pool = self._pools.get(key)
                return pool.spec.template.spec if pool is not None else None
        return None

    async def _observe(self, config: Config, owner: MachineSpec, cluster: Cluster) -> World:
        namespace, spec = config.metadata.namespace, objects.to_raw(config).get("spec") or {}
        reference = cluster.spec.control_plane_ref
        plane = self._control_planes.get(ObjectKey(namespace, reference.name)) if reference is not None else None
        wanted = boot_world.secret_names(spec)
        if boot_world.needs_kubeconfig(plane):
            wanted.add(kubeconfig_secret_name(cluster.metadata.name))
        names = [config.metadata.name, *sorted(wanted)]
        data, *found = await asyncio.gather(*(self._secret(ObjectKey(namespace, name)) for name in names))
        pool = any(o.group_kind == MachinePool.RESOURCE.group_kind for o in config.metadata.owner_references)
        return World(
            name=config.metadata.name,
            spec=spec,
            pool=pool,
            cluster=cluster,
            control_plane=plane,
            secrets={name: each for name, each in zip(names[1:], found, strict=True) if each is not None},
            data=data,
        )

    async def _secret(self, key: ObjectKey) -> Secret | None:
        try:
            return await self._client.get(Secret, key.name, key.namespace)
        except errors.NotFound:
            return None

    # --- writing

    async def _wait(self, config: Config, wait: Wait, *, has_data: bool) -> None:
        """Say why there is no data; older data stays in use meanwhile, and the configuration ready."""
        ready = bool(config.status.ready) and has_data
        wanted = [
            condition(type_, False, reason=wait.reason, message=wait.message, severity=wait.severity)
            for type_ in ("Ready", AVAILABLE)
        ]
        if await self._write_status(config, {"ready": ready}, wanted) and wait.severity != "Info":
            self._events.event(config, "Warning", wait.reason, wait.message)

    async def _keep(self, config: Config, cluster: Cluster, seen: World, plan: Keep) -> None:
        if plan.write and plan.value is not None:
            await self._store(_data_secret(config, cluster, plan.value, plan.digest), seen.data)
        wanted = [condition(type_, True) for type_ in ("Ready", AVAILABLE)]
        status: Raw = {"ready": True, "dataSecretName": config.metadata.name}
        if isinstance(config, NodeadmConfig):
            status["initialization"] = {"dataSecretCreated": True}
        await self._write_status(config, status, wanted)

    async def _store(self, wanted: Secret, present: Secret | None) -> None:
        if present is None:
            await self._client.create(wanted)
            return
        raw, meta = objects.to_raw(wanted), wanted.metadata
        patch = {"data": raw["data"], "metadata": {key: raw["metadata"][key] for key in ("annotations", "labels")}}
        await self._client.patch(
            Secret, meta.name, meta.namespace, patch=patch, resource_version=present.metadata.resource_version
        )

    async def _write_status(self, config: Config, status: Raw, conditions: Iterable[Raw]) -> bool:
        """Write what differs of the status, if anything does. Returns whether."""
        before, meta = objects.to_raw(config).get("status") or {}, config.metadata
        told = merged(config.status.conditions, conditions, self._clock.now())
        after = {**before, **status, "observedGeneration": meta.generation, "conditions": told}
        patch = merge.diff(before, after)
        if patch is None:
            return False
        await self._client.patch(self._kind, meta.name, meta.namespace, patch={"status": patch}, subresource="status")
        return True


def _data_secret(config: Config, cluster: Cluster, value: bytes, digest: str) -> Secret:
    """The secret as the contract has it: type, label, owner, keys. Its digest tells the pool engine what is new."""
    owner = objects.owner_reference(config, controller=True)
    meta = ObjectMeta(
        name=config.metadata.name,
        namespace=config.metadata.namespace,
        labels={Label.CLUSTER_NAME: cluster.metadata.name},
        annotations={DIGEST_ANNOTATION: digest},
        owner_references=(owner,),
    )
    return objects.new(Secret, metadata=meta, type=SECRET_TYPE, data={DATA_KEY: value, FORMAT_KEY: FORMAT})
