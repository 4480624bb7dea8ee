"""Simulated kubelets: what runs on the instances of the development cloud, as far as a cluster sees it.

They register Nodes, renew Leases, run the pods they are given, obey evictions, and are gone with their instance. One
task for each workload cluster tends all its kubelets, by a heap of due times: three thousand idle nodes cost little
more than their lease renewals.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import heapq
import random
from collections.abc import Iterable

from capipool.api.builtin import Lease, Node, Pod
from capipool.machinery import clock, errors
from capipool.machinery.clock import Clock
from capipool.machinery.resource import ObjectKey
from capipool.providers.dev import registering
from capipool.providers.dev.api.cloud import DevInstance, DevScalingGroup, Fault, InstancePhase
from capipool.runtime.cache import Cache
from capipool.runtime.logs import Logger
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections, WorkloadCluster

_log = Logger("capipool.providers.dev.kubelets")

BY_CLUSTER = "spec.clusterName"
BY_NODE = "spec.nodeName"
LEASES = "kube-node-lease"
_GRANULE = dt.timedelta(milliseconds=500)
"""Renewals are done in batches, all that fall into the same half second."""
_AT_ONCE = 64
_RETRY = dt.timedelta(seconds=1)
_SILENT = dt.timedelta(seconds=40)
"""After how long without a heartbeat a control plane gives a node up, as upstream's default is."""


class Kubelets:
    """All kubelets of all workload clusters."""

    def __init__(self, manager: Manager, connections: Connections) -> None:
        self._clock = manager.clock
        self._rng = manager.rng
        self._instances = manager.caches.of(DevInstance)
        self._groups = manager.caches.of(DevScalingGroup)
        self._instances.add_index(BY_CLUSTER, _cluster_of)
        self._connections = connections
        self._clusters: dict[ObjectKey, _Cluster] = {}

    async def run(self) -> None:
        """Tend kubelets until cancelled."""
        await self._instances.synced()
        self._connections.subscribe(self._connected)
        stop = self._instances.subscribe(self._changed)
        try:
            await asyncio.Event().wait()
        finally:
            stop()
            await asyncio.gather(*(cluster.close() for cluster in self._clusters.values()))
            self._clusters.clear()

    def _connected(self, key: ObjectKey, workload: WorkloadCluster | None) -> None:
        known = self._clusters.get(key)
        if workload is None:
            self._forget_if_over(key)
            return
        if known is not None and known.workload is workload:
            return
        if known is not None:
            known.abandon()
        members = self._instances.by(BY_CLUSTER, str(key))
        self._clusters[key] = _Cluster(workload, self._instances, members, clock=self._clock, rng=self._rng)

    def _changed(self, old: DevInstance | None, new: DevInstance | None) -> None:
        instance = new or old
        if instance is None:
            return
        key = ObjectKey(instance.metadata.namespace, instance.spec.cluster_name)
        cluster = self._clusters.get(key)
        if cluster is not None:
            cluster.look_at(instance.metadata.name)
        if new is None:
            self._forget_if_over(key)

    def _forget_if_over(self, key: ObjectKey) -> None:
        """Let go of a cluster that is gone. One that is only away and has nodes left is met again when it is back."""
        if self._connections.get(key) is None and not self._instances.by(BY_CLUSTER, str(key)):
            cluster = self._clusters.pop(key, None)
            if cluster is not None:
                cluster.abandon()


