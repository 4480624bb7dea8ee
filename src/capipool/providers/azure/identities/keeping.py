"""Keeps an AzureClusterIdentity for as long as somebody calls Azure with it: what was made must be deleted by somebody.

Used by `setup`. Who deletes a whole file of manifests deletes the identity first of all, and means it last.
"""

from __future__ import annotations

from capipool.machinery.resource import ObjectKey
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.clusteridentity import AzureClusterIdentity
from capipool.providers.azure.api.managedcontrolplane import AzureManagedControlPlane
from capipool.providers.azure.identities.finding import identity_of
from capipool.runtime.manager import Manager
from capipool.sdk.keeping import Keeper, watch_users

FINALIZER = "azureclusteridentity.infrastructure.cluster.x-k8s.io/in-use"


def setup(manager: Manager) -> None:
    """Add the controller that keeps identities to a manager."""
    clusters = manager.caches.of(AzureCluster)
    planes = manager.caches.of(AzureManagedControlPlane)

    def is_used(identity: ObjectKey) -> bool:
        users = (identity_of(user) for cache in (clusters, planes) for user in cache.list())
        return identity in users

    keeper = Keeper(manager, AzureClusterIdentity, finalizer=FINALIZER, is_used=is_used)
    controller = manager.controller("azureclusteridentity", keeper, concurrency=2)
    keeper.add_to(controller)
    watch_users(controller, clusters, identity_of)
    watch_users(controller, planes, identity_of)
