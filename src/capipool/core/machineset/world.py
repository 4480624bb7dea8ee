"""What one decision about a MachineSet is made from (`World`) and what it asks for (`Plan`). Data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core.machineset.preflight import ControlPlane, Topology
from capipool.core.references import Absent
from capipool.core.reports import Said
from capipool.core.writes import ObjectDeletion, ObjectPatch, Problem
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw, Unstructured
from capipool.machinery.resource import Resource
from capipool.runtime.reconcile import DONE, Result


@dataclass(frozen=True, slots=True)
class Template:
    """A provider's template, and the kind of what is made from it."""

    object: Unstructured
    resource: Resource
    made: Resource | None
    """None where that kind is not served."""
    objects: Mapping[str, Unstructured] = field(default_factory=dict)
    """What was made from templates for this set's machines, by name."""


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision about one MachineSet depends on, but the time and chance."""

    machine_set: MachineSet
    cluster: Cluster | None
    deployment: MachineDeployment | None = None
    """The deployment that it belongs to."""
    infra: Template | Absent | None = None
    bootstrap: Template | Absent | None = None
    """None where machines have their data from a secret."""
    machines: tuple[Machine, ...] = ()
    """Its machines, those being deleted included, by name."""
    orphans: tuple[Machine, ...] = ()
    """Machines that its selector finds and that nobody controls."""
    strangers: tuple[Machine, ...] = ()
    """Machines that it controls and that its selector does not find any more: somebody took them out by a label."""
    control_plane: ControlPlane | None = None
    topology: Topology | None = None
    synced: bool = False
    """Whether all its machines were synced with the template as it is: only what they lack now is to be put right."""


@dataclass(frozen=True, slots=True)
class MachineMark:
    """Conditions to put on a machine."""

    machine: Machine
    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A provider's object to make for a machine that is there already."""

    resource: Resource
    raw: Raw


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `machine_set` is the set as it should read afterwards."""

    machine_set: MachineSet
    machines: tuple[Raw, ...] = ()
    """Machines to apply on the server's side: new ones, and those that differ from the template in place."""
    parts: tuple[Part, ...] = ()
    patches: tuple[ObjectPatch, ...] = ()
    deletions: tuple[ObjectDeletion, ...] = ()
    marks: tuple[MachineMark, ...] = ()
    events: tuple[Said, ...] = ()
    problems: tuple[Problem, ...] = ()
    synced: bool = False
    """Whether all machines are as the template has them once this is carried out."""
    result: Result = DONE
