"""Keys by which caches of our own kinds are searched. Each function gives the values of one object under one index.

An index belongs to whoever adds it, and a cache has each once: several controllers that add one of these share it.
"""

from __future__ import annotations

from capipool.api.core import Machine, MachineDeployment, MachineHealthCheck, MachinePool, MachineSet
from capipool.machinery.resource import ObjectKey

CLUSTER_NAME = "spec.clusterName"
PROVIDER_ID = "spec.providerID"
PROVIDER_ID_LIST = "spec.providerIDList"
NODE_NAME = "status.nodeRef.name"


def cluster_name(obj: Machine | MachineDeployment | MachineHealthCheck | MachinePool | MachineSet) -> tuple[str, ...]:
    """Under `CLUSTER_NAME`: the key of the object's Cluster, as text."""
    return (str(ObjectKey(obj.metadata.namespace, obj.spec.cluster_name)),)


def machine_provider_id(machine: Machine) -> tuple[str, ...]:
    """Under `PROVIDER_ID`."""
    return (machine.spec.provider_id,) if machine.spec.provider_id else ()


def pool_provider_ids(pool: MachinePool) -> tuple[str, ...]:
    """Under `PROVIDER_ID_LIST`."""
    return tuple(filter(None, pool.spec.provider_id_list))


def machine_node_name(machine: Machine) -> tuple[str, ...]:
    """Under `NODE_NAME`."""
    reference = machine.status.node_ref
    return (reference.name,) if reference is not None else ()
