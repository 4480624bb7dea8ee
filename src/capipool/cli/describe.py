"""What `describe` says of a cluster and its pools: facts in, a tree out. Pure.

Works on objects as JSON has them, of any provider, so that it describes what somebody else's provider runs as well.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capipool.cli import machines, provider_objects, reasons
from capipool.cli.machines import MachineFacts, OwnerFacts
from capipool.cli.tree import Branch, Tone
from capipool.machinery.objects import Raw


@dataclass(frozen=True, slots=True)
class Node:
    """A node of the workload cluster, as far as a tree shows it."""

    name: str
    provider_id: str
    ready: bool
    version: str = ""
    schedulable: bool = True


@dataclass(frozen=True, slots=True)
class PoolFacts:
    """A MachinePool and the objects around it; what does not exist is None."""

    pool: Raw
    bootstrap: Raw | None = None
    infrastructure: Raw | None = None
    nodes: Sequence[Node] = ()
    """Nodes of the pool's instances."""
    no_cluster: bool = False
    """Whether the Cluster that it belongs to does not exist."""


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A Cluster and everything below it."""

    cluster: Raw
    infrastructure: Raw | None = None
    control_plane: Raw | None = None
    pools: Sequence[PoolFacts] = ()
    owners: Sequence[OwnerFacts] = ()
    """MachineDeployments, and MachineSets that none of them made."""
    machines: Sequence[MachineFacts] = ()
    """Machines of none of those: let go by their set, made by hand, or by a control plane."""
    unreachable: str = ""
    """Why the workload cluster could not be asked for its nodes."""


def cluster(facts: ClusterFacts) -> Branch:
    """The tree of a cluster."""
    obj = facts.cluster
    spec, status = obj.get("spec", {}), obj.get("status", {})
    children = [provider_objects.branch("infrastructure", spec.get("infrastructureRef"), facts.infrastructure)]
    children.append(_control_plane(obj, facts))
    children += [pool(p) for p in facts.pools]
    children += [machines.owner(o) for o in facts.owners]
    children += [machines.machine(m) for m in facts.machines]
    phase = status.get("phase", "Pending")
    why = reasons.first(reasons.conditions(obj), _CLUSTER_ORDER)
    below = tuple(c for c in children if c)
    return Branch(f"Cluster/{_name(obj)}", (phase,), why=why, tone=reasons.tone(phase, why), children=below)


def pool(facts: PoolFacts) -> Branch:
    """The tree of one pool."""
    obj = facts.pool
    spec, status = obj.get("spec", {}), obj.get("status", {})
    template = spec.get("template", {}).get("spec", {})
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)} ready"
    phase = status.get("phase", "Pending")
    why = machines.no_cluster(spec) if facts.no_cluster else pool_why(obj)
    bootstrap = template.get("bootstrap", {}).get("configRef")
    below = [
        provider_objects.branch("bootstrap", bootstrap, facts.bootstrap),
        _infrastructure(template.get("infrastructureRef"), facts),
    ]
    return Branch(
        f"MachinePool/{_name(obj)}",
        (phase, ready, template.get("version", "")),
        why=why,
        tone="bad" if facts.no_cluster else reasons.tone(phase, why),
        children=tuple(b for b in below if b),
    )


_POOL_ORDER: reasons.Order = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("BootstrapConfigReady", "False"),
    ("BootstrapConfigReady", "Unknown"),
    ("InfrastructureReady", "False"),
    ("InfrastructureReady", "Unknown"),
    ("ScalingDown", "True"),
    ("ScalingUp", "True"),
    ("Remediating", "True"),
    ("MachinesUpToDate", "False"),
    ("MachinesReady", "False"),
    ("Available", "False"),
)
"""What holds a pool up, the cause before its effects: the first that is so is the one reason shown."""

_CLUSTER_ORDER: reasons.Order = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("InfrastructureReady", "False"),
    ("InfrastructureReady", "Unknown"),
    ("ControlPlaneInitialized", "False"),
    ("RemoteConnectionProbe", "False"),
    ("ControlPlaneAvailable", "False"),
)


def pool_why(obj: Raw) -> str:
    """The one reason why a pool is not where its spec wants it; empty when it is."""
    return reasons.first(reasons.conditions(obj), _POOL_ORDER)


def _control_plane(obj: Raw, facts: ClusterFacts) -> Branch:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    endpoint = spec.get("controlPlaneEndpoint") or {}
    address = f"{endpoint['host']}:{endpoint.get('port', '')}" if endpoint.get("host") else ""
    if facts.unreachable:
        return Branch("Control plane", ("unreachable", address), why=facts.unreachable, tone="bad")
    if (status.get("initialization") or {}).get("controlPlaneInitialized"):
        return Branch("Control plane", ("initialized", address), tone="good")
    named = provider_objects.branch("control plane", spec.get("controlPlaneRef"), facts.control_plane)
    below = (named,) if named is not None else ()
    return Branch("Control plane", ("not initialized", address), tone="waiting", children=below)


def _infrastructure(ref: Any, facts: PoolFacts) -> Branch | None:
    head = provider_objects.branch("infrastructure", ref, facts.infrastructure)
    if head is None or facts.infrastructure is None:
        return head
    obj = facts.infrastructure
    nodes = {n.provider_id: n for n in facts.nodes}
    listed = [_instance(i, nodes) for i in _instances(obj)]
    count = f"{len(listed)} instance{'' if len(listed) == 1 else 's'}"
    # Where an instance is missing, only the provider knows why, also when it was ready long ago.
    why = head.why or (
        "" if len(listed) >= facts.pool.get("spec", {}).get("replicas", 1) else provider_objects.why(obj)
    )
    return Branch(head.name, (*head.cells, count), why=why, tone=head.tone, children=reasons.shortened(listed))


def _instances(obj: Raw) -> list[Raw]:
    """A provider's instances: what its status lists, and what only its providerIDList does.

    A status may name an instance by the last part of its provider ID alone, as AWS's does.
    """
    ids = obj.get("spec", {}).get("providerIDList") or ()
    by_last_part = {p.rpartition("/")[2]: p for p in ids}
    told = [i for i in obj.get("status", {}).get("instances") or () if isinstance(i, dict)]
    listed = [{"providerID": by_last_part.get(str(i.get("instanceID")), ""), **i} for i in told]
    known = {i["providerID"] for i in listed}
    return listed + [{"providerID": p} for p in ids if p not in known]


def _instance(instance: Raw, nodes: Mapping[str, Node]) -> Branch:
    provider_id = str(instance.get("providerID") or "")
    title = str(instance.get("instanceName") or instance.get("instanceID") or _called(provider_id))
    node = nodes.get(provider_id)
    if node is None:
        state = str(instance.get("state") or "no node yet")
        return Branch(title, (state, "", str(instance.get("version") or "")), tone="waiting")
    state = "Ready" if node.ready else "NotReady"
    state += "" if node.schedulable else ",SchedulingDisabled"
    tone: Tone = "good" if node.ready and node.schedulable else "waiting"
    return Branch(title, (state, f"Node/{node.name}", node.version), tone=tone)


def _called(provider_id: str) -> str:
    """What people call an instance: the last part of its ID; where that is a number, as in Azure, its scale set's."""
    *before, last = provider_id.split("/")
    return f"{before[-2]}_{last}" if last.isdigit() and len(before) > 1 and before[-2] else last


def _name(obj: Raw) -> str:
    return str(obj.get("metadata", {}).get("name", ""))
