"""Which changes are looked at: from (old, new) of some object to keys to reconcile. Pure, but for index look-ups.

Used by the watches of every reconciler of core, for what they have alike; what of an object matters to one kind alone
is said there. What is decided here is what a change costs: a heartbeat, or a counter that moved, costs nothing. Caches
that are searched here have the indexes of `references.add_indexes` and `indexes.cluster_name`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from capipool.api import indexes
from capipool.api.builtin import CustomResourceDefinition
from capipool.api.core import Cluster, Machine, MachineDeployment, MachineSet
from capipool.core import ownership, references
from capipool.core.references import Referring
from capipool.machinery.objects import Object, Unstructured
from capipool.machinery.resource import ObjectKey
from capipool.runtime.cache import Cache

T = TypeVar("T", bound=Object)
ReferringT = TypeVar("ReferringT", bound=Referring)


def relevant(old: T | None, new: T | None, facts: Callable[[T], object]) -> T | None:
    """The object, where it came, went, or these facts of it changed; None where they are as before."""
    if old is not None and new is not None and facts(old) == facts(new):
        return None
    return new or old


def cluster_changed(cache: Cache[ReferringT], old: Cluster | None, new: Cluster | None) -> list[ObjectKey]:
    """All that belongs to a Cluster that came, went, was paused, or is going; its status moves without us."""
    cluster = relevant(old, new, _of_cluster)
    return [o.key for o in cache.by(indexes.CLUSTER_NAME, str(cluster.key))] if cluster is not None else []


def provider_changed(cache: Cache[ReferringT], old: Unstructured | None, new: Unstructured | None) -> list[ObjectKey]:
    """What refers to a provider's object whose spec, status or life changed, or that has lost its owner or label."""
    obj = new or old
    if obj is None:
        return []
    found = cache.by(references.OBJECTS, references.name(obj.group_kind, obj.key))
    if old is None or new is None or of_provider(old) != of_provider(new):
        return [o.key for o in found]
    return [o.key for o in found if not ownership.is_taken(o, new.metadata, _cluster_name(o))]


def definition_changed(
    cache: Cache[ReferringT], old: CustomResourceDefinition | None, new: CustomResourceDefinition | None
) -> list[ObjectKey]:
    """What refers to a kind that was installed, changed its versions or contract, or went."""
    definition = relevant(old, new, _of_definition)
    if definition is None:
        return []
    return [o.key for o in cache.by(references.KINDS, str(references.kind_of(definition)))]


def of_body(obj: Machine | MachineDeployment | MachineSet) -> tuple[object, ...]:
    """Facts of an object that its own reconciler goes by: all that others write. Its status is ours."""
    meta = obj.metadata
    return (
        meta.uid,
        meta.deletion_timestamp,
        meta.labels,
        meta.annotations,
        meta.owner_references,
        meta.finalizers,
        obj.spec,
    )


def of_provider(obj: Unstructured) -> tuple[object, ...]:
    """Facts of a provider's object: all but labels, annotations and owners."""
    meta = obj.metadata
    return (meta.uid, meta.deletion_timestamp, meta.finalizers, obj.spec, obj.status)


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    return (cluster.metadata.uid, bool(cluster.spec.paused), cluster.deleting)


def _of_definition(definition: CustomResourceDefinition) -> tuple[object, ...]:
    conditions = tuple((c.type, c.status) for c in definition.status.conditions)
    return (definition.metadata.labels, definition.spec.versions, conditions)


def _cluster_name(obj: Referring) -> str:
    return obj.metadata.name if isinstance(obj, Cluster) else obj.spec.cluster_name
