"""MachineSets as their deployment wants them: objects to apply on the server's side. Pure.

What is changed in place (labels, annotations, timeouts, taints, deletion order, naming) follows the deployment in every
set; what machines are replaced for stays in an old set as it was made.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from capipool.api.constants import Annotation, ConditionType, Label, RolloutStrategyType
from capipool.api.core import Machine, MachineDeployment, MachineSet, MachineSpec
from capipool.api.v1beta2.shared import RolloutStrategy
from capipool.core import templates
from capipool.core.machinedeployment import revisions, rollout
from capipool.core.machinedeployment.rollout import Rollout, SetSize
from capipool.core.machineset import order
from capipool.machinery import conditions, objects, selectors
from capipool.machinery.objects import Raw

DEFAULT_SURGE, DEFAULT_UNAVAILABLE = 1, 0
_IN_PLACE = ("deletion", "min_ready_seconds", "readiness_gates", "taints")


def is_on_delete(deployment: MachineDeployment) -> bool:
    """Whether machines are replaced only when somebody deletes them."""
    strategy = deployment.spec.rollout.strategy
    return strategy is not None and strategy.type == RolloutStrategyType.ON_DELETE


def fenceposts(deployment: MachineDeployment) -> tuple[int, int]:
    """By how many machines a rollout may overshoot and fall short; (0, 0) for OnDelete. Raises ValueError."""
    if is_on_delete(deployment):
        return 0, 0
    strategy = deployment.spec.rollout.strategy or RolloutStrategy(type=RolloutStrategyType.ROLLING_UPDATE)
    rolling = strategy.rolling_update
    surge = DEFAULT_SURGE if rolling.max_surge is None else rolling.max_surge
    unavailable = DEFAULT_UNAVAILABLE if rolling.max_unavailable is None else rolling.max_unavailable
    replicas = deployment.spec.replicas or 0
    resolved = rollout.resolve_fenceposts(surge, unavailable, replicas)
    return resolved[0], min(resolved[1], replicas)


def world(deployment: MachineDeployment, new: SetSize, old: Iterable[SetSize]) -> Rollout:
    """A deployment and its sets as the planner sees them. Raises ValueError where replicas are not set."""
    if deployment.spec.replicas is None:
        raise ValueError(f"MachineDeployment {deployment.metadata.name} has no spec.replicas")
    surge, unavailable = fenceposts(deployment)
    return Rollout(deployment.spec.replicas, new, tuple(old), surge=surge, unavailable=unavailable)


def by_set(machines: Iterable[Machine]) -> dict[str, list[Machine]]:
    """Machines by the UID of what controls them."""
    found: dict[str, list[Machine]] = {}
    for machine in machines:
        for owner in machine.metadata.owner_references:
            if owner.controller:
                found.setdefault(owner.uid, []).append(machine)
    return found


def size(machine_set: MachineSet, machines: Iterable[Machine]) -> SetSize:
    """A set as the planner sees it: by the machines that it controls.

    What the set's status tells of them is a moment late: it may count one as available that is deleted already.
    Raises ValueError where its replicas are not set.
    """
    if machine_set.spec.replicas is None:
        raise ValueError(f"MachineSet {machine_set.metadata.name} has no spec.replicas")
    selector = selectors.from_object(objects.part_to_raw(machine_set.spec.selector))
    there = [m for m in machines if selector is None or selector.matches(m.metadata.labels)]
    first = order.pick(there, 1, machine_set.spec.deletion.order)
    return SetSize(
        name=machine_set.metadata.name,
        spec=machine_set.spec.replicas,
        status=len(there),
        available=sum(map(_serves, there)),
        up_to_date=machine_set.status.up_to_date_replicas or 0,
        going=sum(m.deleting for m in there),
        settled=(machine_set.status.observed_generation or 0) >= machine_set.metadata.generation,
        next_serves=any(map(_serves, first)),
    )


def _serves(machine: Machine) -> bool:
    return not machine.deleting and conditions.is_true(machine.status.conditions, ConditionType.AVAILABLE)


def desired_new(
    deployment: MachineDeployment,
    current: MachineSet | None,
    old: Iterable[MachineSet],
    *,
    name: str,
    suffix: str = "",
    replicas: int = 0,
) -> Raw:
    """The new set, made from the template with `name`, or as it is to be from now on."""
    before = current.metadata.annotations if current is not None else None
    known = [s.metadata.annotations.get(Annotation.REVISION, "") for s in old]
    wanted = revisions.revision_annotations(before, known) | {Annotation.DISABLE_MACHINE_CREATE: "false"}
    if current is not None:
        return _desired(
            deployment, current.metadata.name, _unique(current), current.spec.template.spec, replicas, wanted
        )
    unique = f"{templates.template_hash(deployment.spec.template)}-{suffix}"
    return _desired(deployment, name, unique, deployment.spec.template.spec, replicas, wanted)


def desired_old(deployment: MachineDeployment, current: MachineSet, replicas: int | None = None) -> Raw:
    """An old set as it is to be from now on. With OnDelete it makes no machines any more."""
    wanted = revisions.kept_revision_annotations(current.metadata.annotations)
    wanted |= {Annotation.DISABLE_MACHINE_CREATE: "true" if is_on_delete(deployment) else "false"}
    size_ = (current.spec.replicas or 0) if replicas is None else replicas
    return _desired(deployment, current.metadata.name, _unique(current), current.spec.template.spec, size_, wanted)


def _unique(current: MachineSet) -> str:
    """The label value that tells a set's machines from those of others. Raises ValueError for a set without one."""
    value = current.metadata.labels.get(Label.MACHINE_DEPLOYMENT_UNIQUE)
    if not value:
        raise ValueError(f"MachineSet {current.metadata.name} has no label {Label.MACHINE_DEPLOYMENT_UNIQUE}")
    return value


