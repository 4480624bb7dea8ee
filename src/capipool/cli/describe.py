"""What `describe` says of a cluster and its pools: facts in, a tree out. Pure.

Works on objects as JSON has them, of any provider, so that it describes what somebody else's provider runs as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from capipool.cli.tree import Branch, Tone
from capipool.machinery.objects import Raw

SHOWN_READY = 10
"""How many healthy instances are listed; the rest are counted. Those that are not healthy are all listed."""


LONGEST_REASON = 240
"""Characters of a reason at most; the whole of it stands in the object's conditions."""


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


@dataclass(frozen=True, slots=True)
class DeploymentFacts:
    """A MachineDeployment and its Machines."""

    deployment: Raw
    machines: Sequence[Raw] = ()


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A Cluster and everything below it."""

    cluster: Raw
    infrastructure: Raw | None = None
    control_plane: Raw | None = None
    pools: Sequence[PoolFacts] = ()
    deployments: Sequence[DeploymentFacts] = ()
    unreachable: str = ""
    """Why the workload cluster could not be asked for its nodes."""


def cluster(facts: ClusterFacts) -> Branch:
    """The tree of a cluster."""
    obj = facts.cluster
    spec, status = obj.get("spec", {}), obj.get("status", {})
    children = [_provider("infrastructure", spec.get("infrastructureRef"), facts.infrastructure)]
    children.append(_control_plane(obj, facts))
    children += [pool(p) for p in facts.pools]
    children += [deployment(d) for d in facts.deployments]
    phase = status.get("phase", "Pending")
    why = _cluster_why(obj)
    return Branch(
        f"Cluster/{_name(obj)}", (phase,), why=why, tone=_tone(phase, why), children=tuple(c for c in children if c)
    )


def pool(facts: PoolFacts) -> Branch:
    """The tree of one pool."""
    obj = facts.pool
    spec, status = obj.get("spec", {}), obj.get("status", {})
    template = spec.get("template", {}).get("spec", {})
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)} ready"
    phase = status.get("phase", "Pending")
    why = pool_why(obj)
    bootstrap = template.get("bootstrap", {}).get("configRef")
    below = [
        _provider("bootstrap", bootstrap, facts.bootstrap),
        _infrastructure(template.get("infrastructureRef"), facts),
    ]
    return Branch(
        f"MachinePool/{_name(obj)}",
        (phase, ready, template.get("version", "")),
        why=why,
        tone=_tone(phase, why),
        children=tuple(b for b in below if b),
    )


def deployment(facts: DeploymentFacts) -> Branch:
    """The tree of one deployment: its machines, each with what it waits for."""
    obj = facts.deployment
    spec, status = obj.get("spec", {}), obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)} ready"
    version = spec.get("template", {}).get("spec", {}).get("version", "")
    phase = status.get("phase", "Pending")
    why = _first(_conditions(obj), _DEPLOYMENT_ORDER)
    machines = [_machine(m) for m in facts.machines]
    cells = (phase, ready, version)
    return Branch(
        f"MachineDeployment/{_name(obj)}", cells, why=why, tone=_tone(phase, why), children=_shortened(machines)
    )


def _machine(obj: Raw) -> Branch:
    status = obj.get("status", {})
    phase = status.get("phase", "Pending")
    why = _first(_conditions(obj), _MACHINE_ORDER)
    node = (status.get("nodeRef") or {}).get("name", "")
    version = obj.get("spec", {}).get("version", "")
    return Branch(_name(obj), (phase, f"Node/{node}" if node else "", version), why=why, tone=_tone(phase, why))


_POOL_ORDER: tuple[tuple[str, str], ...] = (
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

_CLUSTER_ORDER: tuple[tuple[str, str], ...] = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("InfrastructureReady", "False"),
    ("InfrastructureReady", "Unknown"),
    ("ControlPlaneInitialized", "False"),
    ("RemoteConnectionProbe", "False"),
    ("ControlPlaneAvailable", "False"),
)


_DEPLOYMENT_ORDER: tuple[tuple[str, str], ...] = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("RollingOut", "True"),
    ("ScalingDown", "True"),
    ("ScalingUp", "True"),
    ("Remediating", "True"),
    ("MachinesReady", "False"),
    ("Available", "False"),
)

_MACHINE_ORDER: tuple[tuple[str, str], ...] = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("BootstrapConfigReady", "False"),
    ("InfrastructureReady", "False"),
    ("HealthCheckSucceeded", "False"),
    ("NodeHealthy", "False"),
    ("NodeHealthy", "Unknown"),
    ("Ready", "False"),
)


def pool_why(obj: Raw) -> str:
    """The one reason why a pool is not where its spec wants it; empty when it is."""
    return _first(_conditions(obj), _POOL_ORDER)


def _cluster_why(obj: Raw) -> str:
    return _first(_conditions(obj), _CLUSTER_ORDER)


def _provider_why(obj: Raw) -> str:
    """A provider's conditions are its own, so: `Ready` or `Available` if it says why, else the first that is False."""
    found = _conditions(obj)
    named = _first(found, (("Paused", "True"), ("Deleting", "True"), ("Ready", "False"), ("Available", "False")))
    false = [kind for kind, c in found.items() if c.get("status") == "False" and kind not in ("Paused", "Deleting")]
    return named or _first(found, tuple((kind, "False") for kind in false))