class _Cluster:
    """The kubelets of one workload cluster."""

    def __init__(
        self,
        workload: WorkloadCluster,
        instances: Cache[DevInstance],
        members: Iterable[DevInstance],
        *,
        clock: Clock,
        rng: random.Random,
    ) -> None:
        self.workload = workload
        self._client = workload.client
        self._instances = instances
        self._clock = clock
        self._rng = rng
        self._due: list[tuple[dt.datetime, str]] = []
        self._next: dict[str, dt.datetime] = {}
        """When each kubelet is to be looked at next; what the heap has beyond that is void."""
        self._joined: set[str] = set()
        self._leased: set[str] = set()
        self._beats: dict[str, dt.datetime] = {}
        """When each kubelet renews its lease next."""
        self._silent: dict[str, dt.datetime] = {}
        self._pods = workload.caches.of(Pod)
        self._pods.add_index(BY_NODE, _node_of)
        self._pod_tasks: set[asyncio.Task[None]] = set()
        self._wake = asyncio.Event()
        for member in members:
            self.look_at(member.metadata.name)
        self._unsubscribe = [
            workload.nodes.cache.subscribe(self._node_changed),
            self._pods.subscribe(self._pod_changed),
        ]
        self._task = asyncio.create_task(self._run(), name=f"kubelets of {workload.key}")

    def look_at(self, name: str, at: dt.datetime | None = None) -> None:
        """Tend a kubelet, now or at a time, unless it is due earlier."""
        moment = at or self._clock.now()
        if (known := self._next.get(name)) is not None and known <= moment:
            return
        self._next[name] = moment
        heapq.heappush(self._due, (moment, name))
        self._wake.set()

    def abandon(self) -> None:
        """Stop without waiting."""
        for unsubscribe in self._unsubscribe:
            unsubscribe()
        self._unsubscribe.clear()
        self._task.cancel()

    async def close(self) -> None:
        """Stop. Idempotent."""
        self.abandon()
        await asyncio.gather(self._task, *self._pod_tasks, return_exceptions=True)

    async def _run(self) -> None:
        await self._pods.synced()
        while True:
            self._wake.clear()
            for batch in _batches(self._take_due()):
                await asyncio.gather(*(self._tend(name) for name in batch))
            await self._sleep()

    def _take_due(self) -> list[str]:
        now = self._clock.now()
        taken = []
        while self._due and self._due[0][0] <= now:
            moment, name = heapq.heappop(self._due)
            if self._next.get(name) == moment:
                del self._next[name]
                taken.append(name)
        return taken

    async def _sleep(self) -> None:
        """Until somebody wakes us, or the next one is due."""
        timeout = None
        if self._due:
            timeout = max((self._due[0][0] - self._clock.now()).total_seconds(), 0.0)
        try:
            async with asyncio.timeout(timeout):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _tend(self, name: str) -> None:
        """Do what is due for one kubelet, and note when it is due next."""
        try:
            again = await self._step(name)
        except errors.ApiError as error:
            _log.debug("kubelet failed", node=name, why=error.message)
            again = self._clock.now() + _RETRY
        if again is not None:
            self.look_at(name, again)

    async def _step(self, name: str) -> dt.datetime | None:
        instance = self._instances.get(ObjectKey(self.workload.key.namespace, name))
        if instance is None or instance.spec.cluster_name != self.workload.key.name:
            await self._leave(name)
            return None
        if instance.deleting or instance.status.phase == InstancePhase.FAILED:
            return None
        now = self._clock.now()
        joins = clock.parse_time(instance.spec.joins_at)
        if now < joins:
            return joins
        if _never_joins(instance) and name not in self._joined and self.workload.nodes.get(name) is None:
            return None
        if name not in self._joined:
            await self._join(instance, now)
        return await self._live(instance, now)

    async def _join(self, instance: DevInstance, now: dt.datetime) -> None:
        """Register the node, ready at once: a kubelet's first report and its registration are one write here."""
        name = instance.metadata.name
        if self.workload.nodes.get(name) is None:
            try:
                await self._client.create(registering.node(instance, now))
            except errors.AlreadyExists:
                _log.debug("node exists already", node=name)
        self._joined.add(name)
        self._beats[name] = _coarse(now + self._rng.random() * dt.timedelta(seconds=instance.spec.renew_seconds))

    async def _live(self, instance: DevInstance, now: dt.datetime) -> dt.datetime:
        """Report health where it changed, and renew the lease where it is time."""
        name = instance.metadata.name
        order = instance.metadata.annotations.get(Fault.NODE, "")
        next_look = await self._report(name, order, now)
        if order == "silent":
            return next_look
        if now >= self._beats[name]:
            await self._renew(instance, now)
            self._beats[name] = _coarse(now + dt.timedelta(seconds=instance.spec.renew_seconds))
        return min(self._beats[name], next_look)

    async def _report(self, name: str, order: str, now: dt.datetime) -> dt.datetime:
        """Have the node's Ready condition say what was ordered. Returns when to look again for that alone."""
        far = now + dt.timedelta(days=1)
        if order != "silent":
            self._silent.pop(name, None)
        elif now < (gone := self._silent.setdefault(name, now + _SILENT)):
            return gone
        node = self.workload.nodes.get(name)
        wanted = registering.ready(order, now)
        if node is None or registering.says(node, wanted):
            return far
        patch = {"status": {"conditions": registering.conditions(node, wanted)}}
        await self._client.patch(Node, name, patch=patch, subresource="status")
        return far

    async def _renew(self, instance: DevInstance, now: dt.datetime) -> None:
        name = instance.metadata.name
        if name in self._leased:
            try:
                patch = {"spec": {"renewTime": clock.format_micro_time(now)}}
                await self._client.patch(Lease, name, LEASES, patch=patch)
                return
            except errors.NotFound:
                self._leased.discard(name)
        try:
            await self._client.create(registering.lease(instance, now))
        except errors.AlreadyExists:
            _log.debug("lease exists already", node=name)
        self._leased.add(name)

    async def _leave(self, name: str) -> None:
        """The machine is gone: its pods, its node and its lease go too, as a cloud controller sees to it."""
        for pod in self._pods.by(BY_NODE, name):
            await self._remove(pod)
        if name in self._joined or self.workload.nodes.get(name) is not None:
            await _gone(self._client.delete(Node, name))
            await _gone(self._client.delete(Lease, name, LEASES))
        for known in (self._joined, self._leased):
            known.discard(name)
        self._beats.pop(name, None)
        self._silent.pop(name, None)

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        """Look at nodes of ours that nobody looks at: left behind by a process that died, or deleted by somebody."""
        if new is None and old is not None and old.metadata.name in self._joined:
            self._joined.discard(old.metadata.name)
            self.look_at(old.metadata.name)
        elif new is not None and old is None and registering.is_ours(new) and new.metadata.name not in self._joined:
            self.look_at(new.metadata.name)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None or not new.spec.node_name:
            return
        node = self.workload.nodes.get(new.spec.node_name)
        if node is not None and registering.is_ours(node) and (new.deleting or new.status.phase in ("", "Pending")):
            task = asyncio.ensure_future(self._run_pod(new))
            self._pod_tasks.add(task)
            task.add_done_callback(self._pod_tasks.discard)

    async def _run_pod(self, pod: Pod) -> None:
        """Start a pod, or stop it. Best effort: the next change of it comes again."""
        try:
            await (self._remove(pod) if pod.deleting else self._start(pod))
        except errors.ApiError as error:
            _log.debug("pod not tended", pod=str(pod.key), why=error.message)

    async def _start(self, pod: Pod) -> None:
        patch = {"status": registering.running(pod, self._clock.now())}
        await _gone(
            self._client.patch(Pod, pod.metadata.name, pod.metadata.namespace, patch=patch, subresource="status")
        )

    async def _remove(self, pod: Pod) -> None:
        await _gone(self._client.delete(Pod, pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0))


def _cluster_of(instance: DevInstance) -> tuple[str, ...]:
    return (str(ObjectKey(instance.metadata.namespace, instance.spec.cluster_name)),)


def _node_of(pod: Pod) -> tuple[str, ...]:
    return (pod.spec.node_name,) if pod.spec.node_name else ()


def _never_joins(instance: DevInstance) -> bool:
    return instance.spec.fails or instance.metadata.annotations.get(Fault.BOOT) == "fail"


def _coarse(moment: dt.datetime) -> dt.datetime:
    """Round up to the granule, so that renewals come in batches."""
    beginning = dt.datetime.min.replace(tzinfo=dt.UTC)
    return moment + (-(moment - beginning) % _GRANULE)


def _batches(names: list[str]) -> Iterable[list[str]]:
    return (names[start : start + _AT_ONCE] for start in range(0, len(names), _AT_ONCE))


async def _gone(call: object) -> None:
    """Make a call on something that may be gone."""
    try:
        await call  # type: ignore[misc]
    except errors.NotFound:
        return
