"""A management cluster, a workload cluster and the core controllers in one process on virtual time.

The infrastructure provider is a foreign one: its kind is installed here, and the test plays its controller.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import random
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any

from capipool.api import crds, rules
from capipool.api.builtin import Node, Secret
from capipool.api.core import Cluster, MachinePool
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.client.transport import Transport
from capipool.core import setup as core
from capipool.core.options import Options
from capipool.machinery import errors, objects
from capipool.machinery.calls import ADMIN, Call
from capipool.machinery.objects import Object, ObjectMeta, Raw, Unstructured
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime import Manager, Result
from capipool.testing import virtual
from capipool.workload import connections
from capipool.workload.connections import Connections

DEFINITIONS = Resource("apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", False)
POOLS = Resource("acme.example.org", "v3", "AcmePool", "acmepools")
MACHINES = Resource("acme.example.org", "v3", "AcmeMachine", "acmemachines")
CONFIGS = Resource("boot.example.org", "v1", "AcmeConfig", "acmeconfigs")
CLUSTERS = Resource("acme.example.org", "v3", "AcmeCluster", "acmeclusters")
SPACE = "default/c"


def definition(resource: Resource, contract: str = "v1beta2") -> Raw:
    """The CustomResourceDefinition of a foreign kind that keeps a contract."""
    free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
    schema = {"type": "object", "properties": {"spec": free, "status": free}}
    version = {"name": resource.version, "served": True, "storage": True, "subresources": {"status": {}}}
    names = {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()}
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{resource.plural}.{resource.group}",
            "labels": {f"cluster.x-k8s.io/{contract}": resource.version},
        },
        "spec": {
            "group": resource.group,
            "scope": "Namespaced",
            "names": names | {"listKind": f"{resource.kind}List"},
            "versions": [version | {"schema": {"openAPIV3Schema": schema}}],
        },
    }


class CountingTransport(InProcessTransport):
    """Counts the writes that go through it, by verb and kind."""

    def __init__(self, server: Server, space: str) -> None:
        super().__init__(server, space, ADMIN)
        self.writes: list[Call] = []

    async def call(self, call: Call) -> Any:
        """Make one call."""
        if call.verb not in ("get", "list"):
            self.writes.append(call)
        return await super().call(call)

    def take(self, kind: str = "") -> list[str]:
        """The writes since last asked, as `verb kind[/subresource]`; of one kind if wanted. Events do not count."""
        calls, self.writes = self.writes, []
        named = [(c, f"{c.verb} {c.resource.kind}{'/' + c.subresource if c.subresource else ''}") for c in calls]
        return [text for c, text in named if c.resource.kind != "Event" and kind in ("", c.resource.kind)]


class World:
    """What a test acts on and looks at. `client` and `workload` are the test's own, beside the controllers'."""

    def __init__(self, options: Options | None = None) -> None:
        self.clock = virtual.clock()
        self.server = Server(journal=MemoryJournal(), clock=self.clock, rng=random.Random(1))
        self.client = Client(InProcessTransport(self.server, "", ADMIN))
        self.workload = Client(InProcessTransport(self.server, SPACE, ADMIN))
        self.options = options or Options()
        self.management_transport: Transport = CountingTransport(self.server, "")
        self.workload_transport: Transport = CountingTransport(self.server, SPACE)
        self.away = False
        self._run: asyncio.Task[None] | None = None

    @property
    def writes(self) -> CountingTransport:
        """The controllers' writes in the management cluster."""
        assert isinstance(self.management_transport, CountingTransport)
        return self.management_transport

    @property
    def node_writes(self) -> CountingTransport:
        """The controllers' writes in the workload cluster."""
        assert isinstance(self.workload_transport, CountingTransport)
        return self.workload_transport

    async def install(self) -> None:
        """Install our kinds and the foreign ones."""
        for made in rules.all_rules({}):
            self.server.add_rules(made)
        foreign = (definition(POOLS), definition(MACHINES), definition(CONFIGS), definition(CLUSTERS))
        for raw in (*crds.crds(), *foreign):
            await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
        await self.server.ensure_space(SPACE)

    async def start(self) -> None:
        """Start a manager, as a new process would."""
        rng = random.Random(2)
        self.manager = Manager(Client(self.management_transport), clock=self.clock, rng=rng)
        patient = connections.Settings(probe=dt.timedelta(seconds=15))
        self.connections = Connections(self._open, self.manager.caches, rng=rng, settings=patient)
        core.setup(self.manager, self.connections, self.options)
        self._count_runs()
        self._run = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()

    def _count_runs(self) -> None:
        """Count the reconciles of pools in `runs`, of this manager."""
        self.runs = 0
        controller = next((c for c in self.manager._controllers if c.name == "machinepool"), None)
        if controller is None:
            return
        inner = controller._reconciler.reconcile

        async def counted(key: ObjectKey) -> Result:
            self.runs += 1
            return await inner(key)

        controller._reconciler.reconcile = counted  # type: ignore[method-assign]

    async def stop(self) -> None:
        """Stop the manager."""
        await self.manager.stop()
        if self._run is not None:
            await asyncio.gather(self._run, return_exceptions=True)

    async def _open(self, kubeconfig: bytes) -> Client:
        if self.away:
            raise errors.ServiceUnavailable("the workload cluster is away")
        return Client(self.workload_transport)

    # --- what users and providers do

    async def create_cluster(self, *, kubeconfig: bool = True, **spec: Any) -> None:
        """A Cluster that brings its own control plane, and its kubeconfig."""
        endpoint = {"controlPlaneEndpoint": {"host": "127.0.0.1", "port": 6443}}
        await self.create("cluster.x-k8s.io/v1beta2", "Cluster", "c", {**endpoint, **spec})
        if kubeconfig:
            await self.create_kubeconfig()

    async def create_kubeconfig(self) -> None:
        meta = ObjectMeta(name="c-kubeconfig", namespace="default", labels={"cluster.x-k8s.io/cluster-name": "c"})
        await self.client.create(objects.new(Secret, metadata=meta, data={"value": b"kubeconfig"}))

    async def create_pool(self, name: str = "workers", *, replicas: int = 3, **template: Any) -> None:
        """A MachinePool of the foreign provider; `template` adds to spec.template.spec, `labels` to its metadata."""
        metadata = template.pop("metadata", {})
        annotations = template.pop("pool_annotations", {})
        spec = {
            "clusterName": "c",
            "version": "v1.34.0",
            "bootstrap": {"dataSecretName": "boot"},
            "infrastructureRef": {"apiGroup": POOLS.group, "kind": POOLS.kind, "name": name},
            **template,
        }
        made = {"spec": spec} | ({"metadata": metadata} if metadata else {})
        whole = {"clusterName": "c", "replicas": replicas, "template": made}
        await self.create("cluster.x-k8s.io/v1beta2", "MachinePool", name, whole, annotations=annotations)

    async def create(self, api_version: str, kind: str, name: str, spec: Raw, **metadata: Any) -> Unstructured:
        meta = {"name": name, "namespace": "default", **metadata}
        raw = {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
        return await self.client.create(objects.from_raw(Unstructured, raw))

    async def provide(self, name: str = "workers", *, ids: Iterable[str], finalizers: tuple[str, ...] = ()) -> None:
        """The foreign provider's controller reports these instances, as ready."""
        listed = list(ids)
        with suppress(errors.AlreadyExists):
            await self.create(POOLS.api_version, POOLS.kind, name, {}, finalizers=list(finalizers))
        await self.client.patch(POOLS, name, "default", patch={"spec": {"providerIDList": listed}})
        status = {"initialization": {"provisioned": True}, "ready": True, "replicas": len(listed)}
        await self.client.patch(POOLS, name, "default", patch={"status": status}, subresource="status")

    async def join(self, *names: str, ready: str = "True", version: str = "v1.34.0", provider_id: str = "") -> None:
        """Nodes register in the workload cluster, each named after its instance."""
        for name in names:
            spec = {"providerID": provider_id or f"acme://{name}"}
            taint = {"key": "node.cluster.x-k8s.io/uninitialized", "effect": "NoSchedule"}
            raw = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name}, "spec": spec | {"taints": [taint]}}
            await self.workload.create(objects.from_raw(Node, raw))
            await self.set_ready(name, ready, version=version)

    async def set_ready(self, name: str, ready: str, *, version: str = "v1.34.0", heartbeat: str = "") -> None:
        """A kubelet reports."""
        since = "2026-01-01T00:00:00Z"
        told = {"type": "Ready", "status": ready, "reason": "Kubelet", "lastTransitionTime": since}
        if heartbeat:
            told["lastHeartbeatTime"] = heartbeat
        status = {"conditions": [told], "nodeInfo": {"kubeletVersion": version}}
        await self.workload.patch(Node, name, patch={"status": status}, subresource="status")

    # --- what there is

    async def pool(self, name: str = "workers") -> MachinePool:
        return await self.client.get(MachinePool, name, "default")

    async def cluster(self) -> Cluster:
        return await self.client.get(Cluster, "c", "default")

    async def exists(self, kind: type[Object] | Resource, name: str) -> bool:
        try:
            await self.client.get(kind, name, "default")
        except errors.NotFound:
            return False
        return True

    async def node_names(self) -> list[str]:
        return sorted(n.metadata.name for n in await self.workload.list(Node))

    async def settle(self, seconds: float = 3) -> None:
        """Let virtual time pass."""
        await asyncio.sleep(seconds)


def ids(*names: str) -> list[str]:
    """The provider IDs of instances."""
    return [f"acme://{name}" for name in names]


def condition(obj: MachinePool | Cluster, type_: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition."""
    found = next(c for c in obj.status.conditions if c.type == type_)
    return found.status, found.reason, found.message


@asynccontextmanager
async def running(options: Options | None = None) -> AsyncIterator[World]:
    """A world whose controllers run."""
    world = World(options)
    await world.server.start()
    try:
        await world.install()
        await world.start()
        try:
            yield world
        finally:
            await world.stop()
    finally:
        await world.server.stop()


Test = Callable[[World], Coroutine[Any, Any, None]]


def in_a_world(test: Test) -> Callable[[], None]:
    """Run a test on virtual time, in a world of its own."""

    def run() -> None:
        async def main() -> None:
            async with running() as world:
                await test(world)

        virtual.run(main(), limit=dt.timedelta(days=2))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
