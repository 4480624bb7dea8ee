"""What one decision about a MachineHealthCheck is made from (`World`) and what it asks for (`Plan`). Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from capipool.api.core import Cluster, Machine, MachineHealthCheck
from capipool.api.shared import V1Beta1Condition
from capipool.core.machinehealthcheck.health import Target
from capipool.core.machinehealthcheck.pools import Instance, NodeMark
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import ObjectDeletion
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.runtime.reconcile import DONE, Result


@dataclass(frozen=True, slots=True)
class External:
    """Remediation by somebody else's controller: the template of its requests, and those there are by machine name."""

    template: Unstructured | None
    """None where it does not exist, or cannot be read."""
    resource: Resource | None = None
    """The kind of the requests; None where it is not served."""
    requests: Mapping[str, Unstructured] = field(default_factory=dict)
    why: str = ""
    """Why there is no template, or no kind of requests."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision about one health check depends on, but the time."""

    check: MachineHealthCheck
    cluster: Cluster | Absent | None
    targets: tuple[Target, ...] = ()
    instances: tuple[Instance, ...] = ()
    """Of pools without Machines."""
    connected: bool = True
    """Whether the workload cluster can be asked about nodes. If not, nobody is judged."""
    unavailable: str = ""
    """Why not."""
    external: External | None = None
    """None where the machines' owner remediates."""


@dataclass(frozen=True, slots=True)
class MachineMark:
    """What to say in a machine's status. `dropped` are types of conditions that go."""

    machine: Machine
    conditions: tuple[Condition, ...]
    legacy: tuple[V1Beta1Condition, ...]
    dropped: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Request:
    """An object to create, by which somebody else's controller is asked to remediate a machine."""

    machine: Machine
    resource: Resource
    raw: Raw


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `check` is the health check as it should read afterwards."""

    check: MachineHealthCheck
    machines: tuple[MachineMark, ...] = ()
    nodes: tuple[NodeMark, ...] = ()
    """What to say on nodes of instances without Machines."""
    requests: tuple[Request, ...] = ()
    """Requests for external remediation to create."""
    deletions: tuple[ObjectDeletion, ...] = ()
    """Machines of pools to replace, and requests for machines that are well again."""
    events: tuple[Said, ...] = ()
    result: Result = DONE
