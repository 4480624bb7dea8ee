"""Agent pools of an AKS cluster that exists, from the first PUT to the end."""

from __future__ import annotations

from capipool.api.core import Cluster, MachinePool
from capipool.providers.azure.api.managedmachinepool import AzureManagedMachinePool
from capipool.testing.azure.model.scalesets import writing
from tests.server.azure.aks import world as worlds
from tests.server.azure.aks.world import AKS, NODES, POOL, READ, WRITE, condition
from tests.server.clouds.world import NS

MANAGED = "cluster.x-k8s.io/replicas-managed-by"
IMAGE = "managedClusters/agentPools/upgradeNodeImageVersion/action"


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


async def test_it_is_scaled_labelled_and_tainted_and_what_is_aks_own_stays() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        spot = {"scaleSetPriority": "Spot", "spotMaxPrice": "50m", "additionalTags": {"team": "a", "old": "1"}}
        await aks.begin(spec=spot)
        own = "kubernetes.azure.com/scalesetpriority"
        properties = aks.pool().properties
        assert properties["spotMaxPrice"] == 0.05
        properties["nodeTaints"] = [f"{own}=spot:NoSchedule"]
        properties["nodeLabels"] = {own: "spot"}
        properties["tags"]["others"] = "stay"
        taints = [{"key": "only", "value": "batch", "effect": "NoExecute"}]
        await aks.patch({"nodeLabels": {"a": "b"}, "taints": taints, "additionalTags": {"old": None, "team": "b"}})
        await aks.world.scale(POOL, 3)
        await aks.runs(3)
        await aks.until_azure(lambda: "old" not in aks.pool().properties["tags"] and aks.pool().state == "Succeeded")
        properties = aks.pool().properties
        assert properties["nodeLabels"] == {own: "spot", "a": "b"}
        assert properties["nodeTaints"] == [f"{own}=spot:NoSchedule", "only=batch:NoExecute"]
        assert properties["tags"] == {"capipool.io_pool": "default/work", "team": "b", "others": "stay"}
        await aks.world.scale(POOL, 1)
        await aks.runs(1)


async def test_aks_autoscaler_is_followed_and_only_our_own_annotation_is_taken_back() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin(spec={"scaling": {"minSize": 1, "maxSize": 5}})
        assert (await aks.world.pool(POOL)).metadata.annotations[MANAGED] == "true"
        aks.arm.autoscale(worlds.CLUSTER, POOL, 4, worlds.GROUP)
        await aks.runs(4)
        assert (await aks.world.pool(POOL)).spec.replicas == 4
        writes = len(aks.arm.log.of(WRITE))
        await aks.patch({"scaling": None})
        await aks.until_azure(lambda: not aks.pool().properties["enableAutoScaling"])
        await until_annotation(aks, "")
        await aks.world.scale(POOL, 2)
        await aks.runs(2)
        assert len(aks.arm.log.of(WRITE)) == writes + 2
        await aks.world.patch(MachinePool, POOL, {"metadata": {"annotations": {MANAGED: "somebody"}}})
        await aks.patch({"scaling": {"minSize": 1, "maxSize": 3}})
        await aks.until_azure(lambda: bool(aks.pool().properties["enableAutoScaling"]))
        await aks.patch({"scaling": None})
        await aks.until_azure(lambda: not aks.pool().properties["enableAutoScaling"])
        await until_annotation(aks, "somebody")


async def until_annotation(aks: AKS, wanted: str) -> None:
    async def so() -> bool:
        found = (await aks.world.pool(POOL)).metadata.annotations
        return found.get(MANAGED, "") == wanted

    await aks.world.until(so)


async def test_nodes_that_another_autoscaler_wants_are_not_set_back() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin()
        await aks.world.patch(MachinePool, POOL, {"metadata": {"annotations": {MANAGED: "somebody"}}})
        aks.pool().properties["count"] = 3
        scaled = aks.pool().scale_set
        assert scaled is not None
        writing.update(aks.arm.state, scaled, {"sku": {"capacity": 3}})
        await aks.runs(3)
        assert (await aks.world.pool(POOL)).spec.replicas == 3
        assert len(aks.arm.log.of(WRITE)) == 1


async def test_it_is_upgraded_and_its_nodes_get_the_newest_image_where_that_is_wanted() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin()
        await aks.world.upgrade(POOL, "v1.31.2")
        await aks.until_azure(lambda: aks.pool().current_version == "1.31.2" and aks.pool().state == "Succeeded")
        await aks.world.upgrade(POOL, "v1.32.0")
        found = await aks.until(lambda p: condition(p, "Ready") == ("False", "WaitingForControlPlaneVersion"))
        assert "1.31.2" in next(c.message for c in found.status.conditions if c.type == "Ready")
        await aks.world.upgrade(POOL, "v1.30.6")
        await aks.until(lambda p: condition(p, "Ready") == ("False", "DowngradeRefused"))
        await aks.world.upgrade(POOL, "v1.31.2")
        await aks.until(lambda p: condition(p, "Ready") == ("True", ""))
        aks.arm.state.aks.node_image = "AKSUbuntu-new"
        await aks.annotate({"capipool.io/node-image": "latest"})
        await aks.until_azure(lambda: aks.pool().node_image == "AKSUbuntu-new" and aks.pool().state == "Succeeded")
        assert len(aks.arm.log.of(IMAGE)) == 1
        await aks.annotate({"capipool.io/node-image": "AKSUbuntu-older"})
        await aks.until(lambda p: condition(p, "Ready") == ("False", "NodeImageNotOffered"))
        assert len(aks.arm.log.of(WRITE)) == 2


