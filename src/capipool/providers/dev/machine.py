"""DevMachine: single machines of the development cloud, as MachineSets and MachineDeployments make them.

A machine is one DevInstance that belongs to no scaling group; `kubelets` runs on it as on any other. An instance that
the cloud has taken back is not launched again: a machine is one machine, and replacing it is for who made it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import random
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import msgspec

from capipool.api import labels
from capipool.api.builtin import Secret
from capipool.api.constants import ConditionType, Reason
from capipool.api.core import Cluster, Machine
from capipool.machinery import clock, conditions, durations, errors, objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import ObjectMeta, OwnerReference, Raw
from capipool.machinery.patch import merge
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev import launching
from capipool.providers.dev.api.cloud import DevInstance, DevInstanceSpec, Fault, InstancePhase
from capipool.providers.dev.api.machine import DevMachine
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.providers.dev.api.shared import Startup
from capipool.runtime import reconcile
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import RequeueAfter, Result
from capipool.sdk import news
from capipool.sdk.provider import BootstrapData

FINALIZER = "devmachine.infrastructure.cluster.x-k8s.io"
WAITING_FOR_MACHINE = "WaitingForMachine"
BOOTING, BOOT_FAILED, TERMINATED = "Booting", "BootFailed", "InstanceTerminated"


@dataclass(frozen=True, slots=True)
class World:
    """What a decision about one machine is made from."""

    obj: DevMachine
    machine: Machine | None
    cluster: Cluster | None
    instance: DevInstance | None


@dataclass(frozen=True, slots=True)
class Step:
    """What to do: launch an instance, delete it, or neither; and what `Ready` says."""

    ready: Condition
    launch: bool = False
    terminate: bool = False
    provisioned: bool = False
    failed: bool = False
    """The instance is to be marked as one that did not boot."""
    result: Result = reconcile.DONE


def decide(world: World, now: dt.datetime) -> Step:
    """The next step for a machine that is not being deleted. Pure."""
    machine, instance = world.machine, world.instance
    if machine is None or world.cluster is None:
        return Step(_not_ready(WAITING_FOR_MACHINE, "Waiting for a Machine to own it"))
    if not world.cluster.status.initialization.infrastructure_provisioned:
        return Step(_not_ready(Reason.WAITING_FOR_CLUSTER_INFRASTRUCTURE_READY))
    if instance is None and world.obj.spec.provider_id:
        return Step(_not_ready(TERMINATED, "The instance does not exist any more"))
    if instance is None:
        if machine.spec.bootstrap.data_secret_name is None:
            return Step(_not_ready(Reason.WAITING_FOR_BOOTSTRAP_DATA))
        return Step(_not_ready(BOOTING), launch=True)
    if instance.deleting or Fault.INTERRUPT in instance.metadata.annotations:
        return Step(_not_ready(TERMINATED, "The cloud has taken the instance back"), terminate=not instance.deleting)
    return _of_instance(world.obj, instance, now)


def _of_instance(obj: DevMachine, instance: DevInstance, now: dt.datetime) -> Step:
    """What a machine's instance makes of it. An order not to boot comes too late for one that has booted."""
    fails = instance.spec.fails or instance.metadata.annotations.get(Fault.BOOT) == "fail"
    if instance.status.phase == InstancePhase.FAILED:
        return Step(_not_ready(BOOT_FAILED, instance.status.message))
    runs_at = clock.parse_time(instance.spec.runs_at)
    if runs_at > now:
        return Step(_not_ready(BOOTING), result=RequeueAfter(runs_at - now + dt.timedelta(milliseconds=1)))
    if fails and not obj.status.initialization.provisioned:
        return Step(_not_ready(BOOT_FAILED, "the machine did not boot, as ordered"), failed=True)
    ready = Condition(type=ConditionType.READY, status="True", reason=Reason.READY)
    return Step(ready, provisioned=True)


