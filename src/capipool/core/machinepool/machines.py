"""Machine objects of a pool, one for each infrastructure machine, for providers that represent instances so. Pure.

Here Machines follow the infrastructure, not the other way round: they surface what the provider made, so that a node is
drained, a Machine deleted by hand goes through its own deletion, and health checks find something to act on.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from capipool.api import labels
from capipool.api.constants import ConditionType, Label, Reason
from capipool.api.core import Machine, MachinePool
from capipool.core import ownership
from capipool.core.machinepool.world import InfraMachine, MachineStatusPatch, Nodes, World
from capipool.core.writes import ObjectDeletion
from capipool.machinery import conditions, objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Raw

POOL_LABEL = Label.MACHINE_POOL_NAME
FIELD_MANAGER = "machinepool-controller"
"""Upstream's name, so that whoever takes over from whom owns the same fields."""


@dataclass(frozen=True, slots=True)
class MachinesStep:
    """What to do about Machine objects."""

    machines: tuple[Raw, ...] = ()
    deletions: tuple[ObjectDeletion, ...] = ()
    statuses: tuple[MachineStatusPatch, ...] = ()


def decide(world: World, now: dt.datetime) -> MachinesStep:
    """Have one Machine for each infrastructure machine; let go of those whose infrastructure machine is gone."""
    if not world.has_machines or world.infra_machines is None:
        return MachinesStep()
    by_name = {m.spec.infrastructure_ref.name: m for m in world.machines}
    there = {m.object.metadata.name for m in world.infra_machines}
    orphans = (m for m in world.machines if m.spec.infrastructure_ref.name not in there and not m.deleting)
    return MachinesStep(
        machines=_to_apply(world, by_name),
        deletions=tuple(ObjectDeletion(Machine.RESOURCE, m.key, m.metadata.uid) for m in orphans),
        statuses=_statuses(world, now),
    )


def is_excluded(machine: Machine, pool_uid: str) -> bool:
    """Whether a Machine that carries the pool's labels is another controller's."""
    controller = ownership.controller_of(machine)
    return controller is not None and controller.uid != pool_uid


def infra_machine_labels(pool: MachinePool) -> dict[str, str]:
    """The labels by which a provider marks a pool's infrastructure machines, and we its Machines."""
    return {
        Label.MACHINE_POOL_NAME: labels.format_value(pool.metadata.name),
        Label.CLUSTER_NAME: pool.spec.cluster_name,
    }


def desired(infra_machine: InfraMachine, common: Raw, *, name: str = "", version: str = "") -> Raw:
    """The Machine of an infrastructure machine, as it is applied: what is its own beside what all have in common.

    An existing one keeps its own name.
    """
    obj = infra_machine.object
    own: Raw = {"infrastructureRef": {"apiGroup": obj.group_kind.group, "kind": obj.kind, "name": obj.metadata.name}}
    if version:
        own["version"] = version
    metadata = {"name": name or obj.metadata.name, **common["metadata"]}
    return {**common, "metadata": metadata, "spec": {**common["spec"], **own}}


def in_common(pool: MachinePool) -> Raw:
    """What all Machines of a pool have in common.

    Deletion timeouts, taints and readiness come from the pool's template, so that they hold for Machines of pools too.
    """
    template = pool.spec.template
    known = objects.part_to_raw(template.spec)
    spec = {key: known[key] for key in ("deletion", "taints", "minReadySeconds", "readinessGates") if key in known}
    return {
        "apiVersion": Machine.RESOURCE.api_version,
        "kind": Machine.RESOURCE.kind,
        "metadata": {
            "namespace": pool.metadata.namespace,
            "labels": _watched(pool) | dict(template.metadata.labels) | infra_machine_labels(pool),
            "annotations": dict(template.metadata.annotations),
            "ownerReferences": [objects.part_to_raw(ownership.reference(pool, controller=True))],
        },
        "spec": {"clusterName": pool.spec.cluster_name, "bootstrap": {"dataSecretName": ""}, **spec},
    }


