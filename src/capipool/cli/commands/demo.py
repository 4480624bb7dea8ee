"""`capipool demo`: the main job in a few seconds, over the same HTTPS and the same commands that a user has."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.cli import console, follow
from capipool.cli.commands import apply, describe, logging
from capipool.cli.follow import Followed
from capipool.cli.progress import Progress
from capipool.cli.session import Session, connect
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey, Resource

POOLS = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
SECRETS = Resource("", "v1", "Secret", "secrets")
CLUSTER = ObjectKey("default", "quickstart")
POOL = ObjectKey("default", "workers")
FIRST, SECOND = "v1.34.0", "v1.35.0"
PATIENCE_SECONDS = 60.0


def quickstart() -> Path:
    """The example that the demo applies: beside this package where it is installed, in the repository otherwise."""
    installed = Path(__file__).parents[1] / "quickstart.yaml"
    return installed if installed.exists() else Path(__file__).parents[4] / "examples" / "quickstart.yaml"


@dataclass(frozen=True, slots=True)
class Stage:
    """What the demo looks at: the pools of the management cluster and the nodes of the workload cluster."""

    session: Session
    pools: Followed
    nodes: Followed

    @property
    def pool(self) -> Raw:
        """The pool as last seen."""
        return self.pools.objects.get(POOL, {})

    def ready(self, version: str = "") -> int:
        """How many nodes are Ready now, of one kubelet version or of any."""
        return sum(_is_ready(n) and version in ("", _version(n)) for n in self.nodes.objects.values())

    def settled(self, replicas: int, version: str) -> bool:
        """Whether the pool says Running and up to date, with so many ready nodes of this version and no others."""
        status = self.pool.get("status", {})
        said = [status.get(name) for name in ("replicas", "readyReplicas", "upToDateReplicas")]
        seen = [self.ready(version), len(self.nodes.objects)]
        return status.get("phase") == "Running" and said + seen == [replicas] * 5


def _is_ready(node: Raw) -> bool:
    if node.get("metadata", {}).get("deletionTimestamp"):
        return False
    return any(c["type"] == "Ready" and c["status"] == "True" for c in node.get("status", {}).get("conditions", ()))


def _version(node: Raw) -> str:
    return str(node.get("status", {}).get("nodeInfo", {}).get("kubeletVersion", ""))


async def demo(keep: Path | None) -> int:
    """Run all of it. Exit code 1 where a step takes unreasonably long or fewer nodes were Ready than promised."""
    logging.configure("error", "auto")
    with tempfile.TemporaryDirectory(prefix="capipool-demo-") as temporary:
        data_dir = keep or Path(temporary) / "data"
        async with Embedded(Settings(data_dir=data_dir, port=0)) as running:
            console.out(console.style("One process: API server, controllers and a development cloud.", "bold"))
            console.out(f"  {running.url}  (KUBECONFIG={running.data_dir.kubeconfig})")
            await _perform(running.data_dir.kubeconfig)
    if keep:
        console.out(f"\nThe state is in {keep}: capipool up --data-dir {keep}")
    return 0


async def _perform(kubeconfig: Path) -> None:
    _say(f"capipool apply -f examples/{quickstart().name}")
    await apply.apply(
        [str(quickstart())], kubeconfig=kubeconfig, namespace=None, recursive=False, force=False, dry_run=False
    )
    async with _stage(kubeconfig) as stage:
        await _until(stage, 3, FIRST)
        _say("capipool scale machinepool/workers --replicas 5")
        await stage.session.client.update_scale(POOLS, POOL.name, POOL.namespace, replicas=5)
        await _until(stage, 5, FIRST)
        await _roll(stage)
    _say(f"capipool describe cluster {CLUSTER.name}")
    await describe.describe(["cluster", CLUSTER.name], kubeconfig=kubeconfig, namespace=CLUSTER.namespace)


async def _roll(stage: Stage) -> None:
    """Change the version, and count on every change of a node how many are Ready."""
    _say(f"spec.template.spec.version: {FIRST} -> {SECOND}   (surge 1, none unavailable)")
    lowest = stage.ready()

    def count() -> None:
        nonlocal lowest
        lowest = min(lowest, stage.ready())

    stage.nodes.on_change(count)
    patch: Raw = {"spec": {"template": {"spec": {"version": SECOND}}}}
    await stage.session.client.patch(POOLS, POOL.name, POOL.namespace, patch=patch)
    await _until(stage, 5, SECOND)
    console.out(f"  never fewer than {lowest} Ready nodes")
    if lowest < 5:
        raise console.Failure(f"only {lowest} nodes were Ready during the rollout; 5 were promised")


@contextlib.asynccontextmanager
async def _stage(kubeconfig: Path) -> AsyncIterator[Stage]:
    async with (
        connect(kubeconfig) as session,
        Followed(session.client, POOLS, POOL.namespace) as pools,
        await _workload(session) as workload,
        Followed(workload.client, NODES) as nodes,
    ):
        yield Stage(session, pools, nodes)


async def _workload(session: Session) -> Session:
    """The workload cluster, as soon as there is a kubeconfig for it."""
    kubeconfig = ObjectKey(CLUSTER.namespace, f"{CLUSTER.name}-kubeconfig")
    async with asyncio.timeout(PATIENCE_SECONDS), Followed(session.client, SECRETS, CLUSTER.namespace) as secrets:
        await follow.until(lambda: kubeconfig in secrets.objects, secrets)
    if (workload := await session.workload(CLUSTER)) is None:
        raise console.Failure(f"secret {kubeconfig} went away again")
    return workload


async def _until(stage: Stage, replicas: int, version: str) -> None:
    """Wait for the pool to settle, with the nodes counted as they come."""
    with Progress() as progress:

        def show() -> None:
            phase = stage.pool.get("status", {}).get("phase", "Pending")
            progress.update(f"{phase}: {stage.ready(version)} of {replicas} nodes Ready at {version}")

        stage.nodes.on_change(show)
        stage.pools.on_change(show)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await follow.until(lambda: stage.settled(replicas, version), stage.nodes, stage.pools)
        except TimeoutError:
            reason = stage.pool.get("status", {}).get("phase", "no status")
            raise console.Failure(f"{replicas} Ready nodes at {version} did not come in time: {reason}") from None
        finally:
            stage.nodes.forget(show)
            stage.pools.forget(show)
        progress.done(f"Running: {replicas} of {replicas} nodes Ready at {version}")


def _say(command: str) -> None:
    console.out()
    console.out(console.style(f"$ {command}", "bold"))
