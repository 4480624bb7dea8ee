"""What one decision about a Machine is made from (`World`) and what it asks for (`Plan`). Data only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine
from capipool.api.shared import V1Beta1Condition
from capipool.api.v1beta2.machine import MachineAddress
from capipool.core.bootstrap import BootstrapObject
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import NodeDeletion, ObjectDeletion, ObjectPatch, Problem
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Unstructured
from capipool.machinery.resource import Resource
from capipool.runtime.reconcile import DONE, Result
from capipool.workload.drain import DrainResult
from capipool.workload.nodesync import NodePatch


@dataclass(frozen=True, slots=True)
class InfraMachine:
    """An infrastructure provider's machine, as its contract reads."""

    object: Unstructured
    resource: Resource
    provisioned: bool = False
    provider_id: str = ""
    failure_domain: str = ""
    addresses: tuple[MachineAddress, ...] = ()
    failure_reason: str = ""
    failure_message: str = ""
    ready: Condition | None = None
    legacy_ready: V1Beta1Condition | None = None


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """What the deletion of a Machine needs to know of its cluster's control plane."""

    deleting: bool = False
    external: bool = False
    """It is a service somewhere else, without machines of its own."""
    machines: int = 0
    """Machines of the control plane that are not being deleted."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision about one Machine depends on, but the time."""

    machine: Machine
    cluster: Cluster | None
    infra: InfraMachine | Absent
    bootstrap: BootstrapObject | Absent | None
    """None where the machine refers to none: its data is in a secret that somebody else fills."""
    connected: bool = True
    """Whether the workload cluster can be asked."""
    unavailable: str = ""
    """Why not."""
    nodes: tuple[Node, ...] = ()
    """The nodes with the machine's provider ID: one, or none yet."""
    node: Node | None = None
    """The node that the machine refers to, by name."""
    outdated: bool = False
    """Whether the machine is of an older revision of its deployment."""
    control_plane: ControlPlane = ControlPlane()
    drained: DrainResult | None = None
    """What came of a step to drain the node, where the decision asked for one."""
    attached: tuple[str, ...] | None = None
    """The volumes attached to the node, where the decision asked for them."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `machine` is the Machine as it should read afterwards."""

    machine: Machine
    needs: Literal["", "drain", "volumes"] = ""
    """What must be done or found out first: then decide again. Nothing else of the plan is carried out."""
    objects: tuple[ObjectPatch, ...] = ()
    deletions: tuple[ObjectDeletion, ...] = ()
    node: NodePatch | None = None
    node_deletion: NodeDeletion | None = None
    events: tuple[Said, ...] = ()
    problems: tuple[Problem, ...] = ()
    result: Result = DONE
