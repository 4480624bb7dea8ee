"""What one decision about a MachinePool is made from (`World`) and what it asks for (`Plan`). Data only.

`observe` fills a World from caches, `decide` turns it into a Plan, `apply` carries that out. Provider objects appear as
the facts that their contract defines, so that no decision depends on how a provider spells its fields.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from capipool.api.builtin import Node
from capipool.api.core import Cluster, Machine, MachinePool
from capipool.api.shared import V1Beta1Condition
from capipool.core.bootstrap import BootstrapObject
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import NodeDeletion, ObjectDeletion, ObjectPatch, Problem
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import ObjectKey, Resource
from capipool.runtime.reconcile import DONE, Result
from capipool.workload.nodesync import NodePatch


@dataclass(frozen=True, slots=True)
class InfraObject:
    """An infrastructure provider's machine pool object, as its contract reads."""

    object: Unstructured
    resource: Resource
    provisioned: bool = False
    provider_ids: tuple[str, ...] = ()
    replicas: int | None = None
    """How many instances there are; None where the provider does not say."""
    up_to_date_replicas: int | None = None
    """How many of them are of the wanted revision; None where the provider does not say."""
    machine_kind: str = ""
    """The kind of its infrastructure machines; empty for a provider without pool Machines."""
    machine_resource: Resource | None = None
    """The kind of its machines as it is served; None where it is not, or not yet."""
    failure_reason: str = ""
    failure_message: str = ""
    ready: Condition | None = None
    legacy_ready: V1Beta1Condition | None = None
    explanations: Mapping[str, str] = field(default_factory=dict)
    """Messages of the provider's own conditions about scaling, by condition type: why something waits."""


@dataclass(frozen=True, slots=True)
class InfraMachine:
    """One infrastructure machine of a pool with Machines."""

    object: Unstructured
    provider_id: str = ""
    up_to_date: Condition | None = None


@dataclass(frozen=True, slots=True)
class Nodes:
    """The workload cluster's nodes that may be the pool's: those of its instances, and those it has referred to."""

    by_provider_id: Mapping[str, Sequence[Node]] = field(default_factory=dict)
    by_name: Mapping[str, Node] = field(default_factory=dict)
    marked: Sequence[Node] = ()
    """Nodes whose annotations say that they are the pool's: found even where the pool never came to refer to them."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision about one pool depends on, but the time."""

    pool: MachinePool
    cluster: Cluster | None
    infra: InfraObject | Absent
    bootstrap: BootstrapObject | Absent | None
    """None where the pool refers to no bootstrap object: its data is in a secret that somebody else fills."""
    nodes: Nodes | None
    """None while the workload cluster cannot be asked."""
    nodes_unavailable: str = ""
    """Why not."""
    machines: tuple[Machine, ...] = ()
    """The pool's Machine objects."""
    infra_machines: tuple[InfraMachine, ...] | None = ()
    """None while they have not been read yet."""

    @property
    def has_machines(self) -> bool:
        """Whether the provider represents instances by Machine objects."""
        return isinstance(self.infra, InfraObject) and bool(self.infra.machine_kind)


@dataclass(frozen=True, slots=True)
class MachineStatusPatch:
    """A merge patch for the status of a Machine, for the version read only."""

    key: ObjectKey
    patch: Raw
    resource_version: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `pool` is the pool as it should read afterwards: `apply` writes what differs."""

    pool: MachinePool
    objects: tuple[ObjectPatch, ...] = ()
    deletions: tuple[ObjectDeletion, ...] = ()
    nodes: tuple[NodePatch, ...] = ()
    node_deletions: tuple[NodeDeletion, ...] = ()
    machines: tuple[Raw, ...] = ()
    """Machines to apply on the server's side."""
    machine_statuses: tuple[MachineStatusPatch, ...] = ()
    events: tuple[Said, ...] = ()
    problems: tuple[Problem, ...] = ()
    result: Result = DONE
