"""Whose an agent pool is. Pure."""

from __future__ import annotations

from capipool.api.constants import Label
from capipool.providers.azure.aks.pools.decide import Pool
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.providers.azure.pools import marks

ADOPT = "capipool.io/adopt"
"""On an AzureManagedMachinePool: `true` takes over an agent pool of its name that is nobody's."""


def is_ours(obj: AzureManagedMachinePool, pool: Pool) -> bool:
    """Whether it is this object's: by its tags, or since it is nobody's and the object says to take it over."""
    tags = pool.properties.get("tags") or {}
    cluster = obj.metadata.labels.get(Label.CLUSTER_NAME, "")
    if marks.is_ours(tags, cluster=cluster, key=str(obj.key)):
        return True
    return marks.POOL not in tags and obj.metadata.annotations.get(ADOPT) == "true"


def owner(pool: Pool) -> str:
    """Whose it is, for a person; empty where it is nobody's."""
    return marks.owner(pool.properties.get("tags") or {})
