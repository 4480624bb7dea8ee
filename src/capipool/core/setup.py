"""The controllers of cluster.x-k8s.io: one line for each kind, called by the composition root."""

from __future__ import annotations

from capipool.core.cluster import reconciler as cluster
from capipool.core.machine import reconciler as machine
from capipool.core.machinedeployment import reconciler as machinedeployment
from capipool.core.machinehealthcheck import reconciler as machinehealthcheck
from capipool.core.machinepool import reconciler as machinepool
from capipool.core.machineset import reconciler as machineset
from capipool.core.options import Options
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections


def setup(manager: Manager, connections: Connections, options: Options) -> None:
    """Add the controllers of all core kinds to a manager."""
    manager.add_task("workload connections", connections.run)
    cluster.setup(manager, connections, options)
    machine.setup(manager, connections, options)
    machineset.setup(manager, options)
    machinedeployment.setup(manager, options)
    machinehealthcheck.setup(manager, connections, options)
    machinepool.setup(manager, connections, options)
