"""The development cloud as a provider for the pool engine: orders go into DevScalingGroups, one write each."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Collection
from typing import ClassVar

import msgspec

from capipool.api import labels
from capipool.api.constants import Annotation, ConditionType, Reason
from capipool.machinery import clock, conditions, errors, objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import ObjectMeta, Raw
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev import cloud, launching
from capipool.providers.dev.api.cloud import (
    GROUP_LABEL,
    DevInstance,
    DevScalingGroup,
    DevScalingGroupSpec,
    InstanceTemplate,
)
from capipool.providers.dev.api.machine import DevMachine
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.runtime.manager import Manager
from capipool.sdk.engine.picture import InstanceState
from capipool.sdk.engine.strategy import DeletePolicy, RolloutMode, Strategy
from capipool.sdk.errors import GroupChanged, InstanceGroupNotFound, InsufficientCapacity, NotOwned
from capipool.sdk.provider import Group, Instance, InstanceView, Intervals, Launch, Pool, PoolProvider
from capipool.sdk.report import Report

_NOTICE = dt.timedelta(milliseconds=1)
"""An instance is looked at just after the moment at which it changes."""


class DevPoolProvider(PoolProvider[DevMachinePool]):
    """Pools of the development cloud. Tells of every change, so it is never polled.

    Where the pool says so, its instances are shown as DevMachines.
    """

    kind: ClassVar = DevMachinePool
    finalizer: ClassVar = "devmachinepool.infrastructure.cluster.x-k8s.io"
    intervals = Intervals(converging=None, rest=None)
    machine_kind: ClassVar = DevMachine
    machine_finalizer: ClassVar = "devmachinepool.infrastructure.cluster.x-k8s.io/instance"

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self._clock = manager.clock
        self._groups = manager.caches.of(DevScalingGroup)
        self._instances = manager.caches.of(DevInstance)
        self._written: dict[ObjectKey, DevScalingGroup] = {}
        """Groups as this provider wrote them last, until the cache shows them."""
        self._deleted: dict[ObjectKey, str] = {}
        """UIDs of groups that were deleted, which the cache may still show for a moment."""
        self._wakes: dict[ObjectKey, dt.datetime] = {}
        self._notify: Callable[[ObjectKey], None] | None = None

    def launch_content(self, pool: Pool[DevMachinePool]) -> Raw:
        """What machines are: how they boot. Sizes, zones, leases and policies make no new machine."""
        spec = launching.backend(pool.object)
        boot = {"vm": spec.vm, "node": spec.node}
        return {what: msgspec.to_builtins(startup) for what, startup in boot.items() if startup is not None}

    def strategy(self, pool: Pool[DevMachinePool]) -> Strategy:
        """The rollout and the delete policy of the backend."""
        spec = launching.backend(pool.object)
        rollout = spec.rollout
        return Strategy(
            mode=RolloutMode.ON_DELETE if rollout.type == "OnDelete" else RolloutMode.MANAGED,
            max_surge=1 if rollout.max_surge is None else rollout.max_surge,
            max_unavailable=0 if rollout.max_unavailable is None else rollout.max_unavailable,
            delete_policy=DeletePolicy(spec.delete_policy or DeletePolicy.RANDOM),
            canary=rollout.canary is not False,
            drain_on_delete=bool(spec.drain_on_delete),
        )

    def status(self, pool: Pool[DevMachinePool], report: Report) -> Raw:
        """The status by contract, and how many instances are of the wanted revision."""
        count = report.up_to_date_replicas
        return report.v1beta2() | ({} if count is None else {"upToDateReplicas": count})

    def wants_machines(self, pool: Pool[DevMachinePool]) -> bool:
        """As the pool says."""
        backend = pool.object.spec.backend.in_memory
        return backend is not None and bool(backend.machines)

    def machine_name(self, pool: Pool[DevMachinePool], instance: Instance) -> str:
        """The instance's: those of a namespace have distinct names."""
        return instance.id

    def machine(self, pool: Pool[DevMachinePool], instance: Instance) -> Raw:
        """A DevMachine that starts as its pool's instances do."""
        return {"spec": {"backend": {"inMemory": self.launch_content(pool)}, "providerID": instance.provider_id}}

    def machine_status(self, pool: Pool[DevMachinePool], view: InstanceView) -> Raw:
        """The contract's: provisioned once it has run; and why it does not."""
        instance, before = view.instance, view.object.status
        runs = instance.state is InstanceState.RUNNING
        generation = view.object.metadata.generation
        told = [
            Condition(
                type=ConditionType.READY,
                status="True" if runs else "False",
                reason=Reason.READY if runs else f"Instance{instance.state.value}",
                message=instance.message,
                observed_generation=generation,
            ),
            Condition(
                type=ConditionType.UP_TO_DATE,
                status="False" if view.outdated else "True",
                reason=Reason.NOT_UP_TO_DATE if view.outdated else Reason.UP_TO_DATE,
                message="Launched from an older specification of its pool" if view.outdated else "",
                observed_generation=generation,
            ),
        ]
        after = conditions.set_all(before.conditions, told, view.now)
        return {
            "addresses": [{"type": kind, "address": address} for kind, address in instance.addresses] or None,
            "conditions": [msgspec.to_builtins(c) for c in after],
            "failureDomain": instance.zone or None,
            "initialization": {"provisioned": True} if runs or before.initialization.provisioned else None,
        }

    async def observe(self, pool: Pool[DevMachinePool]) -> Group:
        """The scaling group and its instances, out of the caches."""
        group = await self._group(pool.object)
        now = self._clock.now()
        members = self._instances.owned_by(group.metadata.uid)
        going = frozenset(group.spec.terminating)
        instances = tuple(_instance(m, cloud.state(m, going, now)) for m in members)
        self._wake_at(pool.key, members, now)
        short = group.spec.replicas - sum(i.state is not InstanceState.TERMINATING for i in instances)
        problem = InsufficientCapacity(wanted=short) if short > 0 and group.status.problem else None
        return Group(
            desired=group.spec.replicas,
            revision=group.spec.template.revision,
            instances=instances,
            problem=problem,
            native=group,
        )

    async def ensure(self, pool: Pool[DevMachinePool], launch: Launch, *, replicas: int, seen: Group | None) -> None:
        """Create the scaling group, or bring its template and zones up to date."""
        zones = launching.zones(pool)
        known = seen.native.spec if seen is not None else None
        template = await self._template(pool, launch, known.template if known is not None else None)
        if known is None:
            await self._create(pool, template, replicas)
            return
        changed: Raw = {}
        if template != known.template:
            changed["template"] = _replaced(known.template, template)
        if zones != known.zones:
            changed["zones"] = msgspec.to_builtins(zones)
        if changed:
            await self._patch(pool.key, changed)

    async def set_desired(self, pool: Pool[DevMachinePool], desired: int, *, seen: Group) -> None:
        """Write the number, guarded by the version that was seen where it falls."""
        group = await self._group(pool.object)
        members = self._instances.owned_by(group.metadata.uid)
        live = sum(not m.deleting and m.metadata.name not in group.spec.terminating for m in members)
        if live > desired:
            raise GroupChanged(str(group.key), f"it has {live} instances, more than {desired}")
        if group.spec.replicas != desired:
            await self._patch(pool.key, {"replicas": desired}, version=group.metadata.resource_version)

    async def terminate(self, pool: Pool[DevMachinePool], ids: Collection[str], *, decrement: bool) -> None:
        """Order instances to go and lower the number, in one write: there is no moment in between."""
        group = await self._group(pool.object)
        there = {m.metadata.name for m in self._instances.owned_by(group.metadata.uid) if not m.deleting}
        before = [name for name in group.spec.terminating if name in there]
        going = sorted((set(ids) & there) - set(before))
        if not going:
            return
        change: Raw = {"terminating": [*before, *going]}
        if decrement:
            change["replicas"] = max(group.spec.replicas - len(going), 0)
        await self._patch(pool.key, change, version=group.metadata.resource_version)

    async def delete(self, obj: DevMachinePool) -> None:
        """Delete the group and its instances; they are gone when the calls return."""
        group = await self._group(obj)
        self._written.pop(obj.key, None)
        with contextlib.suppress(errors.NotFound):
            await self._client.delete(DevScalingGroup, group.metadata.name, group.metadata.namespace)
        self._deleted[obj.key] = group.metadata.uid
        selector = f"{GROUP_LABEL}={labels.format_value(group.metadata.name)}"
        await self._client.delete_all(DevInstance, group.metadata.namespace, labels=selector)
        raise InstanceGroupNotFound(str(obj.key))

    def subscribe(self, notify: Callable[[ObjectKey], None]) -> None:
        """Tell of groups and instances as their caches change, and of moments at which an instance is up."""
        self._notify = notify
        self._groups.subscribe(lambda old, new: _tell(notify, old, new))
        self._instances.subscribe(lambda old, new: _tell_of_instance(notify, old, new))

    def _wake_at(self, key: ObjectKey, members: Collection[DevInstance], now: dt.datetime) -> None:
        """Tell of the next moment at which an instance is up, once."""
        moments = [at for m in members if (at := clock.parse_time(m.spec.runs_at)) > now]
        if not moments or self._wakes.get(key) == min(moments):
            return
        self._wakes[key] = min(moments)
        delay = (min(moments) - now + _NOTICE).total_seconds()
        asyncio.get_running_loop().call_later(delay, self._woken, key)

    def _woken(self, key: ObjectKey) -> None:
        self._wakes.pop(key, None)
        if self._notify is not None:
            self._notify(key)

    async def _group(self, obj: DevMachinePool) -> DevScalingGroup:
        """The newest of what the cache has and what was written. Raises InstanceGroupNotFound, NotOwned."""
        cached, written = self._groups.get(obj.key), self._written.get(obj.key)
        if cached is None:
            self._deleted.pop(obj.key, None)
        elif cached.metadata.uid == self._deleted.get(obj.key):
            cached = None
        if written is not None and (cached is None or _version(cached) < _version(written)):
            return written
        self._written.pop(obj.key, None)
        group = cached if cached is not None else await self._read(obj.key)
        if not any(owner.uid == obj.metadata.uid for owner in group.metadata.owner_references):
            raise NotOwned(str(obj.key))
        return group

    async def _read(self, key: ObjectKey) -> DevScalingGroup:
        try:
            return await self._client.get(DevScalingGroup, key.name, key.namespace)
        except errors.NotFound:
            raise InstanceGroupNotFound(str(key)) from None

    async def _template(
        self, pool: Pool[DevMachinePool], launch: Launch, known: InstanceTemplate | None
    ) -> InstanceTemplate:
        """The template wanted; the bootstrap data is read only where it is another than the group has."""
        if known is not None and known.bootstrap == launch.bootstrap_version:
            labels, taints = known.labels, known.taints
        else:
            labels, taints = launching.registration(await launch.read_bootstrap())
        return launching.template(pool.object, pool.version, launch, labels, taints)

    async def _create(self, pool: Pool[DevMachinePool], template: InstanceTemplate, replicas: int) -> None:
        meta = pool.object.metadata
        owner = objects.owner_reference(pool.object)
        group = objects.new(
            DevScalingGroup,
            metadata=ObjectMeta(
                name=meta.name, namespace=meta.namespace, labels=dict(meta.labels), owner_references=(owner,)
            ),
            spec=DevScalingGroupSpec(
                cluster_name=pool.cluster.metadata.name,
                replicas=replicas,
                template=template,
                zones=launching.zones(pool),
            ),
        )
        try:
            self._written[pool.key] = await self._client.create(group)
        except errors.AlreadyExists:
            raise GroupChanged(str(pool.key), "it exists already") from None

    async def _patch(self, key: ObjectKey, spec: Raw, *, version: str = "") -> None:
        try:
            self._written[key] = await self._client.patch(
                DevScalingGroup, key.name, key.namespace, patch={"spec": spec}, resource_version=version
            )
        except errors.NotFound:
            raise InstanceGroupNotFound(str(key)) from None
        except errors.Conflict:
            raise GroupChanged(str(key), "somebody wrote it") from None


