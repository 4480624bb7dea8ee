"""`capipool describe`: gather what is around a cluster or a pool, and show it as a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capipool.cli import console, kinds, tree
from capipool.cli import describe as words_for
from capipool.cli.describe import ClusterFacts, DeploymentFacts, Node, PoolFacts
from capipool.cli.options import Output
from capipool.cli.session import Session, connect
from capipool.machinery import codec, objects
from capipool.machinery.errors import ApiError, NotFound
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey, Resource

CLUSTERS = Resource("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters")
POOLS = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")
DEPLOYMENTS = Resource("cluster.x-k8s.io", "v1beta2", "MachineDeployment", "machinedeployments")
MACHINES = Resource("cluster.x-k8s.io", "v1beta2", "Machine", "machines")
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
DEPLOYMENT_NAME = "cluster.x-k8s.io/deployment-name"
_CLUSTER_WORDS = {"cluster", "clusters", "cl"}
_POOL_WORDS = {"machinepool", "machinepools", "mp"}


async def describe(
    words: Sequence[str], *, kubeconfig: Path | None, namespace: str | None, output: Output = Output.text
) -> int:
    """Print the tree of one object, or of all of its kind in the namespace."""
    word, name = kinds.split_target(words)
    kind = word.lower().removesuffix(".cluster.x-k8s.io")
    if kind not in _CLUSTER_WORDS | _POOL_WORDS:
        console.usage(f"describe knows cluster and machinepool, not {word!r} (kubectl describe knows every kind)")
    async with connect(kubeconfig) as session:
        scope = namespace or session.namespace
        resource = CLUSTERS if kind in _CLUSTER_WORDS else POOLS
        found = await _find(session, resource, scope, name)
        gathered: list[ClusterFacts] | list[PoolFacts]
        if resource is CLUSTERS:
            gathered = [await _cluster(session, raw) for raw in found]
            branches = [words_for.cluster(facts) for facts in gathered]
        else:
            gathered = await _pools(session, found)
            branches = [words_for.pool(facts) for facts in gathered]
    if output is Output.json:
        console.out(codec.format_json([asdict(facts) for facts in gathered]))
    else:
        _print(branches, resource, scope)
    return 0


def _print(branches: Sequence[tree.Branch], resource: Resource, namespace: str) -> None:
    if not branches:
        console.note(f"No {resource.plural} found in namespace {namespace}.")
    for number, branch in enumerate(branches):
        if number:
            console.out()
        console.lines(tree.lay_out(branch))


async def _find(session: Session, resource: Resource, namespace: str, name: str | None) -> list[Raw]:
    if name is not None:
        return [objects.to_raw(await session.client.get(resource, name, namespace))]
    return [objects.to_raw(obj) for obj in await session.client.list(resource, namespace)]


async def _cluster(session: Session, cluster: Raw) -> ClusterFacts:
    key = ObjectKey(cluster["metadata"].get("namespace", ""), cluster["metadata"]["name"])
    spec = cluster.get("spec", {})
    mine = [p for p in await _find(session, POOLS, key.namespace, None) if p["spec"].get("clusterName") == key.name]
    nodes, unreachable = await _nodes(session, key)
    infrastructure = await _referenced(session, key.namespace, spec.get("infrastructureRef"))
    control_plane = await _referenced(session, key.namespace, spec.get("controlPlaneRef"))
    pools = await asyncio.gather(*(_pool(session, pool, nodes) for pool in mine))
    deployments = await _deployments(session, key)
    return ClusterFacts(cluster, infrastructure, control_plane, tuple(pools), tuple(deployments), unreachable)


async def _deployments(session: Session, cluster: ObjectKey) -> list[DeploymentFacts]:
    deployments = await _find(session, DEPLOYMENTS, cluster.namespace, None)
    mine = [d for d in deployments if d["spec"].get("clusterName") == cluster.name]
    machines = await _find(session, MACHINES, cluster.namespace, None) if mine else []
    return [DeploymentFacts(d, tuple(m for m in machines if _made_by(m, d))) for d in mine]


def _made_by(machine: Raw, deployment: Raw) -> bool:
    label = (machine["metadata"].get("labels") or {}).get(DEPLOYMENT_NAME)
    return bool(label == deployment["metadata"]["name"])


async def _pools(session: Session, pools: Iterable[Raw]) -> list[PoolFacts]:
    nodes: dict[ObjectKey, list[Node]] = {}
    found = []
    for pool in pools:
        key = ObjectKey(pool["metadata"].get("namespace", ""), str(pool["spec"].get("clusterName", "")))
        if key not in nodes:
            nodes[key], _ = await _nodes(session, key)
        found.append(await _pool(session, pool, nodes[key]))
    return found


async def _pool(session: Session, pool: Raw, nodes: Sequence[Node]) -> PoolFacts:
    template = pool["spec"].get("template", {}).get("spec", {})
    namespace = pool["metadata"].get("namespace", "")
    bootstrap, infrastructure = await asyncio.gather(
        _referenced(session, namespace, template.get("bootstrap", {}).get("configRef")),
        _referenced(session, namespace, template.get("infrastructureRef")),
    )
    ids = frozenset((infrastructure or {}).get("spec", {}).get("providerIDList") or ())
    ids |= frozenset(pool["spec"].get("providerIDList") or ())
    return PoolFacts(pool, bootstrap, infrastructure, tuple(n for n in nodes if n.provider_id in ids))


async def _referenced(session: Session, namespace: str, ref: Any) -> Raw | None:
    if not isinstance(ref, dict):
        return None
    try:
        resource = await session.client.resources.find(ref.get("apiGroup", ""), ref.get("kind", ""))
        return objects.to_raw(await session.client.get(resource, ref.get("name", ""), namespace))
    except NotFound:
        return None


async def _nodes(session: Session, cluster: ObjectKey) -> tuple[list[Node], str]:
    """The nodes of a workload cluster, or why it cannot be asked."""
    try:
        workload = await session.workload(cluster)
        if workload is None:
            return [], ""
        async with workload:
            return [_node(objects.to_raw(obj)) for obj in await workload.client.list(NODES)], ""
    except (ApiError, OSError, ValueError) as error:  # ValueError: a kubeconfig that is none
        return [], str(error)


def _node(raw: Raw) -> Node:
    status = raw.get("status", {})
    conditions = status.get("conditions") or ()
    return Node(
        name=raw["metadata"]["name"],
        provider_id=raw.get("spec", {}).get("providerID", ""),
        ready=any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions),
        version=status.get("nodeInfo", {}).get("kubeletVersion", ""),
        schedulable=not raw.get("spec", {}).get("unschedulable", False),
    )
