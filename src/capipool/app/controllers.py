"""Every controller and provider, in one list: the map of what runs."""

from __future__ import annotations

from collections.abc import Mapping

from capipool.core import setup as core
from capipool.core.options import Options
from capipool.providers.dev import setup as dev
from capipool.providers.dev.spaces import WorkloadSpaces
from capipool.providers.kubeadm import setup as kubeadm
from capipool.runtime.manager import Manager
from capipool.workload.connections import Connections


def add_all(
    manager: Manager, connections: Connections, *, gates: Mapping[str, bool], spaces: WorkloadSpaces | None
) -> None:
    """Add them to a manager. Without `spaces` there is no development cloud: it needs the embedded server."""
    core.setup(manager, connections, Options(machine_pool=gates["MachinePool"]))
    kubeadm.setup(manager, connections)
    if spaces is not None:
        dev.setup(manager, connections, spaces, machine_pools=gates["MachinePool"])