def instance_of(world: World, data: BootstrapData, now: dt.datetime, rng: random.Random) -> DevInstance:
    """The instance of a machine, named like it. Raises ValueError for a duration that cannot be read."""
    obj, machine = world.obj, world.machine
    assert machine is not None
    backend = obj.spec.backend.in_memory
    runs = now + _takes(backend.vm if backend is not None else None, rng)
    joins = runs + _takes(backend.node if backend is not None else None, rng)
    node_labels, taints = launching.registration(data)
    meta = obj.metadata
    return objects.new(
        DevInstance,
        metadata=ObjectMeta(
            name=meta.name, namespace=meta.namespace, owner_references=(objects.owner_reference(obj, controller=True),)
        ),
        spec=DevInstanceSpec(
            group="",
            cluster_name=machine.spec.cluster_name,
            provider_id=f"dev:////{meta.namespace}/{meta.name}",
            zone=machine.spec.failure_domain or "default",
            revision="",
            version=machine.spec.version,
            address=f"10.{rng.randrange(256)}.{rng.randrange(256)}.{rng.randrange(1, 255)}",
            runs_at=clock.format_micro_time(runs),
            joins_at=clock.format_micro_time(joins),
            fails=meta.annotations.get(Fault.BOOT) == "fail",
            labels=node_labels,
            taints=taints,
            lease_seconds=launching.DEFAULT_LEASE_SECONDS,
            renew_seconds=launching.DEFAULT_LEASE_SECONDS // launching.RENEWALS_PER_LEASE,
        ),
    )


class DevMachineReconciler:
    """Reconciles DevMachines."""

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._rng = manager.rng
        self.objects = manager.caches.of(DevMachine)
        self.machines = manager.caches.of(Machine)
        self.clusters = manager.caches.of(Cluster)
        self.instances = manager.caches.of(DevInstance)

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch everything that concerns single machines."""
        controller.watch(self.objects, partial(news.of_object, finalizers=True))
        controller.watch(self.machines, news.machine_of(DevMachine))
        controller.watch(self.instances, _instance_changed)
        controller.watch(self.clusters, self._cluster_changed)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step for one machine. Safe to repeat."""
        obj = self.objects.get(key)
        if obj is None or _is_of_pool(obj):
            return reconcile.DONE
        world = self._observe(obj)
        if obj.deleting:
            await self._delete(obj, world.instance)
            return reconcile.DONE
        paused = world.cluster is not None and labels.is_paused(obj.metadata, world.cluster.spec.paused)
        if paused or obj.spec.backend.in_memory is None:
            return reconcile.DONE
        now = self._clock.now()
        step = decide(world, now)
        if step.launch:
            await self._launch(world, now)
        if step.terminate:
            await self._terminate(key)
        if step.failed:
            patch = {"status": {"phase": InstancePhase.FAILED.value, "message": step.ready.message}}
            await self._client.patch(DevInstance, key.name, key.namespace, patch=patch, subresource="status")
        await self._write(world, step, now)
        return step.result

    def _observe(self, obj: DevMachine) -> World:
        machine = next((m for o in obj.metadata.owner_references if (m := self._machine(obj, o))), None)
        cluster = None
        if machine is not None:
            cluster = self.clusters.get(ObjectKey(obj.metadata.namespace, machine.spec.cluster_name))
        return World(obj, machine, cluster, self.instances.get(obj.key))

    def _machine(self, obj: DevMachine, owner: OwnerReference) -> Machine | None:
        if owner.group_kind != Machine.RESOURCE.group_kind:
            return None
        return self.machines.get(ObjectKey(obj.metadata.namespace, owner.name))

    async def _launch(self, world: World, now: dt.datetime) -> None:
        obj, machine = world.obj, world.machine
        assert machine is not None
        if FINALIZER not in obj.metadata.finalizers:
            await self._set_finalizers(obj, [*obj.metadata.finalizers, FINALIZER])
        data = await self._bootstrap(machine)
        with contextlib.suppress(errors.AlreadyExists):
            await self._client.create(instance_of(world, data, now, self._rng))

    async def _bootstrap(self, machine: Machine) -> BootstrapData:
        name = machine.spec.bootstrap.data_secret_name
        if not name:
            return BootstrapData(b"")
        try:
            secret = await self._client.get(Secret, name, machine.metadata.namespace)
        except errors.NotFound:
            return BootstrapData(b"")
        return BootstrapData(secret.data.get("value", b""), secret.data.get("format", b"cloud-config").decode())

    async def _write(self, world: World, step: Step, now: dt.datetime) -> None:
        """Write the provider ID and the status where they differ."""
        obj, instance = world.obj, world.instance
        if instance is not None and obj.spec.provider_id != instance.spec.provider_id:
            await self._patch(obj, {"spec": {"providerID": instance.spec.provider_id}})
        ready = objects.replace_part(step.ready, observed_generation=obj.metadata.generation)
        told = conditions.set_all(obj.status.conditions, [ready], now)
        status: Raw = {"conditions": [msgspec.to_builtins(c) for c in told]}
        if step.provisioned and instance is not None:
            status["initialization"] = {"provisioned": True}
            status["failureDomain"] = instance.spec.zone
            status["addresses"] = [{"type": "InternalIP", "address": instance.spec.address}]
        before = objects.to_raw(obj).get("status", {})
        patch = merge.diff(before, {**before, **status})
        if patch is not None:
            await self._patch(obj, {"status": patch}, subresource="status")

    async def _delete(self, obj: DevMachine, instance: DevInstance | None) -> None:
        """The instance goes first."""
        if instance is not None:
            await self._terminate(obj.key)
        elif FINALIZER in obj.metadata.finalizers:
            await self._set_finalizers(obj, [f for f in obj.metadata.finalizers if f != FINALIZER])

    async def _terminate(self, key: ObjectKey) -> None:
        with contextlib.suppress(errors.NotFound):
            await self._client.delete(DevInstance, key.name, key.namespace)

    async def _set_finalizers(self, obj: DevMachine, finalizers: list[str]) -> None:
        meta = obj.metadata
        await self._client.patch(
            DevMachine,
            meta.name,
            meta.namespace,
            patch={"metadata": {"finalizers": finalizers}},
            resource_version=meta.resource_version,
        )

    async def _patch(self, obj: DevMachine, patch: Raw, *, subresource: str = "") -> None:
        meta = obj.metadata
        await self._client.patch(DevMachine, meta.name, meta.namespace, patch=patch, subresource=subresource)

    def _cluster_changed(self, old: Cluster | None, new: Cluster | None) -> Iterable[ObjectKey]:
        """A Cluster whose infrastructure came, or that goes on after a pause: its machines may be launched."""
        if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
            return ()
        machines = self.machines.list(new.metadata.namespace)
        return [_of_machine(m) for m in machines if m.spec.cluster_name == new.metadata.name and _is_ours(m)]


