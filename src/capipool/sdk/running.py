"""Joins a provider with the runtime: one call makes the controller of its pool kind."""

from __future__ import annotations

from typing import TypeVar

from capipool.machinery.objects import Object
from capipool.runtime.controller import Controller
from capipool.runtime.manager import Manager
from capipool.sdk.provider import PoolProvider
from capipool.sdk.reconciler import PoolReconciler
from capipool.sdk.watches import Watches
from capipool.workload.connections import Connections

ObjectT = TypeVar("ObjectT", bound=Object)


def setup(
    manager: Manager, connections: Connections, provider: PoolProvider[ObjectT], *, concurrency: int = 20
) -> Controller:
    """Add the controller of a provider's pools to a manager. `concurrency` is how many pools are worked on at once."""
    reconciler = PoolReconciler(provider, manager, connections)
    controller = manager.controller(provider.kind.RESOURCE.kind.lower(), reconciler, concurrency=concurrency)
    Watches(provider, reconciler, connections).add_to(controller)
    return controller
