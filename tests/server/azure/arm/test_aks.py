"""AKS: clusters that exist, their kubeconfigs, and agent pools with the scale sets behind them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.containerservice.aio import ContainerServiceClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient

from capipool.testing.azure import Arm, Power
from tests.server.azure.arm.bodies import GROUP

NODES = "MC_rg_prod_eastus"
WRITE = "managedClusters/agentPools/write"


@pytest.fixture
async def aks(arm: Arm) -> AsyncIterator[ContainerServiceClient]:
    options = arm.client_options(keep=True)
    async with ContainerServiceClient(arm.credential(), arm.subscription, polling_interval=0.01, **options) as client:
        poller = await client.managed_clusters.begin_create_or_update(GROUP, "prod", cluster())
        await poller.result()
        yield client


def cluster(**properties: Any) -> dict[str, Any]:
    system = {"name": "system", "mode": "System", "count": 1, "vmSize": "Standard_D2s_v3"}
    given = {"kubernetesVersion": "1.31.2", "dnsPrefix": "prod", "agentPoolProfiles": [system], **properties}
    return {"location": "eastus", "identity": {"type": "SystemAssigned"}, "properties": given}


def pool(count: int = 2, **properties: Any) -> dict[str, Any]:
    return {"properties": {"count": count, "vmSize": "Standard_D4s_v3", "mode": "User", **properties}}


async def put(aks: ContainerServiceClient, body: dict[str, Any], name: str = "work") -> Any:
    return await (await aks.agent_pools.begin_create_or_update(GROUP, "prod", name, body)).result()


async def code_of(awaitable: Any) -> str:
    with pytest.raises(HttpResponseError) as failure:
        await awaitable
    assert failure.value.error is not None
    return str(failure.value.error.code)


async def nodes(compute: ComputeManagementClient, name: str = "work") -> list[Any]:
    """The machines of a pool, found as clients find them: by a tag in the node resource group."""
    for found in [s async for s in compute.virtual_machine_scale_sets.list(NODES)]:
        if (found.tags or {}).get("aks-managed-poolName") == name:
            listed = compute.virtual_machine_scale_set_vms.list(NODES, str(found.name))
            return [row async for row in listed]
    return []


async def test_a_cluster_reads_as_clients_need_it(aks: ContainerServiceClient) -> None:
    found = await aks.managed_clusters.get(GROUP, "prod")
    assert (found.provisioning_state, found.kubernetes_version) == ("Succeeded", "1.31.2")
    assert found.node_resource_group == NODES
    assert found.fqdn
    assert [(p.name, p.mode, p.count) for p in found.agent_pool_profiles] == [("system", "System", 1)]
    assert [c.name async for c in aks.managed_clusters.list_by_resource_group(GROUP)] == ["prod"]
    assert [c.name async for c in aks.managed_clusters.list()] == ["prod"]
    with pytest.raises(ResourceNotFoundError):
        await aks.managed_clusters.get(GROUP, "none")


async def test_kubeconfigs_are_given_out(arm: Arm, aks: ContainerServiceClient) -> None:
    arm.log.clear()
    user = await aks.managed_clusters.list_cluster_user_credentials(GROUP, "prod")
    admin = await aks.managed_clusters.list_cluster_admin_credentials(GROUP, "prod")
    assert [k.name for k in (*user.kubeconfigs, *admin.kubeconfigs)] == ["clusterUser", "clusterAdmin"]
    assert json.loads(bytes(user.kubeconfigs[0].value))["kind"] == "Config"
    assert not arm.log.mutating
    [subject] = arm.state.clusters.values()
    subject.kubeconfig = b"mine"
    again = await aks.managed_clusters.list_cluster_user_credentials(GROUP, "prod")
    assert bytes(again.kubeconfigs[0].value) == b"mine"
    subject.properties["disableLocalAccounts"] = True
    assert await code_of(aks.managed_clusters.list_cluster_admin_credentials(GROUP, "prod")) == "BadRequest"


async def test_a_pool_is_a_scale_set_with_a_tag(aks: ContainerServiceClient, compute: ComputeManagementClient) -> None:
    made = await put(aks, pool(2, availabilityZones=["1", "2"], nodeLabels={"a": "b"}, tags={"t": "1"}))
    assert (made.provisioning_state, made.count, made.os_type, made.max_pods) == ("Succeeded", 2, "Linux", 110)
    assert made.current_orchestrator_version == "1.31.2"
    assert made.node_image_version
    found = await nodes(compute)
    assert [row.zones for row in found] == [["1"], ["2"]]
    assert {row.provisioning_state for row in found} == {"Succeeded"}
    [owner] = [s async for s in compute.virtual_machine_scale_sets.list(NODES) if "work" in str(s.name)]
    assert owner.tags == {"t": "1", "aks-managed-poolName": "work", "poolName": "work"}
    assert [p.name async for p in aks.agent_pools.list(GROUP, "prod")] == ["system", "work"]


async def test_a_pool_is_scaled(aks: ContainerServiceClient, compute: ComputeManagementClient) -> None:
    await put(aks, pool(1))
    assert (await put(aks, pool(3))).count == 3
    assert (await put(aks, pool(2))).count == 2
    assert [row.instance_id for row in await nodes(compute)] == ["0", "1"]


async def test_writing_back_what_was_read_changes_nothing(
    aks: ContainerServiceClient, compute: ComputeManagementClient
) -> None:
    made = await put(aks, pool(2))
    assert await put(aks, made.as_dict()) is not None
    again = await aks.agent_pools.get(GROUP, "prod", "work")
    assert (again.count, again.provisioning_state) == (2, "Succeeded")
    assert all(row.latest_model_applied for row in await nodes(compute))


async def test_nodes_can_be_deallocated_instead_of_deleted(
    arm: Arm, aks: ContainerServiceClient, compute: ComputeManagementClient
) -> None:
    parked = {"scaleDownMode": "Deallocate"}
    await put(aks, pool(3, **parked))
    assert (await put(aks, pool(1, **parked))).count == 1
    assert len(await nodes(compute)) == 3
    assert (await put(aks, pool(2, **parked))).count == 2
    owner = next(s for s in arm.state.scale_sets.values() if "work" in s.name)
    assert [m.power for m in owner.live] == [Power.RUNNING, Power.RUNNING, Power.DEALLOCATED]


async def test_the_autoscaler_moves_within_its_limits(arm: Arm, aks: ContainerServiceClient) -> None:
    await put(aks, pool(2, enableAutoScaling=True, minCount=1, maxCount=4))
    for wanted, count in ((9, 4), (0, 1), (3, 3)):
        arm.autoscale("prod", "work", wanted)
        assert (await aks.agent_pools.get(GROUP, "prod", "work")).count == count


@pytest.mark.parametrize("surge", ["1", "50%"])
async def test_an_upgrade_brings_every_node_to_the_version(
    aks: ContainerServiceClient, compute: ComputeManagementClient, surge: str
) -> None:
    await put(aks, pool(2, orchestratorVersion="1.30.6"))
    before = [row.vm_id for row in await nodes(compute)]
    poller = await aks.agent_pools.begin_create_or_update(
        GROUP, "prod", "work", pool(2, orchestratorVersion="1.31.2", upgradeSettings={"maxSurge": surge})
    )
    seen = set()
    while (found := await aks.agent_pools.get(GROUP, "prod", "work")).provisioning_state == "Upgrading":
        seen.add(len(await nodes(compute)))
        assert found.orchestrator_version == "1.31.2"
        assert found.current_orchestrator_version == "1.30.6"
    made = await poller.result()
    assert 3 in seen
    assert made.current_orchestrator_version == "1.31.2"
    rows = await nodes(compute)
    assert [row.vm_id for row in rows] == before
    assert all(row.storage_profile.image_reference.id.endswith("/1.31.2") for row in rows)


async def test_node_images_are_upgraded_when_there_is_a_newer_one(
    arm: Arm, aks: ContainerServiceClient, compute: ComputeManagementClient
) -> None:
    await put(aks, pool(1))
    arm.log.clear()
    upgrade = aks.agent_pools.begin_upgrade_node_image_version
    await (await upgrade(GROUP, "prod", "work")).result()
    arm.state.aks.node_image = "AKSUbuntu-2204gen2containerd-202501.01.0"
    profile = await aks.agent_pools.get_upgrade_profile(GROUP, "prod", "work")
    assert profile.latest_node_image_version == arm.state.aks.node_image
    await (await upgrade(GROUP, "prod", "work")).result()
    assert (await aks.agent_pools.get(GROUP, "prod", "work")).node_image_version == arm.state.aks.node_image
    assert len(await nodes(compute)) == 1


async def test_named_nodes_are_deleted(aks: ContainerServiceClient, compute: ComputeManagementClient) -> None:
    await put(aks, pool(3))
    names = [row.os_profile.computer_name for row in await nodes(compute)]
    poller = await aks.agent_pools.begin_delete_machines(GROUP, "prod", "work", {"machineNames": [names[1]]})
    await poller.result()
    assert (await aks.agent_pools.get(GROUP, "prod", "work")).count == 2
    assert [row.instance_id for row in await nodes(compute)] == ["0", "2"]
    unknown = aks.agent_pools.begin_delete_machines(GROUP, "prod", "work", {"machineNames": ["none"]})
    assert await code_of(unknown) == "InvalidParameter"


async def test_a_pool_is_deleted_with_its_scale_set(
    aks: ContainerServiceClient, compute: ComputeManagementClient
) -> None:
    await put(aks, pool(1))
    await (await aks.agent_pools.begin_delete(GROUP, "prod", "work")).result()
    assert await nodes(compute) == []
    with pytest.raises(ResourceNotFoundError):
        await aks.agent_pools.get(GROUP, "prod", "work")
    await (await aks.agent_pools.begin_delete(GROUP, "prod", "work")).result()


async def test_the_last_system_pool_stays(aks: ContainerServiceClient) -> None:
    assert await code_of(aks.agent_pools.begin_delete(GROUP, "prod", "system")) == "OperationNotAllowed"
    demoted = {"properties": {"mode": "User", "count": 1, "vmSize": "Standard_D2s_v3"}}
    assert await code_of(put(aks, demoted, "system")) == "OperationNotAllowed"
    await put(aks, pool(1, mode="System"))
    await (await aks.agent_pools.begin_delete(GROUP, "prod", "system")).result()


async def test_one_operation_at_a_time(arm: Arm, aks: ContainerServiceClient) -> None:
    await put(aks, pool(1))
    arm.faults.hold(WRITE)
    first = await aks.agent_pools.begin_create_or_update(GROUP, "prod", "work", pool(2))
    with pytest.raises(ResourceExistsError, match="work - Scaling"):
        await aks.agent_pools.begin_create_or_update(GROUP, "prod", "work", pool(3))
    with pytest.raises(ResourceExistsError, match="in progress"):
        await aks.managed_clusters.begin_create_or_update(GROUP, "prod", cluster())
    arm.release()
    assert (await first.result()).count == 2


@pytest.mark.parametrize("action", [WRITE, "virtualMachineScaleSets/write"])
async def test_a_failed_allocation_fails_the_pool(arm: Arm, aks: ContainerServiceClient, action: str) -> None:
    arm.faults.fail(action, "AllocationFailed")
    assert await code_of(put(aks, pool(1))) == "AllocationFailed"
    assert (await aks.agent_pools.get(GROUP, "prod", "work")).provisioning_state == "Failed"
    await put(aks, pool(1))


@pytest.mark.parametrize(
    ("name", "properties", "expected"),
    [
        ("Work", {}, "InvalidParameter"),
        ("averylongname", {}, "InvalidParameter"),
        ("winpool1", {"osType": "Windows"}, "InvalidParameter"),
        ("win", {"osType": "Windows", "mode": "System"}, "InvalidParameter"),
        ("work", {"vmSize": "Standard_None"}, "InvalidParameter"),
        ("work", {"mode": "System", "count": 0}, "InvalidParameter"),
        ("work", {"enableAutoScaling": True}, "InvalidParameter"),
        ("work", {"minCount": 1, "maxCount": 2}, "InvalidParameter"),
        ("work", {"orchestratorVersion": "1.32.0"}, "NodePoolMcVersionIncompatible"),
        ("work", {"orchestratorVersion": "1.31.99"}, "AgentPoolK8sVersionNotSupported"),
        ("work", {"nodeLabels": {"kubernetes.azure.com/x": "y"}}, "InvalidParameter"),
        ("work", {"nodeTaints": ["a=b"]}, "InvalidParameter"),
        ("work", {"scaleSetEvictionPolicy": "Delete"}, "InvalidParameter"),
    ],
)
async def test_pools_that_aks_refuses(
    aks: ContainerServiceClient, name: str, properties: dict[str, Any], expected: str
) -> None:
    assert await code_of(put(aks, pool(**{"count": 1, **properties}), name)) == expected


@pytest.mark.parametrize(
    "change",
    [{"vmSize": "Standard_D2s_v3"}, {"availabilityZones": ["3"]}, {"maxPods": 30}, {"scaleSetPriority": "Spot"}],
)
async def test_what_a_pool_was_made_with_stays(aks: ContainerServiceClient, change: dict[str, Any]) -> None:
    await put(aks, pool(1))
    assert await code_of(put(aks, pool(1, **change))) == "PropertyChangeNotAllowed"


async def test_spot_pools_are_evicted(arm: Arm, aks: ContainerServiceClient, compute: ComputeManagementClient) -> None:
    await put(aks, pool(2, scaleSetPriority="Spot", scaleSetEvictionPolicy="Delete", spotMaxPrice=-1))
    owner = next(s for s in arm.state.scale_sets.values() if "work" in s.name)
    await compute.virtual_machine_scale_set_vms.simulate_eviction(NODES, owner.name, "0")
    assert (await aks.agent_pools.get(GROUP, "prod", "work")).count == 1


async def test_versions_that_a_pool_can_have(aks: ContainerServiceClient) -> None:
    found = await aks.agent_pools.get_available_agent_pool_versions(GROUP, "prod")
    assert "1.30.6" in [v.kubernetes_version for v in found.agent_pool_versions]


async def test_a_cluster_is_upgraded_and_deleted(
    arm: Arm, aks: ContainerServiceClient, compute: ComputeManagementClient
) -> None:
    made = await (
        await aks.managed_clusters.begin_create_or_update(GROUP, "prod", cluster(kubernetesVersion="1.32.0"))
    ).result()
    assert (made.kubernetes_version, made.current_kubernetes_version) == ("1.32.0", "1.32.0")
    older = aks.managed_clusters.begin_create_or_update(GROUP, "prod", cluster(kubernetesVersion="1.30.6"))
    assert await code_of(older) == "InvalidParameter"
    await (await aks.managed_clusters.begin_delete(GROUP, "prod")).result()
    assert not arm.state.clusters
    assert not arm.state.scale_sets
    assert NODES.lower() not in arm.state.groups


async def test_a_cluster_goes_with_its_group(arm: Arm, aks: ContainerServiceClient) -> None:
    options = arm.client_options(keep=True)
    async with ResourceManagementClient(
        arm.credential(), arm.subscription, polling_interval=0.01, **options
    ) as resources:
        await (await resources.resource_groups.begin_delete(GROUP)).result()
    assert (arm.state.clusters, arm.state.scale_sets, arm.state.groups) == ({}, {}, {})


async def test_a_cluster_needs_a_system_pool_and_a_version(arm: Arm, aks: ContainerServiceClient) -> None:
    for properties in ({"agentPoolProfiles": []}, {"kubernetesVersion": "1.0.0"}):
        other = aks.managed_clusters.begin_create_or_update(GROUP, "other", cluster(**properties))
        assert await code_of(other) in ("InvalidParameter", "K8sVersionNotSupported")
    assert len(arm.state.clusters) == 1
