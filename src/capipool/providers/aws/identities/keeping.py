"""Keeps the identities of AWS for as long as somebody is to call with them: what was made must be deleted by somebody.

Used by `setup`. Who deletes a whole file of manifests deletes the identities first of all, and means them last. Used is
what a cluster names, what a pool or a machine remembers whose cluster is gone, and the source of a role that is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from capipool.api.constants import Label
from capipool.api.core import Cluster
from capipool.machinery.objects import Object
from capipool.machinery.resource import GroupKind, ObjectKey
from capipool.providers.aws.api.cluster import AWSCluster, IdentityReference
from capipool.providers.aws.api.machinepool import AWSMachinePool
from capipool.providers.aws.eks.api.controlplane import AWSManagedControlPlane
from capipool.providers.aws.eks.api.machinepool import AWSManagedMachinePool
from capipool.providers.aws.identities.api import (
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)
from capipool.providers.aws.machines.api import AWSMachine
from capipool.providers.aws.places import IDENTITY_ANNOTATION
from capipool.runtime.cache import Cache, Caches
from capipool.runtime.manager import Manager
from capipool.sdk.keeping import Keeper, watch_users

Identity = str
"""Kind and name: `AWSClusterRoleIdentity/workers`."""
Named = Callable[[Any], tuple[Identity, ...]]
_INDEX = "identity of AWS"
_ROLE = AWSClusterRoleIdentity.RESOURCE.kind
_KINDS: tuple[type[Object], ...] = (AWSClusterControllerIdentity, AWSClusterRoleIdentity, AWSClusterStaticIdentity)
_CLUSTERS: tuple[type[Object], ...] = (AWSCluster, AWSManagedControlPlane)
_MADE: tuple[type[Object], ...] = (AWSMachinePool, AWSManagedMachinePool, AWSMachine)


def setup(manager: Manager) -> None:
    """Add the controllers that keep identities to a manager, one for each kind of them."""
    users = Users(manager.caches)
    for kind in _KINDS:
        _keep(manager, kind, users)


def _keep(manager: Manager, kind: type[Object], users: Users) -> None:
    name = kind.RESOURCE.kind
    finalizer = f"{name.lower()}.infrastructure.cluster.x-k8s.io/in-use"
    keeper = Keeper(manager, kind, finalizer=finalizer, is_used=lambda key: users.use(f"{name}/{key.name}"))
    controller = manager.controller(f"{name.lower()}-keeper", keeper, concurrency=2)
    keeper.add_to(controller)
    for cache, named in users.all:
        watch_users(controller, cache, partial(_of_kind, name, named))


class Users:
    """Who uses which identity."""

    def __init__(self, caches: Caches) -> None:
        self._owners = caches.of(Cluster)
        self._roles = caches.of(AWSClusterRoleIdentity)
        self._clusters: dict[GroupKind, Cache[Any]] = {k.RESOURCE.group_kind: caches.of(k) for k in _CLUSTERS}
        self._made: list[Cache[Any]] = [caches.of(kind) for kind in _MADE]
        self.all: list[tuple[Cache[Any], Named]] = [
            *((cache, named_by) for cache in (*self._clusters.values(), self._roles)),
            *((cache, remembered_by) for cache in self._made),
        ]
        for cache, named in self.all:
            cache.add_index(_INDEX, named)

    def use(self, identity: Identity) -> bool:
        """Whether somebody uses it. Looks into caches, and makes no call."""
        return is_used(identity, self._is_named, lambda source: self._roles.by(_INDEX, source))

    def _is_named(self, identity: Identity) -> bool:
        if any(cache.by(_INDEX, identity) for cache in self._clusters.values()):
            return True
        return any(self._is_alone(obj) for cache in self._made for obj in cache.by(_INDEX, identity))

    def _is_alone(self, obj: Object) -> bool:
        """Whether nobody says any more who calls for it, so that it goes by what it remembers."""
        namespace = obj.metadata.namespace
        owner = self._owners.get(ObjectKey(namespace, obj.metadata.labels.get(Label.CLUSTER_NAME, "")))
        references = (owner.spec.control_plane_ref, owner.spec.infrastructure_ref) if owner is not None else ()
        return not any(
            cache.get(ObjectKey(namespace, reference.name)) is not None
            for reference in references
            if reference is not None and (cache := self._clusters.get(reference.group_kind)) is not None
        )


def is_used(
    identity: Identity,
    is_named: Callable[[Identity], bool],
    roles: Callable[[Identity], Iterable[AWSClusterRoleIdentity]],
    seen: frozenset[Identity] = frozenset(),
) -> bool:
    """Whether an identity is named, or is the source of one of the roles that stays. Pure.

    A role that is being deleted stays only where it is used itself: two that name each other do not keep each other.
    """
    if is_named(identity):
        return True
    seen |= {identity}
    above = ((role, f"{_ROLE}/{role.metadata.name}") for role in roles(identity))
    return any(name not in seen and (not role.deleting or is_used(name, is_named, roles, seen)) for role, name in above)


def named_by(obj: Object) -> tuple[Identity, ...]:
    """The identity that a cluster's object names, or the source of a role; none at all where that is the process."""
    reference: IdentityReference | None = None
    if isinstance(obj, AWSCluster | AWSManagedControlPlane):
        reference = obj.spec.identity_ref
    elif isinstance(obj, AWSClusterRoleIdentity):
        reference = obj.spec.source_identity_ref
    return (f"{reference.kind}/{reference.name}",) if reference is not None else ()


def remembered_by(obj: Object) -> tuple[Identity, ...]:
    """The identity with which the things of a pool or a machine were made."""
    mark = obj.metadata.annotations.get(IDENTITY_ANNOTATION, "")
    return (mark,) if mark else ()


def _of_kind(kind: str, named: Named, obj: Object) -> ObjectKey | None:
    found = (identity.partition("/") for identity in named(obj))
    return next((ObjectKey("", name) for of, _, name in found if of == kind), None)