def _watched(pool: MachinePool) -> dict[str, str]:
    """The label that says which managers see to the pool, for its Machines, which nobody else would see to."""
    return {key: value for key, value in pool.metadata.labels.items() if key == Label.WATCH}


def up_to_date(pool: MachinePool, machine: Machine, infra_machine: InfraMachine | None) -> Condition:
    """Whether a Machine is what the pool wants: as its provider says, else by its version."""
    if machine.deleting:
        return _not_up_to_date("Machine is being deleted")
    if infra_machine is not None and infra_machine.up_to_date is not None:
        told = infra_machine.up_to_date
        fallback = Reason.UP_TO_DATE if told.status == "True" else Reason.NOT_UP_TO_DATE
        return objects.replace_part(told, type=ConditionType.UP_TO_DATE, reason=told.reason or fallback)
    wanted = pool.spec.template.spec.version
    info = machine.status.node_info
    if wanted and info is not None and info.kubelet_version and info.kubelet_version != wanted:
        return _not_up_to_date(f"Version {info.kubelet_version}, {wanted} required")
    return Condition(type=ConditionType.UP_TO_DATE, status="True", reason=Reason.UP_TO_DATE)


def _not_up_to_date(message: str) -> Condition:
    return Condition(type=ConditionType.UP_TO_DATE, status="False", reason=Reason.NOT_UP_TO_DATE, message=message)


def _to_apply(world: World, by_name: Mapping[str, Machine]) -> tuple[Raw, ...]:
    found, common = [], in_common(world.pool)
    for infra_machine in world.infra_machines or ():
        existing = by_name.get(infra_machine.object.metadata.name)
        if (existing is None and infra_machine.object.deleting) or (existing is not None and existing.deleting):
            continue
        name = existing.metadata.name if existing is not None else ""
        version = _kubelet_version(world.nodes, infra_machine.provider_id)
        if not version and existing is not None:
            version = existing.spec.version
        raw = desired(infra_machine, common, name=name, version=version)
        if existing is None or not _is_as(existing, raw):
            found.append(raw)
    return tuple(found)


def _is_as(machine: Machine, wanted: Raw) -> bool:
    """Whether a Machine has all that is wanted of it. Its status, most of it, is nothing that is applied."""
    spec, meta = wanted["spec"], wanted["metadata"]
    return contains(objects.part_to_raw(machine.spec), spec) and contains(objects.part_to_raw(machine.metadata), meta)


def _kubelet_version(nodes: Nodes | None, provider_id: str) -> str:
    """The version that an instance runs: an older one than the pool wants, maybe, and that is what its Machine says."""
    found = nodes.by_provider_id.get(provider_id, ()) if nodes is not None and provider_id else ()
    return found[0].status.node_info.kubelet_version if found else ""


def _statuses(world: World, now: dt.datetime) -> tuple[MachineStatusPatch, ...]:
    by_name = {m.object.metadata.name: m for m in world.infra_machines or ()}
    found = []
    for machine in world.machines:
        told = up_to_date(world.pool, machine, by_name.get(machine.spec.infrastructure_ref.name))
        before = machine.status.conditions
        after = conditions.set_all(before, [told], now)
        if after != before:
            patch = {"status": {"conditions": [objects.part_to_raw(c) for c in after]}}
            found.append(MachineStatusPatch(machine.key, patch, machine.metadata.resource_version))
    return tuple(found)


def contains(actual: Any, wanted: Any) -> bool:
    """Whether everything that is wanted is there already, so that applying it would change nothing."""
    if isinstance(wanted, Mapping):
        if not isinstance(actual, Mapping):
            return not wanted
        return all(contains(actual.get(key), value) for key, value in wanted.items())
    if isinstance(wanted, list):
        return _contains_items(actual or [], wanted)
    return bool(actual == wanted) or (actual is None and wanted == "")


def _contains_items(actual: Iterable[Any], wanted: list[Any]) -> bool:
    there = list(actual)
    return all(any(contains(item, want) for item in there) for want in wanted)
