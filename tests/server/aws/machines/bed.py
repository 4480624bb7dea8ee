"""One machine on moto and virtual time: the machine controller alone, which can die at any call and start anew."""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from moto.backends import get_backend

from capipool.api import crds
from capipool.api.builtin import Secret
from capipool.api.core import Cluster
from capipool.apiserver.server import Server
from capipool.apiserver.store.journal import MemoryJournal
from capipool.app.transport import InProcessTransport
from capipool.client import Client
from capipool.machinery import errors, objects
from capipool.machinery.calls import ADMIN, Call
from capipool.machinery.objects import ObjectMeta, Raw, Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws import kinds as aws_kinds
from capipool.providers.aws.api.cluster import AWSCluster
from capipool.providers.aws.identities import kinds as identity_kinds
from capipool.providers.aws.machines import kinds as machine_kinds
from capipool.providers.aws.machines import setup
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.machines.reconciler import AWSMachineReconciler
from capipool.runtime import Manager
from capipool.testing import virtual
from tests.server.aws import cloud
from tests.server.aws.cloud import ACCOUNT, REGION, Cloud
from tests.server.aws.machines import gaps
from tests.server.aws.machines.watching import Watched
from tests.server.core_world import DEFINITIONS

NS = "default"
NAME = "m"
KINDS = {"clusters", "machines", "awsclusters", "awsmachines", "awsmachinepools", "awsclusterroleidentities"}
"""The kinds that are served: each takes its time to be."""
LABELS = {"cluster.x-k8s.io/cluster-name": "c"}


class _Writing(InProcessTransport):
    """The controller's way to the API server: its writes of machines can fail like its calls to AWS."""

    def __init__(self, bed: Bed) -> None:
        super().__init__(bed.server, "", ADMIN)
        self._bed = bed

    async def call(self, call: Call) -> Any:
        if call.verb in ("get", "list") or call.resource.kind != "AWSMachine":
            return await super().call(call)
        await self._bed.calls.fault("write", False)
        answer = await super().call(call)
        await self._bed.calls.fault("write", True)
        return answer


