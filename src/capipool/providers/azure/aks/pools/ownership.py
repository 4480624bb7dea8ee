"""Whose an agent pool is. Pure."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.providers.azure.aks.places import pool_name
from capipool.providers.azure.aks.pools.decide import Pool
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.pools import marks

ADOPT = "capipool.io/adopt"
"""On an AzureManagedMachinePool: `true` takes over an agent pool of its name that is nobody's."""


def is_ours(obj: AzureManagedMachinePool, pool: Pool) -> bool:
    """Whether it is this object's: by its tag, or since it is nobody's and the object has it or says to take it over.

    Upstream marks agent pools with nothing: its objects are known by the nodes that they list.
    """
    tags = pool.properties.get("tags") or {}
    cluster = obj.metadata.labels.get(Label.CLUSTER_NAME, "")
    if marks.is_ours(tags, cluster=cluster, key=str(obj.key)):
        return True
    return marks.POOL not in tags and (obj.metadata.annotations.get(ADOPT) == "true" or _lists_its_nodes(obj))


def _lists_its_nodes(obj: AzureManagedMachinePool) -> bool:
    """Whether the object has been the agent pool's before: AKS names scale sets by their pools."""
    scale_set = f"/virtualmachinescalesets/aks-{pool_name(obj)}-"
    return any(scale_set in id.lower() for id in obj.spec.provider_id_list)


def owner(pool: Pool) -> str:
    """Whose it is, for a person; empty where it is nobody's."""
    return marks.owner(pool.properties.get("tags") or {})
