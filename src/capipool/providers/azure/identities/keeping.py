"""Keeps an AzureClusterIdentity for as long as somebody calls Azure with it: what was made must be deleted by somebody.

Used by `setup`. Who deletes a whole file of manifests deletes the identity first of all, and means it last.
"""

from __future__ import annotations

from collections.abc import Iterable

from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.identities.finding import identity_of
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import DONE, Result
from capipool.sdk import writes

FINALIZER = "azureclusteridentity.infrastructure.cluster.x-k8s.io/in-use"
User = AzureCluster | AzureManagedControlPlane


class IdentityKeeper:
    """Sets a finalizer on identities that are used, and takes it off those that are not."""

    def __init__(self, manager: Manager) -> None:
        self._client = manager.client
        self.objects = manager.caches.of(AzureClusterIdentity)
        self._clusters = manager.caches.of(AzureCluster)
        self._planes = manager.caches.of(AzureManagedControlPlane)

    def add_to(self, controller: Controller) -> None:
        """Have the controller watch identities, and who names them."""
        controller.watch(self.objects, _identity_changed)
        controller.watch(self._clusters, _user_changed)
        controller.watch(self._planes, _user_changed)

    async def reconcile(self, key: ObjectKey) -> Result:
        """Take one step. Safe to repeat. Raises ApiError."""
        obj = self.objects.get(key)
        if obj is None:
            return DONE
        users: list[User] = [*self._clusters.list(), *self._planes.list()]
        used, kept = any(identity_of(user) == key for user in users), FINALIZER in obj.metadata.finalizers
        if used and not kept and not obj.deleting:
            await writes.set_finalizers(self._client, obj, [*obj.metadata.finalizers, FINALIZER])
        elif kept and not used:
            await writes.remove_finalizer(self._client, obj, FINALIZER)
        return DONE


def _identity_changed(old: AzureClusterIdentity | None, new: AzureClusterIdentity | None) -> Iterable[ObjectKey]:
    """One that comes, is to go, or whose finalizers somebody changed."""
    if new is None or (old is not None and _held(old) == _held(new)):
        return ()
    return (new.key,)


def _held(identity: AzureClusterIdentity) -> tuple[object, ...]:
    return (identity.metadata.uid, identity.deleting, identity.metadata.finalizers)


def _user_changed(old: User | None, new: User | None) -> Iterable[ObjectKey]:
    """The identity that it names now, and the one that it named before."""
    before, now = (identity_of(each) if each is not None else None for each in (old, new))
    return {key for key in (before, now) if key is not None} if before != now else ()