async def test_a_restart_asks_on_for_an_operation_and_gives_no_second_order() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        aks.arm.faults.hold(WRITE)
        await aks.load_pool()
        kept = await aks.until(lambda p: condition(p, "AgentPoolsReady") == ("False", "Creating"))
        assert kept.status.long_running_operation_states[0].type == "PUT"
        await aks.world.restart()
        seen = len(aks.arm.log.all)
        await aks.until_azure(lambda: len(aks.arm.log.all) > seen + 8)
        assert len(aks.arm.log.of(WRITE)) == 1
        aks.arm.release(WRITE)
        await aks.runs(2)
        await aks.until(lambda p: not p.status.long_running_operation_states)
        assert len(aks.arm.log.of(WRITE)) == 1


async def test_nothing_is_changed_at_rest() -> None:
    async with worlds.installed(intervals=worlds.BUSY) as aks:
        await aks.load()
        full = {
            "additionalTags": {"team": "a"},
            "availabilityZones": ["2", "1"],
            "nodeLabels": {"a": "b"},
            "taints": [{"key": "only", "value": "", "effect": "NoSchedule"}],
            "kubeletConfig": {"cpuManagerPolicy": "static", "failSwapOn": False},
            "linuxOSConfig": {"swapFileSizeMB": 100, "sysctls": {"netIpv4TCPTwReuse": True, "vmSwappiness": 10}},
            "osDiskSizeGB": 64,
            "maxPods": 50,
            "scaleDownMode": "Deallocate",
        }
        await aks.begin(spec=full)
        assert aks.pool().properties["linuxOSConfig"]["sysctls"] == {"netIpv4TcpTwReuse": True, "vmSwappiness": 10}
        await aks.until_azure(lambda: aks.pool().state == "Succeeded")
        aks.arm.log.clear()
        await aks.until_azure(lambda: len(aks.arm.log.of(READ)) >= 3)  # Ready is said of what was seen since
        settled = await aks.until(lambda p: condition(p, "Ready") == ("True", ""))
        aks.arm.log.clear()
        await aks.until_azure(lambda: len(aks.arm.log.of(READ)) >= 10)
        assert aks.writes() == []
        after = await aks.managed()
        assert after.metadata.resource_version == settled.metadata.resource_version


async def test_nodes_that_are_parked_are_no_nodes() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin(spec={"scaleDownMode": "Deallocate"})
        await aks.world.scale(POOL, 1)
        await aks.runs(1)
        assert len((await aks.managed()).spec.provider_id_list) == 1


async def test_a_pool_goes_and_the_last_of_mode_system_stays_until_another_is_there() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin()
        await aks.load_pool("system", mode="System")
        found = await aks.until(lambda p: condition(p, "Ready") == ("False", "InstanceGroupNotOwned"), "system")
        assert not found.status.ready
        await aks.annotate({"capipool.io/adopt": "true"}, "system")
        await aks.until(lambda p: condition(p, "Ready") == ("True", ""), "system")
        await aks.world.client.delete(MachinePool, POOL, NS)
        await aks.until_azure(lambda: POOL not in aks.cluster.pools)
        await aks.world.client.delete(MachinePool, "system", NS)
        await aks.until(lambda p: condition(p, "Ready") == ("False", "LastSystemPool"), "system")
        await aks.load_pool("other", mode="System")
        await aks.until_azure(lambda: set(aks.cluster.pools) == {"other"})
        await aks.world.until(lambda: gone(aks, "system"))


async def gone(aks: AKS, name: str) -> bool:
    return name not in {p.metadata.name for p in await aks.world.client.list(AzureManagedMachinePool, NS)}


async def test_a_cluster_that_is_given_up_loses_its_pools_and_keeps_the_last_of_mode_system() -> None:
    async with worlds.installed() as aks:
        await aks.load()
        await aks.begin()
        await aks.load_pool("system", mode="System")
        await aks.annotate({"capipool.io/adopt": "true"}, "system")
        await aks.until(lambda p: condition(p, "Ready") == ("True", ""), "system")
        await aks.world.client.delete(Cluster, "demo", NS)

        async def over() -> bool:
            return not await aks.world.client.list(Cluster, NS)

        await aks.world.until(over)
        assert set(aks.cluster.pools) == {"system"}
        assert aks.cluster.state == "Succeeded"