class Bed:
    """A management cluster with one cluster in AWS."""

    def __init__(self, cloud: Cloud, server: Server) -> None:
        self.cloud = cloud
        self.server = server
        self.clock = virtual.clock()
        self.client = Client(InProcessTransport(server, "", ADMIN))
        self.calls = Watched(cloud.endpoint)
        self.facts: dict[str, str] = {}
        self._run: asyncio.Task[None] | None = None

    # --- the controller

    async def start(self) -> None:
        """Start the controller, as a new process would."""
        client = Client(_Writing(self))
        self.manager = Manager(client, clock=self.clock, rng=random.Random(2), grace=dt.timedelta(0))
        setup.setup(self.manager, self.calls)
        self._run = asyncio.create_task(self.manager.run())
        await self.manager.started.wait()

    async def stop(self) -> None:
        """End it, and cut off whatever it is at."""
        if self._run is not None:
            await self.manager.stop()
            await self._run
            self._run = None

    async def restart(self) -> None:
        await self.stop()
        await self.start()

    async def again(self, times: int = 1) -> None:
        """Reconcile the machine so often, as if somebody had asked for it."""
        reconciler: AWSMachineReconciler = self.manager._controllers[0]._reconciler  # type: ignore[assignment]
        for _ in range(times):
            await asyncio.sleep(120)  # so that nothing that was seen is fresh
            await reconciler.reconcile(ObjectKey(NS, NAME))

    # --- what there is before

    async def install(self) -> None:
        for rules in (*aws_kinds.rules(), *machine_kinds.rules(), *identity_kinds.rules()):
            self.server.add_rules(rules)
        made = {c["metadata"]["name"]: c for k in (crds, aws_kinds, machine_kinds, identity_kinds) for c in k.crds()}
        for raw in (raw for name, raw in made.items() if name.partition(".")[0] in KINDS):
            await self.client.create(objects.from_raw(Unstructured, raw), resource=DEFINITIONS)
        self.facts = self.cloud.furnish("c")
        reference = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "AWSCluster", "name": "c"}
        await self.create("cluster.x-k8s.io/v1beta2", "Cluster", "c", {"infrastructureRef": reference})
        network = {"subnets": [{"id": self.facts["subnet"], "availabilityZone": f"{REGION}a"}]}
        spec = {"region": REGION, "network": network, "additionalTags": {"cost": "1"}}
        await self.create(AWSCluster.RESOURCE.api_version, "AWSCluster", "c", spec, labels=LABELS)
        group = {"node": {"id": self.facts["group"], "name": "node"}}
        await self.status(AWSCluster, "c", {"ready": True, "networkStatus": {"securityGroups": group}})
        await self.boot(b"#cloud-config\n")

    async def boot(self, data: bytes, **more: bytes) -> None:
        """Write the bootstrap data."""
        secret = objects.new(Secret, metadata=ObjectMeta(name="boot", namespace=NS), data={"value": data, **more})
        with contextlib.suppress(errors.NotFound):
            await self.client.delete(Secret, "boot", NS)
        await self.client.create(secret)

    async def provision(self) -> None:
        """The cluster's infrastructure is there."""
        await self.status(Cluster, "c", {"initialization": {"infrastructureProvisioned": True}})

    async def machine(
        self, *, data: str | None = "boot", zone: str = "", owner: Raw | None = None, **spec: Any
    ) -> None:
        """Make a Machine and its AWSMachine."""
        reference = {"apiGroup": "infrastructure.cluster.x-k8s.io", "kind": "AWSMachine", "name": NAME}
        wanted: Raw = {"clusterName": "c", "version": "v1.31.0", "infrastructureRef": reference}
        config = {"apiGroup": "bootstrap.cluster.x-k8s.io", "kind": "KubeadmConfig", "name": "later"}
        wanted |= {"bootstrap": {"dataSecretName": data} if data else {"configRef": config}}
        wanted |= {"failureDomain": zone} if zone else {}
        made = await self.create("cluster.x-k8s.io/v1beta2", "Machine", NAME, wanted)
        owner = owner or {"apiVersion": made.api_version, "kind": "Machine", "name": NAME, "uid": made.metadata.uid}
        said = {"instanceType": "t3.large", "ami": {"id": self.facts["image"]}, **spec}
        meta = {"labels": LABELS, "ownerReferences": [owner]}
        await self.create(AWSMachine.RESOURCE.api_version, "AWSMachine", NAME, said, **meta)

    async def create(self, api_version: str, kind: str, name: str, spec: Raw, **metadata: Any) -> Unstructured:
        meta = {"name": name, "namespace": NS, **metadata}
        raw = {"apiVersion": api_version, "kind": kind, "metadata": meta, "spec": spec}
        return await self.client.create(objects.from_raw(Unstructured, raw))

    async def status(self, kind: Any, name: str, status: Raw) -> None:
        await self.client.patch(kind, name, NS, patch={"status": status}, subresource="status")

    async def patch(self, patch: Raw) -> None:
        """Change the AWSMachine."""
        await self.client.patch(AWSMachine, NAME, NS, patch=patch)

    # --- looking

    async def obj(self) -> AWSMachine:
        return await self.client.get(AWSMachine, NAME, NS)

    async def gone(self) -> bool:
        try:
            await self.obj()
        except errors.NotFound:
            return True
        return False

    def instances(self) -> list[Any]:
        """All that were ever made, in whatever state."""
        found = self.cloud.ec2.describe_instances()["Reservations"]
        return [i for r in found for i in r["Instances"]]

    def states(self) -> list[str]:
        """The states of all that were ever made, without a call."""
        backend = get_backend("ec2")[ACCOUNT][REGION]
        return [i.state for r in list(backend.reservations.values()) for i in list(r.instances)]

    def group(self, name: str) -> str:
        """Make a security group."""
        vpc = get_backend("ec2")[ACCOUNT][REGION].subnets
        found = next(each[self.facts["subnet"]].vpc_id for each in vpc.values() if self.facts["subnet"] in each)
        return str(self.cloud.ec2.create_security_group(GroupName=name, Description="g", VpcId=found)["GroupId"])

    async def condition(self, type_: str = "InstanceReady") -> tuple[str, str, str]:
        """Status, reason and message."""
        found = next((c for c in (await self.obj()).status.conditions if c.type == type_), None)
        return (found.status, found.reason, found.message) if found is not None else ("", "", "")

    async def until(self, so: Callable[[], Awaitable[bool]], *, seconds: float = 1800, step: float = 1) -> None:
        """Let virtual time pass until something is so; look again after each step."""
        for _ in range(int(seconds / step)):
            if await so():
                return
            await asyncio.sleep(step)
        obj = None if await self.gone() else objects.to_raw(await self.obj())
        raise AssertionError(f"not so after {seconds} s: {obj} {self.states()}")

    async def ready(self) -> AWSMachine:
        """Wait until the machine is."""

        async def so() -> bool:
            return bool((await self.obj()).status.ready)

        await self.until(so)
        return await self.obj()

    async def delete(self) -> None:
        """Delete the AWSMachine, and wait until it is gone."""
        await self.client.delete(AWSMachine, NAME, NS)
        await self.until(self.gone)


@asynccontextmanager
async def bed() -> AsyncIterator[Bed]:
    """A cluster in AWS whose infrastructure is there, and the controller running."""
    with cloud.running() as running, gaps.closed():
        server = Server(journal=MemoryJournal(), clock=virtual.clock(), rng=random.Random(1))
        await server.start()
        made = Bed(running, server)
        await made.install()
        await made.provision()
        await made.start()
        try:
            yield made
        finally:
            await made.stop()
            await made.calls.close()
            await server.stop()


def in_a_bed(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Run a test on virtual time."""

    def run(*arguments: Any) -> None:
        async def main() -> None:
            async with bed() as made:
                await test(made, *arguments)

        virtual.run(main(), limit=dt.timedelta(days=2))

    run.__name__ = test.__name__
    run.__doc__ = test.__doc__
    return run
