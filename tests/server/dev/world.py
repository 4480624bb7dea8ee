"""The development cloud on an API server in memory, on virtual time; the test plays Cluster API's core."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import functools
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from capipool.api import crds
from capipool.api.builtin import Node, Pod, Secret
from capipool.api.core import Cluster, MachinePool
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client, kubeconfig
from capipool.machinery import errors, objects
from capipool.machinery.calls import ADMIN, Call
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.dev import kinds
from capipool.providers.dev import setup as dev
from capipool.providers.dev.api.cloud import DevInstance, DevScalingGroup
from capipool.providers.dev.api.cluster import DevCluster
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.runtime import Manager
from capipool.testing import virtual
from capipool.workload import nodes
from capipool.workload.connections import Connections

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
NS = "default"
FAST: Raw = {"vm": {"provisioning": {"startupDuration": "5s", "startupJitter": "0.5"}}}
URL = "https://dev.invalid"


class Counting(InProcessTransport):
    """Notes the writes that go through it."""

    def __init__(self, server: Server, space: str) -> None:
        super().__init__(server, space, ADMIN)
        self.writes: list[str] = []

    async def call(self, call: Call) -> Any:
        if call.verb not in ("get", "list"):
            self.writes.append(f"{call.verb} {call.resource.kind}{'/' + call.subresource if call.subresource else ''}")
        return await super().call(call)


class Spaces:
    """Workload clusters as address spaces."""

    def __init__(self, server: Server) -> None:
        self.server = server

    async def ensure(self, namespace: str, name: str) -> bytes:
        space = f"{namespace}/{name}"
        await self.server.ensure_space(space)
        return kubeconfig.build(server=f"{URL}/workload/{space}", ca=b"ca", cluster=name, user="admin", token="t")

    async def drop(self, namespace: str, name: str) -> None:
        await self.server.drop_space(f"{namespace}/{name}")


class World:
    """What a test acts on and looks at."""

    def __init__(self) -> None:
        self.clock = virtual.clock()
        self.server = Server(journal=MemoryJournal(), clock=self.clock, rng=random.Random(1))
        self.client = Client(InProcessTransport(self.server, "", ADMIN))
        self.workload = Client(InProcessTransport(self.server, f"{NS}/c", ADMIN))
        self.management = Counting(self.server, "")
        self.away = False
        self._run: asyncio.Task[None] | None = None

    async def install(self) -> None:
        for rules in kinds.rules():
            self.server.add_rules(rules)
        await self.server.start()
        for raw in (*crds.crds(), *kinds.crds()):
            await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)

    async def start(self, *, machine_pools: bool = True) -> None:
        """Start the controllers, as a new process would."""
        self.manager = Manager(Client(self.management), clock=self.clock, rng=random.Random(2), grace=dt.timedelta(0))
        self.connections = Connections(self._open, self.manager.caches, rng=random.Random(3))
        self.manager.add_task("connections", self.connections.run)
        dev.setup(self.manager, self.connections, Spaces(self.server), machine_pools=machine_pools)
        self._run = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()

    async def stop(self) -> None:
        """End the controllers, and cut off whatever they are at."""
        await self.manager.stop()
        if self._run is not None:
            await self._run

    async def _open(self, config: bytes) -> Client:
        if self.away:
            raise OSError("no route")
        space = kubeconfig.parse(config).server.removeprefix(f"{URL}/workload/")
        return Client(InProcessTransport(self.server, space, ADMIN))

    # --- what core and the bootstrap provider would do

    async def cluster(self) -> Cluster:
        """A cluster with its infrastructure, which is provisioned."""
        spec = {"infrastructureRef": {"apiGroup": DevCluster.RESOURCE.group, "kind": "DevCluster", "name": "c"}}
        made = await self.make("cluster.x-k8s.io/v1beta2", "Cluster", "c", spec)
        await self.make(DevCluster.RESOURCE.api_version, "DevCluster", "c", {"backend": {"inMemory": {}}}, owner=made)
        await self.until(lambda: self.provisioned("c"))
        patch = {"status": {"initialization": {"infrastructureProvisioned": True}}}
        return await self.client.patch(Cluster, "c", NS, patch=patch, subresource="status")

    async def provisioned(self, name: str) -> bool:
        return bool((await self.client.get(DevCluster, name, NS)).status.initialization.provisioned)

    async def boot_data(self, content: str = "echo join", token: str = "abcdef.0123456789abcdef") -> None:
        """Write the bootstrap data secret, as a provider that says no digest."""
        data = {"value": f"{content} {token}".encode()}
        raw = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "boot", "namespace": NS}}
        secret = objects.replace(objects.from_raw(Secret, raw), data=data)
        try:
            await self.client.create(secret)
        except errors.AlreadyExists:
            body = objects.to_raw(secret)["data"]
            await self.client.patch(Secret, "boot", NS, patch={"data": body})

    async def pool(self, name: str = "p", *, replicas: int = 3, backend: Raw | None = None, **spec: Any) -> None:
        """A MachinePool with its DevMachinePool."""
        reference = {"apiGroup": DevMachinePool.RESOURCE.group, "kind": "DevMachinePool", "name": name}
        template = {
            "clusterName": "c",
            "version": "v1.34.0",
            "bootstrap": {"dataSecretName": "boot"},
            "infrastructureRef": reference,
        }
        whole = {"clusterName": "c", "replicas": replicas, "template": {"spec": template}, **spec}
        owner = await self.make("cluster.x-k8s.io/v1beta2", "MachinePool", name, whole)
        backends = {"backend": {"inMemory": FAST if backend is None else backend}}
        await self.make(DevMachinePool.RESOURCE.api_version, "DevMachinePool", name, backends, owner=owner)

    async def make(
        self, api_version: str, kind: str, name: str, spec: Raw, *, owner: objects.Object | None = None
    ) -> Any:
        meta: Raw = {"name": name, "namespace": NS, "labels": {"cluster.x-k8s.io/cluster-name": "c"}}
        if owner is not None:
            about = {"apiVersion": owner.api_version, "kind": owner.kind}
            meta["ownerReferences"] = [{**about, "name": owner.metadata.name, "uid": owner.metadata.uid}]
        raw = {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
        types: dict[str, Any] = {c.RESOURCE.kind: c for c in (Cluster, MachinePool, DevCluster, DevMachinePool)}
        return await self.client.create(objects.from_raw(types[kind], raw))

    async def set(self, name: str = "p", **spec: Any) -> None:
        """Change a MachinePool's spec."""
        await self.client.patch(MachinePool, name, NS, patch={"spec": spec})

    async def upgrade(self, version: str, name: str = "p") -> None:
        await self.set(name, template={"spec": {"version": version}})

    async def annotate(self, instance: str, key: str, value: str | None) -> None:
        """Order something to happen to an instance."""
        await self.client.patch(DevInstance, instance, NS, patch={"metadata": {"annotations": {key: value}}})

    # --- looking

    async def until(self, condition: Callable[[], Coroutine[Any, Any, bool]], *, minutes: float = 30) -> None:
        """Let virtual time pass until something is so."""
        end = self.clock.now() + dt.timedelta(minutes=minutes)
        while not await condition():
            assert self.clock.now() < end, f"not so after {minutes} minutes: {await self.why()}"
            await asyncio.sleep(0.25)

    async def nodes(self) -> list[Node]:
        return sorted(await self.workload.list(Node), key=lambda n: n.metadata.name)

    async def ready(self) -> list[Node]:
        return [n for n in await self.nodes() if nodes.is_ready(n)]

    async def instances(self) -> list[DevInstance]:
        return sorted(await self.client.list(DevInstance, NS), key=lambda i: i.metadata.name)

    async def names(self) -> set[str]:
        return {i.metadata.name for i in await self.instances()}

    async def group(self, name: str = "p") -> DevScalingGroup:
        return await self.client.get(DevScalingGroup, name, NS)

    async def dev_pool(self, name: str = "p") -> DevMachinePool:
        return await self.client.get(DevMachinePool, name, NS)

    async def why(self, name: str = "p") -> str:
        """The pool's Ready condition, as text."""
        pool = await self.dev_pool(name)
        return next((f"{c.status} {c.reason}: {c.message}" for c in pool.status.conditions if c.type == "Ready"), "")

    async def settled(self, count: int, *, version: str = "", name: str = "p", minutes: float = 30) -> None:
        """Wait until a pool is at rest with so many ready nodes (of a version)."""

        async def rest() -> bool:
            pool = await self.dev_pool(name)
            there = [i for i in pool.status.instances if i.ready and version in ("", i.version)]
            everything = len(there) == len(pool.status.instances) == len(pool.spec.provider_id_list) == count
            return everything and (await self.why(name)).startswith("True")

        await self.until(rest, minutes=minutes)

    async def run_pod(self, name: str, node: str, *, labels: Raw | None = None) -> None:
        """A pod on a node, as a scheduler would place it."""
        meta: Raw = {"name": name, "namespace": NS, "labels": labels or {}}
        spec = {"nodeName": node, "containers": [{"name": "c", "image": "i"}]}
        raw = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
        await self.workload.create(objects.from_raw(Pod, raw))


def virtually(test: Callable[[World], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test in a world with a cluster and bootstrap data, on virtual time."""

    def run() -> None:
        async def whole() -> None:
            async with world() as made:
                await test(made)

        virtual.run(whole())

    functools.update_wrapper(run, test)
    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for the parameter
    return run


@contextlib.asynccontextmanager
async def world() -> AsyncIterator[World]:
    made = World()
    await made.install()
    await made.start()
    try:
        await made.boot_data()
        await made.cluster()
        yield made
    finally:
        await made.stop()
        await made.server.stop()
