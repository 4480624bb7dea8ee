"""What `describe` says of Machines and of what makes them: facts in, a tree out. Pure.

A deployment's own conditions speak of all its machines at once. What one of them waits for is said better by itself,
so the line of a deployment or a set that waits for its machines ends with the words of the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capipool.cli import provider_objects, reasons
from capipool.cli.tree import Branch
from capipool.machinery.objects import Raw


@dataclass(frozen=True, slots=True)
class MachineFacts:
    """A Machine and the two objects that it was given; what does not exist is None."""

    machine: Raw
    bootstrap: Raw | None = None
    infrastructure: Raw | None = None


@dataclass(frozen=True, slots=True)
class OwnerFacts:
    """A MachineDeployment or a MachineSet, and its Machines."""

    kind: str
    owner: Raw
    machines: Sequence[Raw] = ()
    no_cluster: bool = False
    """Whether the Cluster that it belongs to does not exist: nothing is done about it, then, and nothing reported."""


_OWNER_ORDER: reasons.Order = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("RollingOut", "True"),
    ("ScalingDown", "True"),
    ("ScalingUp", "True"),
    ("Remediating", "True"),
    ("MachinesReady", "False"),
    ("Available", "False"),
)

_MACHINE_ORDER: reasons.Order = (
    ("Paused", "True"),
    ("Deleting", "True"),
    ("BootstrapConfigReady", "False"),
    ("InfrastructureReady", "False"),
    ("HealthCheckSucceeded", "False"),
    ("NodeHealthy", "False"),
    ("NodeHealthy", "Unknown"),
    ("Ready", "False"),
)


def owner(facts: OwnerFacts) -> Branch:
    """The tree of a deployment or a set: its machines, each with what it waits for."""
    obj = facts.owner
    spec, status = obj.get("spec", {}), obj.get("status", {})
    ready = f"{status.get('readyReplicas', 0)}/{spec.get('replicas', 1)} ready"
    version = spec.get("template", {}).get("spec", {}).get("version", "")
    why = no_cluster(spec) if facts.no_cluster else owner_why(obj, facts.machines)
    # A set has no phase of its own.
    phase = status.get("phase") or ("" if facts.kind == "MachineSet" and status else "Pending")
    return Branch(
        f"{facts.kind}/{_name(obj)}",
        (phase, ready, version),
        why=why,
        tone="bad" if facts.no_cluster else reasons.tone(phase or "Running", why),
        children=reasons.shortened([_machine(m) for m in facts.machines]),
    )


def machine(facts: MachineFacts) -> Branch:
    """The tree of one Machine, whoever made it."""
    obj = facts.machine
    spec = obj.get("spec", {})
    line = _machine(obj)
    below = (
        provider_objects.branch("bootstrap", spec.get("bootstrap", {}).get("configRef"), facts.bootstrap),
        provider_objects.branch("infrastructure", spec.get("infrastructureRef"), facts.infrastructure),
    )
    return Branch(
        f"Machine/{line.name}", line.cells, why=line.why, tone=line.tone, children=tuple(b for b in below if b)
    )


def no_cluster(spec: Raw) -> str:
    """Why nothing happens to what belongs to a Cluster that is not there."""
    return f"Cluster {spec.get('clusterName', '')} does not exist"


def owner_why(obj: Raw, machines: Sequence[Raw]) -> str:
    """The one reason why a deployment or a set is not where its spec wants it; empty when it is."""
    found = reasons.conditions(obj)
    kind = next((k for k, status in _OWNER_ORDER if found.get(k, {}).get("status") == status), "")
    match kind:
        case "RollingOut":
            return _rolling_out(obj, found, machines)
        case "ScalingDown" | "ScalingUp" | "MachinesReady" if waiting := _waiting(machines):
            said = reasons.message(found[kind])
            return reasons.sentence(kind, waiting if kind == "MachinesReady" else f"{said}; {waiting}")
    return reasons.first(found, _OWNER_ORDER)


def _rolling_out(obj: Raw, found: dict[str, Raw], machines: Sequence[Raw]) -> str:
    """Where a rollout stands, and what stands in its way, which a person must not have to look for."""
    condition = found["RollingOut"]
    count = str(condition.get("message") or "").partition("\n")[0]
    blocked = found.get("ScalingUp", {})
    strategy = obj.get("spec", {}).get("rollout", {}).get("strategy") or {}
    fresh = [m for m in machines if reasons.conditions(m).get("UpToDate", {}).get("status") != "False"]
    if told := _waiting(fresh) or _waiting(machines):
        return reasons.sentence("RollingOut", f"{count}; {told}")
    if blocked.get("message"):
        return reasons.sentence("RollingOut", f"{count}; {reasons.message(blocked)}")
    if strategy.get("type") == "OnDelete":
        return reasons.sentence("RollingOut", f"{count}; each is replaced when somebody deletes it (OnDelete)")
    return reasons.sentence("RollingOut", reasons.message(condition) or str(condition.get("reason")))


def _waiting(machines: Sequence[Raw]) -> str:
    """The first machine that waits, in its own words, and how many others do."""
    waiting = [(_name(m), why) for m in machines if (why := _machine_why(m))]
    if not waiting:
        return ""
    name, why = waiting[0]
    others = f" (and {len(waiting) - 1} more)" if len(waiting) > 1 else ""
    return f"Machine {name}{others}: {why}"


def _machine(obj: Raw) -> Branch:
    status = obj.get("status", {})
    phase = status.get("phase", "Pending")
    why = _machine_why(obj)
    node = (status.get("nodeRef") or {}).get("name", "")
    version = obj.get("spec", {}).get("version", "")
    cells = (phase, f"Node/{node}" if node else "", version)
    return Branch(_name(obj), cells, why=why, tone=reasons.tone(phase, why))


def _machine_why(obj: Raw) -> str:
    return reasons.first(reasons.conditions(obj), _MACHINE_ORDER)


def _name(obj: Raw) -> str:
    return str(obj.get("metadata", {}).get("name", ""))
