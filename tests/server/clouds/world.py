"""A whole installation for providers of clouds: core, kubeadm, the provider, a real clock, and a cluster that exists.

The management API and the workload cluster are address spaces of one embedded server. Controllers can be stopped and
started anew on the same state, as after the death of the process. Shared by the tests of every cloud.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from capipool.api.builtin import Node, Pod, PodDisruptionBudget, Secret
from capipool.api.core import MachinePool
from capipool.app.dialing import Dialer
from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.app.spaces import Spaces
from capipool.client import Client
from capipool.core import setup as core
from capipool.core.options import Options
from capipool.machinery import codec, errors, objects
from capipool.machinery.admission import Rules
from capipool.machinery.clock import Clock, SystemClock
from capipool.machinery.objects import ObjectMeta, Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.kubeadm import certificates
from capipool.providers.kubeadm import setup as kubeadm
from capipool.providers.kubeadm.certificates import Certificate
from capipool.runtime import Manager
from capipool.workload import nodes
from capipool.workload.connections import Connections
from tests.server.clouds.joining import Joiner, ListRunning
from tests.server.core_world import DEFINITIONS, definition

NS = "default"
CONTROL_PLANES = Resource(
    "controlplane.cluster.x-k8s.io", "v1beta1", "KubeadmControlPlane", "kubeadmcontrolplanes", namespaced=True
)
"""A double: the manifests of clouds name one, and capipool has none."""

Setup = Callable[[Manager, Connections], None]
"""Adds a provider's controllers to a manager that is about to start."""


