"""Counters and phase of a pool. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from capipool.api import labels
from capipool.api.builtin import Node
from capipool.api.constants import ConditionType, MachinePoolPhase
from capipool.api.core import Machine, MachinePool
from capipool.api.shared import StatusVersion
from capipool.core.machinepool import versions
from capipool.core.machinepool.nodes import NodesStep
from capipool.core.machinepool.world import InfraObject
from capipool.machinery import conditions


@dataclass(frozen=True, slots=True)
class Counters:
    """How many of a pool's replicas are how far."""

    ready: int
    available: int
    up_to_date: int
    versions: tuple[StatusVersion, ...] = ()


def of_machines(machines: Sequence[Machine]) -> Counters:
    """Count a pool whose provider represents instances by Machines: by the Machines' own conditions."""

    def count(type_: str) -> int:
        return sum(conditions.is_true(m.status.conditions, type_) for m in machines)

    return Counters(
        ready=count(ConditionType.READY),
        available=count(ConditionType.AVAILABLE),
        up_to_date=count(ConditionType.UP_TO_DATE),
        versions=versions.of_machines(machines),
    )


def of_nodes(pool: MachinePool, step: NodesStep, infra: InfraObject) -> Counters:
    """Count a pool without Machines: by its nodes, and by what the provider says of revisions."""
    return Counters(
        ready=step.ready,
        available=step.available,
        up_to_date=up_to_date(pool, step.nodes, infra),
        versions=versions.of_nodes(step.nodes),
    )


def up_to_date(pool: MachinePool, nodes: Sequence[Node], infra: InfraObject) -> int:
    """How many replicas are what the spec wants: as the provider counts them, else by the version of the kubelet."""
    if infra.up_to_date_replicas is not None:
        return infra.up_to_date_replicas
    return sum(runs_wanted_version(pool, node) for node in nodes)


def runs_wanted_version(pool: MachinePool, node: Node) -> bool:
    """Whether the kubelet is of the version the pool wants; any is where the pool wants none in particular."""
    version = pool.spec.template.spec.version
    return not version or node.status.node_info.kubelet_version == version


def phase(pool: MachinePool) -> str:
    """The phase that follows from the pool's own spec and status. Where nothing else does, it stays as it was."""
    status = pool.status
    if pool.deleting:
        return MachinePoolPhase.DELETING
    if status.initialization.infrastructure_provisioned and pool.spec.replicas is not None:
        return _phase_of_scale(pool, pool.spec.replicas, status.deprecated.v1beta1.ready_replicas or 0)
    if status.node_refs:
        return MachinePoolPhase.PROVISIONED
    if status.initialization.bootstrap_data_secret_created and not status.initialization.infrastructure_provisioned:
        return MachinePoolPhase.PROVISIONING
    return status.phase or MachinePoolPhase.PENDING


def _phase_of_scale(pool: MachinePool, wanted: int, ready: int) -> str:
    if wanted == ready:
        return MachinePoolPhase.RUNNING
    if labels.replicas_managed_externally(pool.metadata.annotations):
        return MachinePoolPhase.SCALING
    return MachinePoolPhase.SCALING_UP if wanted > ready else MachinePoolPhase.SCALING_DOWN


def typed_phase(text: str) -> str:
    """A phase as it was read, `Unknown` where it is none that the API names."""
    return text if text in _PHASES else MachinePoolPhase.UNKNOWN


_PHASES = frozenset(value for name, value in vars(MachinePoolPhase).items() if name.isupper())
