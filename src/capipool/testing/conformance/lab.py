"""What a provider author supplies to the conformance kit."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Callable
from typing import Any

from capipool.api.core import Cluster, MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.sdk import BootstrapData, Group, InstanceState, Launch, Pool, PoolProvider

LIVE = (InstanceState.PENDING, InstanceState.RUNNING)


class Lab(abc.ABC):
    """A provider, a pool for it, and how to wait for its cloud. Override what differs."""

    provider: PoolProvider[Any]
    patience_seconds: float = 5.0
    """How long the cloud may take to show the effect of a call."""

    @abc.abstractmethod
    def make_object(self, name: str) -> Any:
        """Return the provider's pool object as the API server has it: namespace `default`, a UID, sizes up to 10."""

    async def pause(self) -> None:
        """Let the cloud go on."""
        await asyncio.sleep(0.02)

    def pool(self, name: str = "conformance", *, replicas: int = 3, version: str = "v1.34.0") -> Pool[Any]:
        """A pool with its MachinePool and Cluster."""
        meta: Raw = {"name": name, "namespace": "default", "uid": f"uid-{name}"}
        template = {
            "clusterName": "conformance",
            "version": version,
            "bootstrap": {"dataSecretName": "boot"},
            "infrastructureRef": {"apiGroup": "x.io", "kind": self.provider.kind.RESOURCE.kind, "name": name},
        }
        spec = {"clusterName": "conformance", "replicas": replicas, "template": {"spec": template}}
        machine_pool = objects.from_raw(
            MachinePool,
            {"apiVersion": "cluster.x-k8s.io/v1beta2", "kind": "MachinePool", "metadata": meta, "spec": spec},
        )
        cluster = objects.from_raw(
            Cluster,
            {
                "apiVersion": "cluster.x-k8s.io/v1beta2",
                "kind": "Cluster",
                "metadata": {"name": "conformance", "namespace": "default", "uid": "uid-cluster"},
                "spec": {"infrastructureRef": {"apiGroup": "x.io", "kind": "AnyCluster", "name": "conformance"}},
                "status": {"initialization": {"infrastructureProvisioned": True}},
            },
        )
        return Pool(self.make_object(name), machine_pool, cluster)

    def launch(self, revision: str = "r1", token: str = "first") -> Launch:
        """A launch whose bootstrap data holds a token."""

        async def read() -> BootstrapData:
            return BootstrapData(f"#cloud-config\n# {revision} {token}\n".encode())

        return Launch(revision=revision, bootstrap_version=f"{revision}/{token}", read_bootstrap=read)

    async def until(self, pool: Pool[Any], wanted: Callable[[Group], bool]) -> Group:
        """Observe until the group is as wanted. Raises AssertionError with what it was when patience ended."""
        steps = max(int(self.patience_seconds / 0.02), 1)
        group: Group | None = None
        for _ in range(steps):
            group = await self.provider.observe(pool)
            if wanted(group):
                return group
            await self.pause()
        raise AssertionError(f"the group did not come to be as expected: {group}")

    async def created(self, pool: Pool[Any], *, replicas: int = 3, revision: str = "r1") -> Group:
        """A group with its instances there."""
        await self.provider.ensure(pool, self.launch(revision), replicas=replicas, seen=None)
        return await self.until(pool, lambda g: len(live(g)) == replicas)


def live(group: Group) -> list[str]:
    """The ids of the instances that are there and not on their way out."""
    return [i.id for i in group.instances if i.state in LIVE]
