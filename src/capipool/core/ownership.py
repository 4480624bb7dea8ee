"""Who owns what: how Clusters own objects of ours, and these own providers' objects. Pure.

Owner references and labels are written only where they differ, and for the version read: a list is replaced whole, and
somebody else's entries in it must survive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from capipool.api.constants import ConditionType, Label, Reason
from capipool.api.core import Cluster, Machine, MachineDeployment, MachinePool, MachineSet
from capipool.core.writes import ObjectPatch, Problem
from capipool.machinery import objects
from capipool.machinery.conditions import Condition
from capipool.machinery.objects import Object, ObjectMeta, OwnerReference, Unstructured, replace_part
from capipool.machinery.resource import GroupKind, Resource

_Member = Machine | MachineDeployment | MachinePool | MachineSet

CONTROLLED_BY_ANOTHER = "ControlledByAnother"
"""The reason why a provider's object cannot be used: it belongs to something else."""


def reference(owner: Object, *, controller: bool = False) -> OwnerReference:
    """An owner reference to an object of ours; the controlling one holds the owner until the owned is gone."""
    return OwnerReference(
        api_version=owner.RESOURCE.api_version,
        kind=owner.RESOURCE.kind,
        name=owner.metadata.name,
        uid=owner.metadata.uid,
        controller=controller or None,
        block_owner_deletion=controller or None,
    )


def with_owner(owners: Iterable[OwnerReference], owner: OwnerReference) -> tuple[OwnerReference, ...]:
    """Owners with this one, in place of an older reference to it: of another version, or of a deleted namesake."""
    before = tuple(owners)
    replaced = tuple(owner if _same(o, owner) else o for o in before)
    return replaced if owner in replaced else (*replaced, owner)


def joined(obj: _Member, cluster: Cluster, finalizer: str, *, owned: bool = True) -> ObjectMeta:
    """The metadata of an object that is reconciled: our finalizer, its Cluster's label, and the Cluster as an owner.

    Without `owned` the owner is something else, or will be. What is going gets no new finalizer: the API refuses that.
    """
    meta, owners = obj.metadata, obj.metadata.owner_references
    held = obj.deleting or finalizer in meta.finalizers
    return replace_part(
        meta,
        finalizers=meta.finalizers if held else (*meta.finalizers, finalizer),
        owner_references=with_owner(owners, reference(cluster)) if owned else owners,
        labels=meta.labels | {Label.CLUSTER_NAME: obj.spec.cluster_name},
    )


def without_finalizer(meta: ObjectMeta, finalizer: str) -> ObjectMeta:
    """The metadata of an object that may go."""
    return replace_part(meta, finalizers=tuple(f for f in meta.finalizers if f != finalizer))


def controller_of(obj: Object, kind: GroupKind | None = None) -> OwnerReference | None:
    """What controls an object: anything, or something of this kind."""
    controllers = (o for o in obj.metadata.owner_references if o.controller)
    return next((o for o in controllers if kind is None or o.group_kind == kind), None)


def controls(owner: Object, meta: ObjectMeta) -> bool:
    """Whether an owner controls an object with this metadata."""
    return any(o.controller and o.uid == owner.metadata.uid for o in meta.owner_references)


def take(owner: Object, obj: Unstructured, resource: Resource, cluster: str) -> ObjectPatch | Problem | None:
    """What makes a provider's object ours; None where it is, or is going; a Problem where another controls it."""
    if obj.deleting:
        return None
    meta, ours = obj.metadata, reference(owner, controller=True)
    other = next((o for o in meta.owner_references if o.controller and not _same(o, ours)), None)
    if other is not None:
        message = f"{obj.kind} {meta.name} is controlled by {other.kind} {other.name} already"
        return Problem(CONTROLLED_BY_ANOTHER, message)
    owners = with_owner(meta.owner_references, ours)
    changes: dict[str, Any] = {}
    if owners != meta.owner_references:
        changes["ownerReferences"] = [objects.part_to_raw(o) for o in owners]
    if meta.labels.get(Label.CLUSTER_NAME) != cluster:
        changes["labels"] = {Label.CLUSTER_NAME: cluster}
    return ObjectPatch(resource, obj.key, {"metadata": changes}, meta.resource_version) if changes else None


def is_taken(owner: Object, meta: ObjectMeta, cluster: str) -> bool:
    """Whether a provider's object carries owner and label already: its other metadata is no concern of ours."""
    return controls(owner, meta) and meta.labels.get(Label.CLUSTER_NAME) == cluster


def without_cluster(obj: _Member) -> Condition:
    """`Available` of what belongs to a Cluster that does not exist: nothing else can be said."""
    message = f"Cluster {obj.spec.cluster_name} does not exist"
    return Condition(type=ConditionType.AVAILABLE, status="False", reason=Reason.NOT_AVAILABLE, message=message)


def _same(one: OwnerReference, other: OwnerReference) -> bool:
    return one.group_kind == other.group_kind and one.name == other.name
