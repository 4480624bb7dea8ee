"""Every converter of cluster.x-k8s.io: the embedded server and the conversion webhook are given this list."""

from __future__ import annotations

from capipool.api.conversion import (
    cluster,
    lossless,
    machine,
    machinedeployment,
    machinedrainrule,
    machinehealthcheck,
    machinepool,
    machineset,
)
from capipool.api.conversion.references import Versions
from capipool.machinery.admission import Converter

_KINDS: tuple[tuple[str, lossless.Up, lossless.Down], ...] = (
    ("Cluster", cluster.up, cluster.down),
    ("Machine", machine.up, machine.down),
    ("MachineDeployment", machinedeployment.up, machinedeployment.down),
    ("MachineDrainRule", machinedrainrule.up, machinedrainrule.down),
    ("MachineHealthCheck", machinehealthcheck.up, machinehealthcheck.down),
    ("MachinePool", machinepool.up, machinepool.down),
    ("MachineSet", machineset.up, machineset.down),
)


def all_converters(versions: Versions) -> list[Converter]:
    """One a kind. `versions` says which version of a provider's kind the cluster serves for our contract."""
    return [lossless.converter(kind, up, down, versions) for kind, up, down in _KINDS]
