"""Simulated nodes of a cloud's instances: they register, report, run pods, and go when their instance is gone.

Plays the kubelets of all instances, and the cloud node controller that removes nodes without an instance. Knows a cloud
by one function only, which lists what runs there.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
from collections.abc import Callable, Iterable

from capipool.api.builtin import Node, Pod
from capipool.client import Client
from capipool.machinery import clock, errors, objects
from capipool.machinery.clock import Clock
from capipool.machinery.objects import Raw

ListRunning = Callable[[], Iterable[tuple[str, str]]]
"""Lists (node name, provider ID) of what runs now. Runs in a thread: it may call the cloud."""


class Joiner:
    """The nodes of one workload cluster. Tests set the fields while it runs."""

    def __init__(self, workload: Client, list_running: ListRunning, *, clock: Clock, interval: float = 0.05) -> None:
        self.workload = workload
        self.list_running = list_running
        self.interval = interval
        """Seconds between looks."""
        self.version: Callable[[str], str] = lambda provider_id: "v1.31.0"
        """The version of the kubelet on an instance, by provider ID."""
        self.joins: Callable[[str], bool] = lambda provider_id: True
        """Whether an instance, by provider ID, boots far enough to register."""
        self.sweeps = True
        """Whether nodes without an instance are removed, or stay NotReady for somebody else to remove."""
        self.stops_pods = True
        """Whether pods that were evicted stop, or hang."""
        self._clock = clock
        self._joined: set[str] = set()

    async def run(self) -> None:
        """Look again and again until cancelled. What fails once is mended by the next look."""
        while True:
            with contextlib.suppress(errors.ApiError):
                await self.step()
            await asyncio.sleep(self.interval)

    async def step(self) -> None:
        """Look once."""
        running = {id: name for name, id in await asyncio.to_thread(lambda: list(self.list_running()))}
        there = {n.spec.provider_id: n for n in await self.workload.list(Node) if n.spec.provider_id}
        for id, name in running.items():
            if id not in there and id not in self._joined and self.joins(id):
                await self._join(name, id)
        for id, node in there.items():
            if id not in running and id in self._joined:
                await self._lose(node)
        await self._tend_pods({n.metadata.name for n in there.values()})

    async def _join(self, name: str, provider_id: str) -> None:
        """A kubelet registers: when it starts, so that one whose node is deleted under it does not come back."""
        taint = {"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}
        raw = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {"name": name},
            "spec": {"providerID": provider_id, "taints": [taint]},
        }
        self._joined.add(provider_id)
        with contextlib.suppress(errors.AlreadyExists):
            await self.workload.create(objects.from_raw(Node, raw))
        await self._report(name, "True", self.version(provider_id))

    async def _lose(self, node: Node) -> None:
        """The instance is gone: the node is removed, or is unknown to be well."""
        name = node.metadata.name
        if self.sweeps:
            with contextlib.suppress(errors.NotFound):
                await self.workload.delete(Node, name)
        elif any(c.type == "Ready" and c.status == "True" for c in node.status.conditions):
            await self._report(name, "Unknown", node.status.node_info.kubelet_version)

    async def _report(self, name: str, ready: str, version: str) -> None:
        since = clock.format_time(clock.to_seconds(self._now()))
        told = {"type": "Ready", "status": ready, "reason": "Kubelet", "lastTransitionTime": since}
        status: Raw = {"conditions": [told], "nodeInfo": {"kubeletVersion": version}}
        await self.workload.patch(Node, name, patch={"status": status}, subresource="status")

    async def _tend_pods(self, nodes: set[str]) -> None:
        for pod in await self.workload.list(Pod):
            meta = pod.metadata
            if pod.deleting and (self.stops_pods or pod.spec.node_name not in nodes):
                with contextlib.suppress(errors.NotFound):
                    await self.workload.delete(Pod, meta.name, meta.namespace, grace_period_seconds=0)
            elif pod.status.phase in ("", "Pending") and pod.spec.node_name in nodes:
                ready = {"type": "Ready", "status": "True"}
                status: Raw = {"phase": "Running", "conditions": [ready]}
                await self.workload.patch(
                    Pod, meta.name, meta.namespace, patch={"status": status}, subresource="status"
                )

    def _now(self) -> dt.datetime:
        return self._clock.now()
