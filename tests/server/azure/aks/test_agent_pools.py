"""Agent pools of an AKS cluster that exists, from the first PUT to the end."""

from __future__ import annotations

from tests.server.azure.aks import world as worlds
from tests.server.azure.aks.world import NODES, POOL, WRITE


async def test_a_pool_is_made_and_runs_with_the_nodes_of_its_scale_set() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin()
        found = await aks.managed()
        pool = aks.pool()
        assert (pool.properties["mode"], pool.properties["vmSize"]) == ("User", "Standard_D4s_v3")
        assert pool.properties["orchestratorVersion"] == "1.30.6"
        assert pool.scale_set is not None
        prefix = f"azure:///subscriptions/{aks.arm.subscription}/resourceGroups/{NODES}/providers/Microsoft.Compute"
        scale_set = f"{prefix}/virtualMachineScaleSets/{pool.scale_set.name}/virtualMachines"
        assert found.spec.provider_id_list == (f"{scale_set}/0", f"{scale_set}/1")
        assert (found.status.ready, found.status.replicas) == (True, 2)
        assert len(aks.arm.log.of(WRITE)) == 1
        assert found.metadata.name == POOL
