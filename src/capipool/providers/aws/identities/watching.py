"""Which objects look again where an identity comes, or lets others use it. Used by every controller that calls AWS."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from capipool.machinery.objects import Object
from capipool.machinery.resource import ObjectKey
from capipool.providers.aws.identities.api import (
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)
from capipool.runtime.cache import Caches
from capipool.runtime.controller import Controller

Waiting = Callable[[], Iterable[ObjectKey]]
"""Those that may wait for an identity. One may be meant by way of a role, so which it is tells nothing."""

_KINDS: tuple[type[Object], ...] = (
    AWSClusterControllerIdentity,
    AWSClusterRoleIdentity,
    AWSClusterStaticIdentity,
)


def watch(controller: Controller, caches: Caches, waiting: Waiting) -> None:
    """Have a controller look again at those that wait. Identities change rarely."""

    def changed(old: Object | None, new: Object | None) -> Iterable[ObjectKey]:
        if new is None or (old is not None and old.metadata.generation == new.metadata.generation):
            return ()
        return list(waiting())

    for kind in _KINDS:
        controller.watch(caches.of(kind), changed)