def _is_of_pool(obj: DevMachine) -> bool:
    """Whether a pool keeps it: the pool engine sees to it then."""
    return any(o.group_kind == DevMachinePool.RESOURCE.group_kind for o in obj.metadata.owner_references)


def _takes(startup: Startup | None, rng: random.Random) -> dt.timedelta:
    if startup is None or startup.provisioning is None:
        return dt.timedelta(0)
    provisioning = startup.provisioning
    jitter = max(float(provisioning.startup_jitter or 0), 0.0)
    return dt.timedelta(seconds=float(durations.parse(provisioning.startup_duration)) * (1 + jitter * rng.random()))


def _not_ready(reason: str, message: str = "") -> Condition:
    return Condition(type=ConditionType.READY, status="False", reason=reason, message=message)


def _instance_changed(old: DevInstance | None, new: DevInstance | None) -> Iterable[ObjectKey]:
    """An instance without a group is a single machine's, of its name."""
    instance = new or old
    return (instance.key,) if instance is not None and not instance.spec.group else ()


def _is_ours(machine: Machine) -> bool:
    return machine.spec.infrastructure_ref.group_kind == DevMachine.RESOURCE.group_kind


def _of_machine(machine: Machine) -> ObjectKey:
    return ObjectKey(machine.metadata.namespace, machine.spec.infrastructure_ref.name)


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    return (cluster.spec.paused, cluster.status.initialization.infrastructure_provisioned)
