"""Who owns what: the pool belongs to its Cluster, the provider's objects belong to the pool. Pure.

Owner references and labels are written only where they differ, and for the version read: a list is replaced whole, and
somebody else's entries in it must survive.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from capipool.api.constants import GROUP, Finalizer, Label, Reason
from capipool.api.core import Cluster, MachinePool
from capipool.core.machinepool.world import BootstrapObject, InfraObject, ObjectPatch, Problem
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta, OwnerReference, replace_part
from capipool.machinery.resource import GroupKind

_CLUSTER = GroupKind(GROUP, "Cluster")
_POOL = GroupKind(GROUP, "MachinePool")


def of_pool(pool: MachinePool, cluster: Cluster) -> ObjectMeta:
    """The pool's metadata with its finalizer, its Cluster as an owner, and the Cluster's name as a label."""
    meta = pool.metadata
    finalizers = meta.finalizers
    if not pool.deleting and Finalizer.MACHINE_POOL not in finalizers:
        finalizers = (*finalizers, Finalizer.MACHINE_POOL)
    owner = OwnerReference(
        api_version=cluster.RESOURCE.api_version,
        kind="Cluster",
        name=cluster.metadata.name,
        uid=cluster.metadata.uid,
    )
    return replace_part(
        meta,
        finalizers=finalizers,
        owner_references=_with(meta.owner_references, owner, _CLUSTER),
        labels=meta.labels | {Label.CLUSTER_NAME: pool.spec.cluster_name},
    )


def without_finalizer(meta: ObjectMeta) -> ObjectMeta:
    """The metadata of a pool that may go."""
    return replace_part(meta, finalizers=tuple(f for f in meta.finalizers if f != Finalizer.MACHINE_POOL))


def of_provider(pool: MachinePool, provider: BootstrapObject | InfraObject) -> ObjectPatch | Problem | None:
    """What makes a provider's object the pool's; None where it is, a Problem where it has another controller."""
    obj = provider.object
    if obj.deleting:
        return None
    meta = obj.metadata
    owner = OwnerReference(
        api_version=pool.RESOURCE.api_version,
        kind="MachinePool",
        name=pool.metadata.name,
        uid=pool.metadata.uid,
        controller=True,
        block_owner_deletion=True,
    )
    other = next((o for o in meta.owner_references if o.controller and not _same(o, owner)), None)
    if other is not None:
        message = f"{obj.kind} {meta.name} is controlled by {other.kind} {other.name} already"
        return Problem(Reason.INTERNAL_ERROR, message)
    return _patch(provider, _with(meta.owner_references, owner, _POOL), pool.spec.cluster_name)


def in_order(pool: MachinePool, meta: ObjectMeta) -> bool:
    """Whether a provider's object carries the owner and the label already: its other metadata is not our concern."""
    owned = any(o.uid == pool.metadata.uid and o.controller for o in meta.owner_references)
    return owned and meta.labels.get(Label.CLUSTER_NAME) == pool.spec.cluster_name


def _patch(
    provider: BootstrapObject | InfraObject, owners: tuple[OwnerReference, ...], cluster: str
) -> ObjectPatch | None:
    meta = provider.object.metadata
    changes: dict[str, Any] = {}
    if owners != meta.owner_references:
        changes["ownerReferences"] = [objects.part_to_raw(o) for o in owners]
    if meta.labels.get(Label.CLUSTER_NAME) != cluster:
        changes["labels"] = {Label.CLUSTER_NAME: cluster}
    if not changes:
        return None
    return ObjectPatch(provider.resource, provider.object.key, {"metadata": changes}, meta.resource_version)


def _with(owners: Iterable[OwnerReference], owner: OwnerReference, kind: GroupKind) -> tuple[OwnerReference, ...]:
    """Owners with this one in place of an older reference to it: of another version, or of a deleted namesake."""
    before = tuple(owners)
    replaced = tuple(owner if (o.group_kind == kind and o.name == owner.name) else o for o in before)
    return replaced if owner in replaced else (*replaced, owner)


def _same(one: OwnerReference, other: OwnerReference) -> bool:
    return one.group_kind == other.group_kind and one.name == other.name