def _instance(member: DevInstance, state: InstanceState) -> Instance:
    meta, spec = member.metadata, member.spec
    return Instance(
        id=meta.name,
        provider_id=spec.provider_id,
        state=state,
        revision=spec.revision,
        zone=spec.zone,
        created=meta.creation_timestamp,
        name=meta.name,
        marked=Annotation.DELETE_MACHINE in meta.annotations,
        message=member.status.message,
        addresses=(("InternalIP", spec.address),) if spec.address else (),
    )


def _replaced(old: InstanceTemplate, new: InstanceTemplate) -> Raw:
    """A merge patch that leaves nothing of the old template."""
    before, after = msgspec.to_builtins(old), msgspec.to_builtins(new)
    gone: Raw = {key: None for key in before if key not in after}
    labels = {key: None for key in old.labels if key not in new.labels} | new.labels
    return {**after, **gone, "labels": labels or None}


def _version(group: DevScalingGroup) -> int:
    return int(group.metadata.resource_version or 0)


def _tell(notify: Callable[[ObjectKey], None], old: DevScalingGroup | None, new: DevScalingGroup | None) -> None:
    group = new or old
    if group is not None and (old is None or new is None or old.spec != new.spec or old.status != new.status):
        notify(group.key)


def _tell_of_instance(notify: Callable[[ObjectKey], None], old: DevInstance | None, new: DevInstance | None) -> None:
    instance = new or old
    if instance is not None:
        notify(ObjectKey(instance.metadata.namespace, instance.spec.group))
