"""Which changes of an object, and of the Cluster or Machine that names it, make its controller look. Pure.

Used where a provider adds controllers of its cluster and machine kinds; what is news for a pool, `sdk.watches` knows.
A change of an object's status is none: its own controller writes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from capipool.api.core import Cluster, Machine
from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey

ObjectT = TypeVar("ObjectT", bound=Object)

Changed = Callable[[ObjectT | None, ObjectT | None], list[ObjectKey]]
"""From what an object was and what it is to whom that concerns. What `Controller.watch` takes."""


def of_object(old: Object | None, new: Object | None, *, finalizers: bool = False) -> list[ObjectKey]:
    """An object that comes, or of which somebody wants something else. `finalizers`: they are news, too."""
    if new is None or (old is not None and _wish(old, finalizers) == _wish(new, finalizers)):
        return []
    return [new.key]


def infrastructure_of(kind: type[Object]) -> Changed[Cluster]:
    """For the kind's object that a Cluster names as its infrastructure.

    A Cluster is news that comes, is paused or goes on, or learns its endpoint.
    """

    def changed(old: Cluster | None, new: Cluster | None) -> list[ObjectKey]:
        if old is not None and new is not None and _with_endpoint(old) == _with_endpoint(new):
            return []
        return infrastructure(new, kind)

    return changed


def control_plane_of(kind: type[Object]) -> Changed[Cluster]:
    """For the kind's object that a Cluster names as its control plane: a Cluster that comes, is paused, or goes on."""

    def changed(old: Cluster | None, new: Cluster | None) -> list[ObjectKey]:
        if new is None or (old is not None and _of_cluster(old) == _of_cluster(new)):
            return []
        reference = new.spec.control_plane_ref
        same = reference is not None and reference.group_kind == kind.RESOURCE.group_kind
        return [ObjectKey(new.metadata.namespace, reference.name)] if reference is not None and same else []

    return changed


def machine_of(kind: type[Object]) -> Changed[Machine]:
    """For the kind's object that a Machine names: a Machine that comes, or has its bootstrap data now."""

    def changed(old: Machine | None, new: Machine | None) -> list[ObjectKey]:
        if new is None or (old is not None and old.spec == new.spec):
            return []
        reference = new.spec.infrastructure_ref
        same = reference.group_kind == kind.RESOURCE.group_kind
        return [ObjectKey(new.metadata.namespace, reference.name)] if same else []

    return changed


def infrastructure(cluster: Cluster | None, kind: type[Object]) -> list[ObjectKey]:
    """The object that a Cluster names as its infrastructure, if it is of this kind."""
    reference = cluster.spec.infrastructure_ref if cluster is not None else None
    if cluster is None or reference is None or reference.group_kind != kind.RESOURCE.group_kind:
        return []
    return [ObjectKey(cluster.metadata.namespace, reference.name)]


def _wish(obj: Object, finalizers: bool) -> tuple[object, ...]:
    meta = obj.metadata
    about = (meta.uid, meta.annotations, meta.labels, meta.deletion_timestamp, meta.owner_references)
    return (getattr(obj, "spec", None), *about, *(meta.finalizers if finalizers else ()))


def _of_cluster(cluster: Cluster) -> tuple[object, ...]:
    spec = cluster.spec
    return (cluster.metadata.uid, spec.paused, spec.infrastructure_ref, spec.control_plane_ref)


def _with_endpoint(cluster: Cluster) -> tuple[object, ...]:
    return (*_of_cluster(cluster), cluster.spec.control_plane_endpoint)
