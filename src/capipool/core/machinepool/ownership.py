"""The pool's own metadata: its finalizer, its Cluster as an owner, and the Cluster's name as a label. Pure."""

from __future__ import annotations

from capipool.api.constants import Finalizer, Label
from capipool.api.core import Cluster, MachinePool
from capipool.core import ownership
from capipool.machinery.objects import ObjectMeta, replace_part


def of_pool(pool: MachinePool, cluster: Cluster) -> ObjectMeta:
    """The metadata of a pool that is reconciled."""
    meta = pool.metadata
    finalizers = meta.finalizers
    if not pool.deleting and Finalizer.MACHINE_POOL not in finalizers:
        finalizers = (*finalizers, Finalizer.MACHINE_POOL)
    return replace_part(
        meta,
        finalizers=finalizers,
        owner_references=ownership.with_owner(meta.owner_references, ownership.reference(cluster)),
        labels=meta.labels | {Label.CLUSTER_NAME: pool.spec.cluster_name},
    )


def without_finalizer(meta: ObjectMeta) -> ObjectMeta:
    """The metadata of a pool that may go."""
    return replace_part(meta, finalizers=tuple(f for f in meta.finalizers if f != Finalizer.MACHINE_POOL))
