"""The nodes of agent pools, as their scale sets have them: the one place that looks into the node resource group."""

from __future__ import annotations

from capipool.providers.azure.aks.cloud import AKS
from capipool.providers.azure.aks.places import PoolPlace
from capipool.providers.azure.aks.pools import statuses
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool


class Nodes:
    """Finds nodes, and remembers the names of scale sets: they stay for as long as their pool."""

    def __init__(self, aks: AKS) -> None:
        self._aks = aks
        self._names: dict[str, str] = {}
        """By the object's uid."""

    async def of(self, obj: AzureManagedMachinePool, place: PoolPlace, group: str) -> list[str] | None:
        """The provider IDs; None where there is no scale set. Raises ProviderError."""
        caller, uid = place.cluster.caller, obj.metadata.uid
        name = self._names.get(uid) or await self._aks.scale_set(caller, group, place.name)
        if name is None:
            return None
        machines = await self._aks.machines(caller, group, name)
        if machines is None:
            self._names.pop(uid, None)
            return None
        self._names[uid] = name
        return statuses.provider_ids(machines)

    def forget(self, obj: AzureManagedMachinePool) -> None:
        """The pool is gone."""
        self._names.pop(obj.metadata.uid, None)