class World:
    """What a test acts on and looks at. `client` and `workload` are the test's own, beside the controllers'."""

    def __init__(self, running: Embedded, cluster: str, setup: Setup) -> None:
        self.running = running
        self.cluster = cluster
        self.client = running.client
        self.workload = Client(running.transport(f"{NS}/{cluster}"))
        self.setup = setup
        self.manager: Manager
        self._task: asyncio.Task[None] | None = None
        self._joiners: list[asyncio.Task[None]] = []
        assert running.home is not None
        secret = b"of this test"
        self._spaces = Spaces(running.server, running.authenticator, url=running.url, ca=running.home.ca, secret=secret)

    # --- the installation

    async def serve(self, crds: Iterable[Raw], rules: Iterable[Rules] = ()) -> None:
        """Serve the kinds of a provider, those that the installation does not serve already."""
        fresh = set()
        for raw in crds:
            with contextlib.suppress(errors.AlreadyExists):
                await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
                fresh.add((raw["spec"]["group"], raw["spec"]["names"]["kind"]))
        for each in rules:
            if each.resource.group_kind in fresh:
                self.running.server.add_rules(each)

    async def start(self) -> None:
        """Start the controllers, as a new process would."""
        rng = random.Random(2)
        manager = Manager(self.client, clock=self.running.clock, rng=rng, grace=dt.timedelta(0))
        connections = Connections(Dialer(self.running.home, self.running.clock), manager.caches, rng=rng)
        core.setup(manager, connections, Options())
        kubeadm.setup(manager, connections, token_rng=random.Random(3))
        self.setup(manager, connections)
        self.manager = manager
        self._task = asyncio.create_task(manager.run())
        await manager.started.wait()

    async def stop(self) -> None:
        """End the controllers, and cut off whatever they are at."""
        if self._task is not None:
            await self.manager.stop()
            await self._task
            self._task = None

    async def restart(self) -> None:
        """Let the controllers die and start others on the same state."""
        await self.stop()
        await self.start()

    async def close(self) -> None:
        """End everything that was started here."""
        for task in self._joiners:
            task.cancel()
        await asyncio.gather(*self._joiners, return_exceptions=True)
        await self.stop()

    # --- a cluster that exists

    async def bring_cluster(self, *, control_plane: str = "") -> None:
        """The API server of the workload cluster, its secrets, and its control plane object where one is named."""
        config = await self._spaces.ensure(NS, self.cluster)
        authority = certificates.generate(
            Certificate(suffix="ca", cert_path="", key_path=""), now=self.running.clock.now(), algorithm="ECDSA-P256"
        )
        await self._secret("kubeconfig", {"value": config})
        await self._secret("ca", authority)
        if control_plane:
            await self.serve([definition(CONTROL_PLANES, "v1beta1")])
            raw = {
                "apiVersion": CONTROL_PLANES.api_version,
                "kind": CONTROL_PLANES.kind,
                "metadata": {"name": control_plane, "namespace": NS},
                "spec": {"version": "v1.31.0", "replicas": 3},
            }
            await self.client.create(objects.from_raw(Unstructured, raw))
            status = {"initialized": True, "ready": True, "replicas": 3, "readyReplicas": 3, "version": "v1.31.0"}
            await self.client.patch(CONTROL_PLANES, control_plane, NS, patch={"status": status}, subresource="status")

    async def _secret(self, suffix: str, data: dict[str, bytes]) -> None:
        labels = {"cluster.x-k8s.io/cluster-name": self.cluster}
        meta = ObjectMeta(name=f"{self.cluster}-{suffix}", namespace=NS, labels=labels)
        await self.client.create(objects.new(Secret, metadata=meta, type="cluster.x-k8s.io/secret", data=data))

    async def load(self, text: str, *, without: Collection[str] = (), edits: Sequence[tuple[str, str]] = ()) -> None:
        """Apply a YAML text with a few words replaced; each must be there. `without`: kinds that are left out."""
        for before, after in edits:
            assert before in text, f"{before!r} is not in the manifest"
            text = text.replace(before, after)
        for raw in codec.decode_yaml(text):
            if raw["kind"] not in without:
                raw["metadata"].setdefault("namespace", NS)
                await self.client.apply(raw)

    def joiner(self, list_running: ListRunning) -> Joiner:
        """Simulated nodes for whatever a cloud lists as running, from now on."""
        made = Joiner(self.workload, list_running, clock=self.running.clock)
        self._joiners.append(asyncio.create_task(made.run()))
        return made

    # --- what users do

    async def patch(self, kind: Any, name: str, patch: Raw) -> None:
        """Change an object of a kind (a type, or a Resource)."""
        await self.client.patch(kind, name, NS, patch=patch)

    async def scale(self, pool: str, replicas: int) -> None:
        """Change how many replicas a MachinePool wants."""
        await self.patch(MachinePool, pool, {"spec": {"replicas": replicas}})

    async def upgrade(self, pool: str, version: str) -> None:
        """Change the version that a MachinePool wants."""
        await self.patch(MachinePool, pool, {"spec": {"template": {"spec": {"version": version}}}})

    async def run_pods(self, app: str) -> list[str]:
        """One pod of an application on each node, all running. Returns their names."""
        names = []
        for node in await self.workload.list(Node):
            names.append(f"{app}-{node.metadata.name}")
            meta: Raw = {"name": names[-1], "namespace": NS, "labels": {"app": app}}
            spec = {"nodeName": node.metadata.name, "containers": [{"name": "c", "image": "i"}]}
            raw = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}
            await self.workload.create(objects.from_raw(Pod, raw))

        async def run() -> bool:
            return all(p.status.phase == "Running" for p in await self.workload.list(Pod, NS))

        await self.until(run)
        return names

    async def protect(self, app: str, **budget: Any) -> None:
        """A PodDisruptionBudget for an application, of its name."""
        spec = {**budget, "selector": {"matchLabels": {"app": app}}}
        raw = {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": app, "namespace": NS}}
        await self.workload.create(objects.from_raw(PodDisruptionBudget, {**raw, "spec": spec}))

    async def unprotect(self, app: str) -> None:
        """Delete the PodDisruptionBudget of an application."""
        await self.workload.delete(PodDisruptionBudget, app, NS)

    # --- looking

    async def pods(self) -> list[Pod]:
        """The pods of the workload cluster."""
        return await self.workload.list(Pod, NS)

    async def until(
        self,
        so: Callable[[], Awaitable[bool]],
        *,
        seconds: float = 30,
        why: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Look again and again until something is so; fail at the deadline with what `why` says."""
        end = time.monotonic() + seconds
        while not await so():
            for joiner in self._joiners:
                if joiner.done():
                    joiner.result()  # it runs until cancelled: this raises what it died of
            if time.monotonic() > end:
                said = await why() if why is not None else ""
                raise AssertionError(f"not so after {seconds} s: {said}")
            await asyncio.sleep(0.02)

    async def pool(self, name: str) -> MachinePool:
        """A MachinePool."""
        return await self.client.get(MachinePool, name, NS)

    async def ready_nodes(self) -> list[Node]:
        """The nodes that are Ready, by name."""
        return sorted(filter(nodes.is_ready, await self.workload.list(Node)), key=lambda n: n.metadata.name)

    async def running_pool(self, name: str, count: int, *, version: str = "", seconds: float = 30) -> None:
        """Wait until a MachinePool is Running with so many ready nodes (of a version), and no others."""

        async def so() -> bool:
            pool = await self.pool(name)
            there = [n for n in await self.ready_nodes() if _is_of(n, version)]
            every = len(await self.workload.list(Node))
            return pool.status.phase == "Running" and len(pool.status.node_refs) == every == count == len(there)

        await self.until(so, seconds=seconds, why=lambda: self.described(name))

    async def described(self, name: str) -> str:
        """What a MachinePool and its infrastructure say of themselves, for a test that fails."""
        pool = await self.pool(name)
        reference = pool.spec.template.spec.infrastructure_ref
        served = await self.client.get(DEFINITIONS, f"{reference.kind.lower()}s.{reference.api_group}")
        version = next(v["name"] for v in objects.to_raw(served)["spec"]["versions"] if v.get("storage"))
        plural = f"{reference.kind.lower()}s"
        where = Resource(reference.api_group, version, reference.kind, plural, namespaced=True)
        found = await self.client.get(where, reference.name, NS)
        said = [f"MachinePool {pool.status.phase}, replicas {pool.status.replicas}"]
        said += [f"  {c.type} {c.status} {c.reason}: {c.message}" for c in pool.status.conditions]
        said += [f"{reference.kind} {objects.to_raw(found).get('status')}"]
        said += [f"node {n.metadata.name} {n.spec.provider_id}" for n in await self.workload.list(Node)]
        return "\n".join(said)


def _is_of(node: Node, version: str) -> bool:
    return version in ("", node.status.node_info.kubelet_version)


@asynccontextmanager
async def world(
    setup: Setup,
    *,
    cluster: str = "demo",
    control_plane: str = "",
    crds: Iterable[Raw] = (),
    rules: Iterable[Rules] = (),
    clock: Clock | None = None,
) -> AsyncIterator[World]:
    """An installation with a cluster that exists, and the controllers running.

    `setup` adds the provider's controllers; `crds` and `rules` are its kinds. `control_plane`: the name of the
    KubeadmControlPlane that the manifests' Cluster refers to; empty where it refers to none. `clock`: another than the
    machine's, on a virtual loop.
    """
    async with Embedded(Settings(controllers=False), clock=clock or SystemClock(), rng=random.Random(1)) as running:
        made = World(running, cluster, setup)
        try:
            await made.serve(crds, rules)
            await made.bring_cluster(control_plane=control_plane)
            await made.start()
            yield made
        finally:
            await made.close()
