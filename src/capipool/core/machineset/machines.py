"""Machines as their set wants them, and the parts that are cloned for each. Pure.

A machine is made before its parts: whoever dies in between leaves a machine whose missing parts the next run makes,
and never a part without a machine.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from typing import Any

from capipool.api import labels, naming
from capipool.api.constants import Annotation, Label
from capipool.api.core import Cluster, Machine, MachineSet
from capipool.core import ownership
from capipool.core.machineset.world import Part, Template, World
from capipool.machinery import objects
from capipool.machinery.objects import Model, Raw, wire_name
from capipool.machinery.resource import Resource, split_api_version

FIELD_MANAGER = "capipool-machineset"

_IN_PLACE = ("deletion", "min_ready_seconds", "readiness_gates", "taints")
"""What of a machine's spec is changed without replacing it."""


def new(world: World, cluster: Cluster, rng: random.Random) -> Raw:
    """A new machine, to be applied."""
    machine_set = world.machine_set
    name = naming.machine_name(
        machine_set.spec.machine_naming.template,
        cluster=cluster.metadata.name,
        machine_set=machine_set.metadata.name,
        rng=rng,
    )
    return desired(world, name)


def desired(world: World, name: str, existing: Machine | None = None) -> Raw:
    """A machine as it is applied. What it would be replaced for stays as it was made."""
    machine_set = world.machine_set
    template = machine_set.spec.template
    meta = template.metadata
    wanted = objects.part_to_raw(template.spec if existing is None else existing.spec)
    in_place = objects.part_to_raw(template.spec)
    for key in map(wire_name, _IN_PLACE):
        wanted.pop(key, None)
        if key in in_place:
            wanted[key] = in_place[key]
    wanted.pop("providerID", None)
    if existing is None:
        wanted |= _references(world, name)
    else:
        wanted = _without_what_others_write(wanted)
    return {
        "apiVersion": Machine.RESOURCE.api_version,
        "kind": Machine.RESOURCE.kind,
        "metadata": {
            "name": name,
            "namespace": machine_set.metadata.namespace,
            "labels": machine_labels(machine_set),
            "annotations": dict(meta.annotations),
            "ownerReferences": [objects.part_to_raw(ownership.reference(machine_set, controller=True))],
        },
        "spec": wanted,
    }


def machine_labels(machine_set: MachineSet) -> dict[str, str]:
    """The labels of a set's machines: the template's, and whose they are."""
    own = {
        Label.CLUSTER_NAME: machine_set.spec.cluster_name,
        Label.MACHINE_SET_NAME: labels.format_value(machine_set.metadata.name),
    }
    if (deployment := machine_set.metadata.labels.get(Label.MACHINE_DEPLOYMENT_NAME)) is not None:
        own[Label.MACHINE_DEPLOYMENT_NAME] = deployment
    return {**machine_set.spec.template.metadata.labels, **own}


def lacking(machine_set: MachineSet, machines: Iterable[Machine]) -> list[Machine]:
    """The machines without something that is synced in place. What they have beyond that is not looked for.

    Defaults that admission filled in are such a thing: a machine has them, and its template need not.
    """
    template = machine_set.spec.template
    wanted = [(field, getattr(template.spec, field)) for field in _IN_PLACE]
    labels_, annotations = machine_labels(machine_set).items(), template.metadata.annotations.items()
    return [
        m
        for m in machines
        if not (
            labels_ <= m.metadata.labels.items()
            and annotations <= m.metadata.annotations.items()
            and all(_covers(getattr(m.spec, field), value) for field, value in wanted)
        )
    ]


def _covers(actual: Any, wanted: Any) -> bool:
    """Whether a part of a machine's spec has everything that the template's has."""
    if isinstance(wanted, Model):
        return all(_covers(getattr(actual, f), getattr(wanted, f)) for f in wanted.__struct_fields__)
    if isinstance(wanted, tuple):
        return all(any(_covers(a, w) for a in actual) for w in wanted)
    return wanted is None or bool(wanted == actual) or (actual is None and not wanted)


def missing_parts(world: World) -> Iterator[Part]:
    """The parts of machines that were made and are not provisioned yet."""
    for machine in world.machines:
        initialization = machine.status.initialization
        if machine.deleting:
            continue
        if isinstance(world.infra, Template) and not initialization.infrastructure_provisioned:
            yield from _part(world, world.infra, machine, machine.spec.infrastructure_ref.name)
        config = machine.spec.bootstrap.config_ref
        if isinstance(world.bootstrap, Template) and config and not initialization.bootstrap_data_secret_created:
            yield from _part(world, world.bootstrap, machine, config.name)


def _part(world: World, template: Template, machine: Machine, name: str) -> Iterator[Part]:
    if template.made is not None and name not in template.objects:
        yield Part(template.made, _clone(world, template, template.made, name, machine))


def _clone(world: World, template: Template, made: Resource, name: str, machine: Machine) -> Raw:
    """An object made from a template; its machine owns it."""
    inner = template.object.spec.get("template") or {}
    meta = inner.get("metadata") or {}
    of_machines = world.machine_set.spec.template.metadata
    cloned = {
        Annotation.TEMPLATE_CLONED_FROM_NAME: template.object.metadata.name,
        Annotation.TEMPLATE_CLONED_FROM_GROUP_KIND: str(template.object.group_kind),
    }
    metadata = {
        "name": name,
        "namespace": world.machine_set.metadata.namespace,
        "labels": {**(meta.get("labels") or {}), **machine_labels(world.machine_set)},
        "annotations": {**(meta.get("annotations") or {}), **of_machines.annotations, **cloned},
        "ownerReferences": [objects.part_to_raw(ownership.reference(machine, controller=True))],
    }
    return {
        "apiVersion": made.api_version,
        "kind": made.kind,
        "metadata": metadata,
        "spec": inner.get("spec") or {},
    }


def _references(world: World, name: str) -> Raw:
    """References to the parts, which are named after their machine."""
    found: Raw = {}
    if isinstance(world.infra, Template) and world.infra.made is not None:
        found["infrastructureRef"] = _reference(world.infra.made, name)
    if isinstance(world.bootstrap, Template) and world.bootstrap.made is not None:
        found["bootstrap"] = {"configRef": _reference(world.bootstrap.made, name)}
    return found


def _reference(resource: Resource, name: str) -> Raw:
    group, _ = split_api_version(resource.api_version)
    return {"apiGroup": group, "kind": resource.kind, "name": name}


def _without_what_others_write(spec: Raw) -> Raw:
    """An existing machine's spec without what its own controller fills in, which is not ours to apply."""
    kept = {key: value for key, value in spec.items() if key != "bootstrap"}
    bootstrap = spec.get("bootstrap") or {}
    config = bootstrap.get("configRef")
    return {**kept, "bootstrap": {"configRef": config} if config is not None else dict(bootstrap)}