def _desired(
    deployment: MachineDeployment,
    name: str,
    unique: str,
    machine: MachineSpec,
    replicas: int,
    annotations: Mapping[str, str],
) -> Raw:
    spec, meta = deployment.spec, deployment.metadata
    mark = {Label.MACHINE_DEPLOYMENT_UNIQUE: unique}
    labels = {**spec.template.metadata.labels, **mark}
    selector = objects.part_to_raw(spec.selector)
    in_place = {field: getattr(spec.template.spec, field) for field in _IN_PLACE}
    wanted: dict[str, Any] = {
        "replicas": replicas,
        "clusterName": spec.cluster_name,
        "selector": {**selector, "matchLabels": {**spec.selector.match_labels, **mark}},
        "template": {
            "metadata": _without_empty({"labels": labels, "annotations": dict(spec.template.metadata.annotations)}),
            "spec": objects.part_to_raw(msgspec.structs.replace(machine, **in_place)),
        },
        "deletion": objects.part_to_raw(spec.deletion),
        "machineNaming": objects.part_to_raw(spec.machine_naming),
    }
    return {
        "apiVersion": MachineSet.RESOURCE.api_version,
        "kind": MachineSet.RESOURCE.kind,
        "metadata": {
            "name": name,
            "namespace": meta.namespace,
            "labels": {**labels, Label.MACHINE_DEPLOYMENT_NAME: meta.name, Label.CLUSTER_NAME: spec.cluster_name},
            "annotations": revisions.set_annotations(deployment, fenceposts(deployment)[0]) | dict(annotations),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": _without_empty(wanted),
    }


def owner_reference(deployment: MachineDeployment) -> Raw:
    """The deployment as the controlling owner of its sets."""
    return {
        "apiVersion": deployment.RESOURCE.api_version,
        "kind": deployment.RESOURCE.kind,
        "name": deployment.metadata.name,
        "uid": deployment.metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def _without_empty(raw: Raw) -> Raw:
    return {key: value for key, value in raw.items() if value != {}}