def _first(conditions: Mapping[str, Raw], order: Iterable[tuple[str, str]]) -> str:
    for kind, status in order:
        condition = conditions.get(kind)
        if condition is not None and condition.get("status") == status:
            return _sentence(condition)
    return ""


def _sentence(condition: Raw) -> str:
    """A condition in one line: a message's list becomes clauses, and what would fill a screen is cut."""
    lines = [line.strip().removeprefix("* ") for line in str(condition.get("message") or "").splitlines()]
    message = "; ".join(line.removesuffix(":") for line in lines if line)
    text = f"{condition['type']}: {message or condition.get('reason') or condition.get('status')}"
    return text if len(text) <= LONGEST_REASON else f"{text[: LONGEST_REASON - 1]}…"


def _conditions(obj: Raw) -> dict[str, Raw]:
    return {c.get("type", ""): c for c in obj.get("status", {}).get("conditions") or ()}


def _provider(role: str, ref: Any, obj: Raw | None) -> Branch | None:
    if not isinstance(ref, Mapping):
        return None
    title = f"{ref.get('kind')}/{ref.get('name')}"
    if obj is None:
        return Branch(title, ("missing",), why=f"the {role} object does not exist", tone="bad")
    ready = _provider_ready(obj)
    why = "" if ready and not obj["metadata"].get("deletionTimestamp") else _provider_why(obj)
    return Branch(title, ("ready" if ready else "not ready",), why=why, tone="good" if ready else "waiting")


def _provider_ready(obj: Raw) -> bool:
    status = obj.get("status", {})
    initialization = status.get("initialization") or {}
    return bool(initialization.get("provisioned") or initialization.get("dataSecretCreated") or status.get("ready"))


def _control_plane(obj: Raw, facts: ClusterFacts) -> Branch:
    spec, status = obj.get("spec", {}), obj.get("status", {})
    endpoint = spec.get("controlPlaneEndpoint") or {}
    address = f"{endpoint['host']}:{endpoint.get('port', '')}" if endpoint.get("host") else ""
    if facts.unreachable:
        return Branch("Control plane", ("unreachable", address), why=facts.unreachable, tone="bad")
    if (status.get("initialization") or {}).get("controlPlaneInitialized"):
        return Branch("Control plane", ("initialized", address), tone="good")
    return Branch("Control plane", ("not initialized", address), tone="waiting")


def _infrastructure(ref: Any, facts: PoolFacts) -> Branch | None:
    head = _provider("infrastructure", ref, facts.infrastructure)
    if head is None or facts.infrastructure is None:
        return head
    obj = facts.infrastructure
    nodes = {n.provider_id: n for n in facts.nodes}
    listed = [_instance(i, nodes) for i in _instances(obj)]
    count = f"{len(listed)} instance{'' if len(listed) == 1 else 's'}"
    # Where an instance is missing, only the provider knows why, also when it was ready long ago.
    why = head.why or ("" if len(listed) >= facts.pool.get("spec", {}).get("replicas", 1) else _provider_why(obj))
    return Branch(head.name, (*head.cells, count), why=why, tone=head.tone, children=_shortened(listed))


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


def _shortened(instances: Sequence[Branch]) -> tuple[Branch, ...]:
    """All that are not well, and the first few that are; the rest as a number."""
    well = [i for i in instances if i.tone == "good"]
    hidden = {id(i) for i in well[SHOWN_READY:]} if len(well) > SHOWN_READY + 1 else set()
    shown = [i for i in instances if id(i) not in hidden]
    return (*shown, Branch(f"… and {len(hidden)} more, all Ready", tone="good")) if hidden else tuple(shown)


def _tone(phase: str, why: str) -> Tone:
    if phase == "Failed":
        return "bad"
    return "waiting" if why or phase not in ("Running", "Provisioned") else "good"


def _name(obj: Raw) -> str:
    return str(obj.get("metadata", {}).get("name", ""))
