"""What one decision about a MachineDeployment is made from (`World`) and what it asks for (`Plan`). Data only."""

from __future__ import annotations

from dataclasses import dataclass

from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core.reports import Said
from capipool.core.writes import ObjectDeletion, Problem
from capipool.machinery.objects import Raw
from capipool.runtime.reconcile import DONE, Result


@dataclass(frozen=True, slots=True)
class World:
    """Everything a decision about one MachineDeployment depends on, but the time and chance."""

    deployment: MachineDeployment
    cluster: Cluster | None
    sets: tuple[MachineSet, ...] = ()
    """Its MachineSets, those being deleted included."""
    machines: tuple[Machine, ...] = ()
    """The machines of all its sets."""
    missing_templates: tuple[str, ...] = ()
    """Why no set can be made: templates that do not exist."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now. `deployment` is the deployment as it should read afterwards."""

    deployment: MachineDeployment
    sets: tuple[Raw, ...] = ()
    """MachineSets to apply on the server's side."""
    deletions: tuple[ObjectDeletion, ...] = ()
    events: tuple[Said, ...] = ()
    problems: tuple[Problem, ...] = ()
    result: Result = DONE
