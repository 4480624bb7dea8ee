"""Gather what a decision about a MachineSet needs, from caches: its machines by owner, its templates by reference."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import msgspec

from capipool.api import indexes
from capipool.api.constants import Annotation
from capipool.api.core import Cluster, ContractVersionedObjectReference, Machine, MachineDeployment, MachineSet
from capipool.contract import control_plane
from capipool.core import ownership
from capipool.core.machineset.preflight import ControlPlane, Topology
from capipool.core.machineset.world import Template, World
from capipool.core.references import Absent, References
from capipool.machinery import selectors
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.runtime.manager import Manager

ORPHANS = "machines of a cluster without a controller"


def orphan_of(machine: Machine) -> tuple[str, ...]:
    """Under `ORPHANS`: machines that a set may adopt, by cluster."""
    if machine.deleting or ownership.controller_of(machine) is not None:
        return ()
    return indexes.cluster_name(machine)


class Observer:
    """Reads the world of one MachineSet."""

    def __init__(self, manager: Manager, references: References, namespace: str) -> None:
        self._clusters = manager.caches.of(Cluster, namespace)
        self.deployments = manager.caches.of(MachineDeployment, namespace)
        self.machines = manager.caches.of(Machine, namespace)
        self.machines.add_index(ORPHANS, orphan_of)
        self._references = references

    async def observe(self, machine_set: MachineSet, *, synced: bool = False) -> World:
        """The world of a set now. Raises ApiError or TimeoutError where a provider's kind cannot be read."""
        meta, spec = machine_set.metadata, machine_set.spec.template.spec
        cluster = self._clusters.get(ObjectKey(meta.namespace, machine_set.spec.cluster_name))
        going = machine_set.deleting
        owned = (m for m in self.machines.owned_by(meta.uid) if ownership.controls(machine_set, m.metadata))
        ordered, selected = sorted(owned, key=lambda m: m.key), _selected(machine_set)
        machines = [m for m in ordered if going or selected(m)]
        infra = None if going else await self._template(machine_set, spec.infrastructure_ref, _infra_names(machines))
        config, bootstrap = spec.bootstrap.config_ref, None
        if config is not None and not going:
            bootstrap = await self._template(machine_set, config, _bootstrap_names(machines))
        return World(
            machine_set=machine_set,
            cluster=cluster,
            deployment=self._deployment(machine_set),
            infra=infra,
            bootstrap=bootstrap,
            machines=tuple(machines),
            orphans=() if going else self._orphans(machine_set),
            strangers=tuple(m for m in ordered if not (going or selected(m) or m.deleting)),
            control_plane=await self._control_plane(cluster),
            topology=_topology(cluster),
            synced=synced,
        )

    def _deployment(self, machine_set: MachineSet) -> MachineDeployment | None:
        owner = ownership.controller_of(machine_set, MachineDeployment.RESOURCE.group_kind)
        return self.deployments.get(ObjectKey(machine_set.metadata.namespace, owner.name)) if owner else None

    def _orphans(self, machine_set: MachineSet) -> tuple[Machine, ...]:
        selector = selectors.from_object(msgspec.to_builtins(machine_set.spec.selector))
        if selector is None or not selector.requirements:
            return ()
        found = (
            m
            for m in self.machines.by(ORPHANS, *indexes.cluster_name(machine_set))
            if selector.matches(m.metadata.labels)
        )
        return tuple(sorted(found, key=lambda m: m.key))

    async def _template(
        self, machine_set: MachineSet, reference: ContractVersionedObjectReference, names: Iterable[str]
    ) -> Template | Absent:
        """A template, and what was made under these names, whose kind is the template's without its end."""
        namespace = machine_set.metadata.namespace
        found = await self._references.get(reference, namespace)
        if isinstance(found, Absent):
            return found
        obj, served = found
        kind = GroupKind(reference.api_group, reference.kind.removesuffix("Template"))
        made = self._references.find(kind)
        if isinstance(made, str):
            return Template(obj, served.resource, None)
        cache = await self._references.cache(made.resource)
        there = {name: o for name in names if (o := cache.get(ObjectKey(namespace, name))) is not None}
        return Template(obj, served.resource, made.resource, there)

    async def _control_plane(self, cluster: Cluster | None) -> ControlPlane | None:
        reference = cluster.spec.control_plane_ref if cluster is not None else None
        if cluster is None or reference is None:
            return None
        found = await self._references.get(reference, cluster.metadata.namespace)
        if isinstance(found, Absent):
            return None
        obj = found[0]
        name = f"{obj.kind} {obj.key}"
        return ControlPlane(name, control_plane.wanted_version(obj), control_plane.version(obj))


def _selected(machine_set: MachineSet) -> Callable[[Machine], bool]:
    """Whether a set's selector finds a machine; one that cannot be read gives none up."""
    selector = selectors.from_object(msgspec.to_builtins(machine_set.spec.selector))
    return lambda machine: selector is None or selector.matches(machine.metadata.labels)


def _infra_names(machines: Iterable[Machine]) -> list[str]:
    return [m.spec.infrastructure_ref.name for m in machines]


def _bootstrap_names(machines: Iterable[Machine]) -> list[str]:
    return [m.spec.bootstrap.config_ref.name for m in machines if m.spec.bootstrap.config_ref is not None]


def _topology(cluster: Cluster | None) -> Topology | None:
    if cluster is None or not cluster.spec.topology:
        return None
    return Topology(cluster.metadata.annotations.get(Annotation.CLUSTER_TOPOLOGY_UPGRADE_STEP, ""))
