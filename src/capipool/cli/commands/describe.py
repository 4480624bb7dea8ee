"""`capipool describe`: gather what is around an object of a cluster, and show it as a tree."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from capipool.cli import console, kinds, machines, reasons, tree
from capipool.cli import describe as words_for
from capipool.cli.describe import ClusterFacts, Node, PoolFacts
from capipool.cli.machines import MachineFacts, OwnerFacts
from capipool.cli.options import Output
from capipool.cli.session import Session, connect
from capipool.machinery import codec, objects
from capipool.machinery.errors import ApiError, NotFound
from capipool.machinery.objects import Raw
from capipool.machinery.resource import ObjectKey, Resource

CLUSTERS = Resource("cluster.x-k8s.io", "v1beta2", "Cluster", "clusters")
POOLS = Resource("cluster.x-k8s.io", "v1beta2", "MachinePool", "machinepools")
DEPLOYMENTS = Resource("cluster.x-k8s.io", "v1beta2", "MachineDeployment", "machinedeployments")
SETS = Resource("cluster.x-k8s.io", "v1beta2", "MachineSet", "machinesets")
MACHINES = Resource("cluster.x-k8s.io", "v1beta2", "Machine", "machines")
NODES = Resource("", "v1", "Node", "nodes", namespaced=False)
DEPLOYMENT_NAME = "cluster.x-k8s.io/deployment-name"
POOL_NAME = "cluster.x-k8s.io/pool-name"
_SHORT = {"cl": CLUSTERS, "mp": POOLS, "md": DEPLOYMENTS, "ms": SETS, "ma": MACHINES}

Facts = ClusterFacts | PoolFacts | OwnerFacts | MachineFacts


async def describe(
    words: Sequence[str], *, kubeconfig: Path | None, namespace: str | None, output: Output = Output.text
) -> int:
    """Print the tree of one object, or of all of its kind in the namespace."""
    word, name = kinds.split_target(words)
    resource = _resource(word)
    async with connect(kubeconfig) as session:
        scope = namespace or session.namespace
        gathered = await _GATHER[resource.kind](session, await _find(session, resource, scope, name))
    if output is Output.json:
        console.out(codec.format_json([asdict(facts) for facts in gathered]))
    else:
        _print([reasons.said_once(_branch(facts)) for facts in gathered], resource, scope)
    return 0


def _resource(word: str) -> Resource:
    """The kind that a word means. Raises BadWords where it is none that can be described."""
    known = word.lower().removesuffix(".cluster.x-k8s.io")
    for short, resource in _SHORT.items():
        if known in (short, resource.plural, resource.kind.lower()):
            return resource
    names = ", ".join(r.kind.lower() for r in _SHORT.values())
    raise kinds.BadWords(f"describe knows {names}, not {word!r} (kubectl describe knows every kind)")


def _branch(facts: Facts) -> tree.Branch:
    match facts:
        case ClusterFacts():
            return words_for.cluster(facts)
        case PoolFacts():
            return words_for.pool(facts)
        case OwnerFacts():
            return machines.owner(facts)
        case MachineFacts():
            return machines.machine(facts)


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


async def _clusters(session: Session, clusters: Sequence[Raw]) -> list[ClusterFacts]:
    return [await _cluster(session, cluster) for cluster in clusters]


async def _cluster(session: Session, cluster: Raw) -> ClusterFacts:
    key = ObjectKey(cluster["metadata"].get("namespace", ""), cluster["metadata"]["name"])
    spec = cluster.get("spec", {})
    mine = [p for p in await _find(session, POOLS, key.namespace, None) if _of_cluster(p, key.name)]
    nodes, unreachable = await _nodes(session, key)
    infrastructure = await _referenced(session, key.namespace, spec.get("infrastructureRef"))
    control_plane = await _referenced(session, key.namespace, spec.get("controlPlaneRef"))
    pools = await asyncio.gather(*(_pool(session, pool, nodes) for pool in mine))
    owners, loose = await _workers(session, key)
    return ClusterFacts(cluster, infrastructure, control_plane, tuple(pools), owners, loose, unreachable)


async def _workers(session: Session, cluster: ObjectKey) -> tuple[tuple[OwnerFacts, ...], tuple[MachineFacts, ...]]:
    """The deployments and sets of a cluster with their Machines, and the Machines of none of them, nor of a pool."""
    deployments, sets, found = [
        [obj for obj in await _find(session, resource, cluster.namespace, None) if _of_cluster(obj, cluster.name)]
        for resource in (DEPLOYMENTS, SETS, MACHINES)
    ]
    owners = [_deployment(d, found) for d in deployments]
    owners += [_set(s, found) for s in sets if not _controller(s)]
    shown = {m["metadata"]["name"] for o in owners for m in o.machines}
    loose = [m for m in found if m["metadata"]["name"] not in shown and POOL_NAME not in _labels(m)]
    return tuple(owners), tuple(await _machines(session, loose))


def _deployment(deployment: Raw, found: Sequence[Raw], *, no_cluster: bool = False) -> OwnerFacts:
    name, cluster = deployment["metadata"]["name"], deployment["spec"].get("clusterName", "")
    mine = tuple(m for m in found if _labels(m).get(DEPLOYMENT_NAME) == name and _of_cluster(m, cluster))
    return OwnerFacts(DEPLOYMENTS.kind, deployment, mine, no_cluster)


def _set(machine_set: Raw, found: Sequence[Raw], *, no_cluster: bool = False) -> OwnerFacts:
    mine = tuple(m for m in found if _controller(m).get("uid") == machine_set["metadata"].get("uid"))
    return OwnerFacts(SETS.kind, machine_set, mine, no_cluster)


async def _deployments(session: Session, deployments: Sequence[Raw]) -> list[OwnerFacts]:
    found = await _neighbours(session, deployments)
    return [_deployment(d, found, no_cluster=await _no_cluster(session, d)) for d in deployments]


async def _sets(session: Session, sets: Sequence[Raw]) -> list[OwnerFacts]:
    found = await _neighbours(session, sets)
    return [_set(s, found, no_cluster=await _no_cluster(session, s)) for s in sets]


async def _neighbours(session: Session, owners: Sequence[Raw]) -> list[Raw]:
    """The Machines of the one namespace that some objects are in."""
    return await _find(session, MACHINES, owners[0]["metadata"].get("namespace", ""), None) if owners else []


async def _machines(session: Session, found: Sequence[Raw]) -> list[MachineFacts]:
    return [await _machine(session, machine) for machine in found]


async def _machine(session: Session, machine: Raw) -> MachineFacts:
    namespace, spec = machine["metadata"].get("namespace", ""), machine.get("spec", {})
    bootstrap, infrastructure = await asyncio.gather(
        _referenced(session, namespace, spec.get("bootstrap", {}).get("configRef")),
        _referenced(session, namespace, spec.get("infrastructureRef")),
    )
    return MachineFacts(machine, bootstrap, infrastructure)


def _of_cluster(obj: Raw, cluster: str) -> bool:
    return bool(obj.get("spec", {}).get("clusterName") == cluster)


def _labels(obj: Raw) -> Raw:
    return obj["metadata"].get("labels") or {}


def _controller(obj: Raw) -> Raw:
    """Whose an object is; empty where nobody controls it."""
    owners = obj["metadata"].get("ownerReferences") or ()
    return next((o for o in owners if o.get("controller")), {})


async def _no_cluster(session: Session, obj: Raw) -> bool:
    """Whether the Cluster that an object belongs to does not exist."""
    try:
        await session.client.get(CLUSTERS, str(obj["spec"].get("clusterName")), obj["metadata"].get("namespace", ""))
    except NotFound:
        return True
    return False


async def _pools(session: Session, pools: Iterable[Raw]) -> list[PoolFacts]:
    nodes: dict[ObjectKey, list[Node]] = {}
    found = []
    for pool in pools:
        key = ObjectKey(pool["metadata"].get("namespace", ""), str(pool["spec"].get("clusterName", "")))
        if key not in nodes:
            nodes[key], _ = await _nodes(session, key)
        found.append(await _pool(session, pool, nodes[key], no_cluster=await _no_cluster(session, pool)))
    return found


async def _pool(session: Session, pool: Raw, nodes: Sequence[Node], *, no_cluster: bool = False) -> PoolFacts:
    template = pool["spec"].get("template", {}).get("spec", {})
    namespace = pool["metadata"].get("namespace", "")
    bootstrap, infrastructure = await asyncio.gather(
        _referenced(session, namespace, template.get("bootstrap", {}).get("configRef")),
        _referenced(session, namespace, template.get("infrastructureRef")),
    )
    ids = frozenset((infrastructure or {}).get("spec", {}).get("providerIDList") or ())
    ids |= frozenset(pool["spec"].get("providerIDList") or ())
    mine = tuple(n for n in nodes if n.provider_id in ids)
    return PoolFacts(pool, bootstrap, infrastructure, mine, no_cluster)


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


_GATHER: dict[str, Callable[[Session, Sequence[Raw]], Awaitable[Sequence[Facts]]]] = {
    "Cluster": _clusters,
    "MachinePool": _pools,
    "MachineDeployment": _deployments,
    "MachineSet": _sets,
    "Machine": _machines,
}
