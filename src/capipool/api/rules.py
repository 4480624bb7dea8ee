"""Every rule of cluster.x-k8s.io: the embedded server and the admission webhooks are given this list."""

from __future__ import annotations

from collections.abc import Mapping

from capipool.api.admission import (
    cluster,
    machine,
    machinedeployment,
    machinedrainrule,
    machinehealthcheck,
    machinepool,
    machineset,
)
from capipool.machinery.admission import Rules


def all_rules(gates: Mapping[str, bool]) -> list[Rules]:
    """One a kind, under the feature gates given; a gate that is not named is on."""
    return [
        cluster.rules(),
        machine.rules(gates),
        machinedeployment.rules(gates),
        machinedrainrule.rules(),
        machinehealthcheck.rules(),
        machinepool.rules(gates),
        machineset.rules(gates),
    ]
