"""A whole installation on virtual time with the quickstart in it: what a user of `capipool up` has."""

from __future__ import annotations

import asyncio
import datetime as dt
import functools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from capipool.api.builtin import Node, Pod
from capipool.api.core import MachinePool
from capipool.app.embedded import Embedded
from capipool.cli import describe, tree
from capipool.client.client import Client
from capipool.machinery import codec, errors, objects
from capipool.machinery.objects import Object, Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.providers.dev.api.cloud import DevScalingGroup
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.providers.kubeadm.api.v1beta2.kubeadmconfig import KubeadmConfig
from capipool.testing import virtual
from capipool.testing.embedded import embedded
from capipool.workload import nodes

QUICKSTART = Path(__file__).parents[3] / "examples" / "quickstart.yaml"
BUDGETS = Resource("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets")
NS, POOL = "default", "workers"


class Whole:
    """What a test does to an installation, and looks at."""

    def __init__(self, running: Embedded) -> None:
        self.running = running
        self.client = running.client
        self.workload = Client(running.transport("default/quickstart"))

    async def begin(self, *, replicas: int = 3, **template: Any) -> None:
        """Apply the quickstart, with so many replicas and more in spec.template.spec, and wait until it runs."""
        for raw in codec.decode_yaml(QUICKSTART.read_text()):
            if raw["kind"] == "MachinePool":
                raw["spec"]["replicas"] = replicas
                raw["spec"]["template"]["spec"] |= template
            await self.client.apply(raw)
        await self.at_rest(replicas)

    async def pool(self) -> MachinePool:
        return await self.client.get(MachinePool, POOL, NS)

    async def group(self) -> DevScalingGroup:
        return await self.client.get(DevScalingGroup, POOL, NS)

    async def patch(self, patch: Raw) -> None:
        """Change the MachinePool."""
        await self.client.patch(MachinePool, POOL, NS, patch=patch)

    async def annotate(self, key: str, value: str | None) -> None:
        await self.patch({"metadata": {"annotations": {key: value}}})

    async def until(self, so: Callable[[], Coroutine[Any, Any, bool]], *, minutes: float = 10) -> None:
        """Let virtual time pass until something is so."""
        end = self.running.clock.now() + dt.timedelta(minutes=minutes)
        while not await so():
            assert self.running.clock.now() < end, f"not so after {minutes} minutes:\n{await self.described()}"
            await asyncio.sleep(0.25)

    async def until_told(self, type_: str, words: str) -> None:
        """Wait until a condition of the pool says something."""

        async def said() -> bool:
            return words in condition(await self.pool(), type_)[2]

        await self.until(said)

    async def at_rest(self, count: int) -> None:
        """Wait until the pool runs with so many, and nothing is left to say."""

        async def rest() -> bool:
            pool = await self.pool()
            if pool.status.phase != "Running":
                return False
            there = sum(map(nodes.is_ready, await self.workload.list(Node)))
            return there == count == len(pool.status.node_refs)

        await self.until(rest)

    async def described(self) -> str:
        """What `capipool describe machinepool` shows."""
        facts = describe.PoolFacts(
            objects.to_raw(await self.pool()),
            bootstrap=await self._raw(KubeadmConfig, POOL),
            infrastructure=await self._raw(DevMachinePool, POOL),
            nodes=[_shown(node) for node in await self.workload.list(Node)],
        )
        return "\n".join(line.text for line in tree.lay_out(describe.pool(facts)))

    async def gone(self, kind: type[Object], name: str = POOL) -> bool:
        return await self._raw(kind, name) is None

    async def _raw(self, kind: type[Object], name: str) -> Raw | None:
        try:
            return objects.to_raw(await self.client.get(kind, name, NS))
        except errors.NotFound:
            return None

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
        await self.workload.create(objects.from_raw(Unstructured, {**raw, "spec": spec}), resource=BUDGETS)


def _shown(node: Node) -> describe.Node:
    version = node.status.node_info.kubelet_version
    return describe.Node(node.metadata.name, node.spec.provider_id, nodes.is_ready(node), version)


def condition(pool: MachinePool, type_: str) -> tuple[str, str, str]:
    """Status, reason and message of a condition; empty where it is not there."""
    found = (c for c in pool.status.conditions if c.type == type_)
    return next(((c.status, c.reason, c.message) for c in found), ("", "", ""))


def in_a_whole(test: Callable[[Whole], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Run a test on virtual time, in an installation of its own."""

    @functools.wraps(test)
    def run() -> None:
        async def main() -> None:
            async with embedded(clock=virtual.clock(), seed=5) as running:
                await test(Whole(running))

        virtual.run(main(), limit=dt.timedelta(days=1))

    del run.__wrapped__  # type: ignore[attr-defined]  # pytest would ask for the parameter
    return run
