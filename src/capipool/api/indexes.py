"""Keys by which caches of our own kinds are searched. Each function gives the values of one object under one index."""

from __future__ import annotations

from capipool.api.core import Machine

PROVIDER_ID = "spec.providerID"
NODE_NAME = "status.nodeRef.name"


def machine_provider_id(machine: Machine) -> tuple[str, ...]:
    """Under `PROVIDER_ID`."""
    return (machine.spec.provider_id,) if machine.spec.provider_id else ()


def machine_node_name(machine: Machine) -> tuple[str, ...]:
    """Under `NODE_NAME`."""
    reference = machine.status.node_ref
    return (reference.name,) if reference is not None else ()
