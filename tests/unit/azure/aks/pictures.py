"""Agent pools as they are wanted and as AKS has them, for tables."""

from __future__ import annotations

from typing import Any

from capipool.machinery import objects
from capipool.machinery.objects import Raw
from capipool.providers.azure.aks.pools.decide import Picture, Pool
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool

KEY = "default/work"


def wanted(annotations: dict[str, str] | None = None, **spec: Any) -> AzureManagedMachinePool:
    """An AzureManagedMachinePool."""
    raw: Raw = {
        "metadata": {"name": "work", "namespace": "default", "uid": "u", "annotations": annotations or {}},
        "spec": {"mode": "User", "sku": "Standard_D4s_v3", "name": "work", **spec},
    }
    return objects.from_raw(AzureManagedMachinePool, raw)


def there(**properties: Any) -> Pool:
    """The agent pool that it makes of AKS, two nodes large."""
    made: Raw = {
        "mode": "User",
        "vmSize": "Standard_D4s_v3",
        "count": 2,
        "scaleDownMode": "Delete",
        "enableAutoScaling": False,
        "orchestratorVersion": "1.30.6",
        "currentOrchestratorVersion": "1.30.6",
        "nodeImageVersion": "old",
        "provisioningState": "Succeeded",
        "powerState": {"code": "Running"},
        "tags": {"capipool.io_pool": KEY},
        "eTag": "7",
    }
    return Pool(made | properties)


def picture(obj: AzureManagedMachinePool | None = None, pool: Pool | None = None, **more: Any) -> Picture:
    """Nothing to do, but for what is given."""
    about: dict[str, Any] = {"replicas": 2, "version": "1.30.6", "plane_version": "1.31.2"}
    return Picture(obj=obj or wanted(), pool=pool or there(), **(about | more))
