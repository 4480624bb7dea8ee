"""Joins a provider with the runtime: one call makes the controller of its pool kind."""

from __future__ import annotations

from functools import partial
from typing import TypeVar

from capipool.api import labels
from capipool.machinery.objects import Object
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.runtime.reconcile import Selecting
from capipool.sdk.provider import PoolProvider
from capipool.sdk.reconciler import PoolReconciler
from capipool.sdk.watches import Watches
from capipool.workload.connections import Connections

ObjectT = TypeVar("ObjectT", bound=Object)


def setup(
    manager: Manager,
    connections: Connections,
    provider: PoolProvider[ObjectT],
    *,
    concurrency: int = 20,
    watch_filter: str = "",
) -> Controller:
    """Add the controller of a provider's pools to a manager. `concurrency` is how many pools are worked on at once.

    With `watch_filter` it sees to objects alone that carry it as their label `cluster.x-k8s.io/watch-filter`.
    """
    reconciler = PoolReconciler(provider, manager, connections)
    selecting = Selecting(reconciler, reconciler.objects.get, partial(labels.selects, watch_filter))
    controller = manager.controller(provider.kind.RESOURCE.kind.lower(), selecting, concurrency=concurrency)
    Watches(provider, reconciler, connections).add_to(controller)
    return controller
