"""Single virtual machines and their network interfaces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient
from azure.mgmt.resource.resources.aio import ResourceManagementClient

from capipool.testing.azure import Arm
from tests.server.azure.arm import bodies
from tests.server.azure.arm.bodies import GROUP, make, scale_set

VERSION = "2024-05-01"


@pytest.fixture
async def resources(arm: Arm) -> AsyncIterator[ResourceManagementClient]:
    options = arm.client_options(keep=True)
    async with ResourceManagementClient(arm.credential(), arm.subscription, polling_interval=0.01, **options) as client:
        yield client


def interface_id(arm: Arm, name: str) -> str:
    base = f"/subscriptions/{arm.subscription}/resourceGroups/{GROUP}/providers"
    return f"{base}/Microsoft.Network/networkInterfaces/{name}"


async def interface(arm: Arm, resources: ResourceManagementClient, name: str = "vm-nic") -> Any:
    address = {"name": "pip", "properties": {"subnet": {"id": "/a/subnet"}}}
    body = {"location": "eastus", "properties": {"ipConfigurations": [address]}}
    poller = await resources.resources.begin_create_or_update_by_id(interface_id(arm, name), body, api_version=VERSION)
    return await poller.result()


def machine(arm: Arm, *, interfaces: tuple[str, ...] = ("vm-nic",), how: str = "Detach", **more: Any) -> dict[str, Any]:
    wanted = [{"id": interface_id(arm, n), "properties": {"primary": True, "deleteOption": how}} for n in interfaces]
    return {
        "location": "eastus",
        "zones": ["1"],
        "tags": {"a": "b"},
        "properties": {
            "hardwareProfile": {"vmSize": "Standard_D2s_v3"},
            "osProfile": {"computerName": "vm", "adminUsername": "capi", "customData": bodies.CUSTOM_DATA},
            "storageProfile": {"imageReference": dict(bodies.MARKET), "osDisk": {"createOption": "FromImage"}},
            "networkProfile": {"networkInterfaces": wanted},
            **more,
        },
    }


async def create(compute: ComputeManagementClient, body: dict[str, Any], name: str = "vm") -> Any:
    return await (await compute.virtual_machines.begin_create_or_update(GROUP, name, body)).result()


async def test_an_interface_has_an_address(arm: Arm, resources: ResourceManagementClient) -> None:
    made = await interface(arm, resources)
    address = made.properties["ipConfigurations"][0]["properties"]["privateIPAddress"]
    assert address.startswith("10.")
    again = await interface(arm, resources)
    assert again.properties["ipConfigurations"][0]["properties"]["privateIPAddress"] == address
    found = await resources.resources.get_by_id(interface_id(arm, "vm-nic"), api_version=VERSION)
    assert found.properties["provisioningState"] == "Succeeded"


async def test_a_machine_is_made_and_reads_back(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    made = await create(compute, machine(arm))
    assert (made.provisioning_state, made.zones, made.tags) == ("Succeeded", ["1"], {"a": "b"})
    assert made.os_profile.custom_data is None
    assert made.network_profile.network_interfaces[0].id == interface_id(arm, "vm-nic")
    view = await compute.virtual_machines.instance_view(GROUP, "vm")
    assert [s.code for s in view.statuses] == ["ProvisioningState/succeeded", "PowerState/running"]
    assert [m.name async for m in compute.virtual_machines.list(GROUP)] == ["vm"]
    user = (await resources.resources.get_by_id(interface_id(arm, "vm-nic"), api_version=VERSION)).properties[
        "virtualMachine"
    ]
    assert user["id"] == made.id
    [only] = arm.state.machines.values()
    assert only.custom_data == bodies.CUSTOM_DATA


async def test_resources_are_asked_whether_they_are_there(arm: Arm, resources: ResourceManagementClient) -> None:
    await interface(arm, resources)
    ask = resources.resources.check_existence_by_id
    assert await ask(interface_id(arm, "vm-nic"), api_version=VERSION)
    assert not await ask(interface_id(arm, "none"), api_version=VERSION)


async def test_a_machine_that_cannot_be_allocated_is_failed(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    arm.faults.fail("virtualMachines/write", "AllocationFailed")
    with pytest.raises(HttpResponseError, match="Allocation failed"):
        await create(compute, machine(arm))
    assert (await compute.virtual_machines.get(GROUP, "vm")).provisioning_state == "Failed"


async def test_a_machine_needs_an_interface_that_is_free(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    with pytest.raises(HttpResponseError, match="was not found"):
        await create(compute, machine(arm))
    await interface(arm, resources)
    await create(compute, machine(arm))
    with pytest.raises(HttpResponseError, match="is used by existing resource"):
        await create(compute, machine(arm), "other")
    with pytest.raises(HttpResponseError, match="is used by existing resource"):
        await resources.resources.begin_delete_by_id(interface_id(arm, "vm-nic"), api_version=VERSION)


@pytest.mark.parametrize(("how", "left"), [("Delete", False), ("Detach", True)])
async def test_a_deleted_machine_lets_go_of_its_interface(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient, how: str, left: bool
) -> None:
    await interface(arm, resources)
    await create(compute, machine(arm, how=how))
    await (await compute.virtual_machines.begin_delete(GROUP, "vm", force_deletion=True)).result()
    with pytest.raises(ResourceNotFoundError):
        await compute.virtual_machines.get(GROUP, "vm")
    assert bool(arm.state.interfaces) is left
    await (await resources.resources.begin_delete_by_id(interface_id(arm, "vm-nic"), api_version=VERSION)).result()
    assert not arm.state.interfaces


async def test_what_a_machine_booted_with_cannot_be_changed(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    await create(compute, machine(arm))
    for change in (
        {"osProfile": {"customData": "bmV3"}},
        {"storageProfile": {"imageReference": dict(bodies.NEWER)}},
    ):
        body = machine(arm)
        for key, value in change.items():
            body["properties"][key] = {**body["properties"][key], **value}
        with pytest.raises(HttpResponseError) as failure:
            await create(compute, body)
        assert failure.value.error is not None
        assert failure.value.error.code == "PropertyChangeNotAllowed"


async def test_tags_and_size_of_a_machine_can_be_changed(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    await create(compute, machine(arm))
    body = machine(arm, hardwareProfile={"vmSize": "Standard_D4s_v3"})
    made = await create(compute, {**body, "tags": {"c": "d"}})
    assert (made.hardware_profile.vm_size, made.tags) == ("Standard_D4s_v3", {"c": "d"})
    poller = await compute.virtual_machines.begin_update(GROUP, "vm", {"tags": {}})
    assert (await poller.result()).tags == {}


async def test_a_machine_is_written_only_as_it_was_read(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    first = await create(compute, machine(arm))
    await create(compute, {**machine(arm), "tags": {"c": "d"}})
    put = compute.virtual_machines.begin_create_or_update
    for etag, condition in ((first.etag, MatchConditions.IfNotModified), ("*", MatchConditions.IfMissing)):
        with pytest.raises(HttpResponseError) as failure:
            await put(GROUP, "vm", machine(arm), etag=etag, match_condition=condition)
        assert failure.value.status_code == 412
    latest = await compute.virtual_machines.get(GROUP, "vm")
    assert latest.tags == {"c": "d"}
    await put(GROUP, "vm", machine(arm), etag=latest.etag, match_condition=MatchConditions.IfNotModified)


async def test_spot_machines_are_evicted(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    await create(compute, machine(arm, priority="Spot", evictionPolicy="Deallocate"))
    await compute.virtual_machines.simulate_eviction(GROUP, "vm")
    view = await compute.virtual_machines.instance_view(GROUP, "vm")
    assert [s.code for s in view.statuses] == ["ProvisioningState/succeeded", "PowerState/deallocated"]
    await (await compute.virtual_machines.begin_start(GROUP, "vm")).result()
    assert next(iter(arm.state.machines.values())).power == "running"


async def test_a_machine_joins_a_flexible_set(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    owner = await make(compute, scale_set(1, mode="Flexible"))
    await interface(arm, resources)
    made = await create(compute, machine(arm, virtualMachineScaleSet={"id": owner.id}))
    assert made.virtual_machine_scale_set.id == owner.id
    assert (await compute.virtual_machine_scale_sets.get(GROUP, "mp")).sku.capacity == 2


async def test_an_extension_is_installed_on_one_machine(
    arm: Arm, compute: ComputeManagementClient, resources: ResourceManagementClient
) -> None:
    await interface(arm, resources)
    await create(compute, machine(arm))
    extension = {
        "location": "eastus",
        "properties": {
            "publisher": "Microsoft.Azure.ContainerUpstream",
            "type": "CAPZ.Linux.Bootstrapping",
            "typeHandlerVersion": "1.0",
            "protectedSettings": {"command": "hush"},
        },
    }
    extensions = compute.virtual_machine_extensions
    made = await (await extensions.begin_create_or_update(GROUP, "vm", "boot", extension)).result()
    assert made.provisioning_state == "Succeeded"
    assert made.protected_settings is None
    arm.faults.fail("virtualMachines/extensions/write", "VMExtensionProvisioningError")
    with pytest.raises(HttpResponseError):
        await (await extensions.begin_create_or_update(GROUP, "vm", "boot", extension)).result()
    assert (await extensions.get(GROUP, "vm", "boot")).provisioning_state == "Failed"


async def test_interfaces_need_a_place_and_a_subnet(arm: Arm, resources: ResourceManagementClient) -> None:
    for body in ({"properties": {}}, {"location": "eastus", "properties": {}}):
        with pytest.raises(HttpResponseError) as failure:
            await resources.resources.begin_create_or_update_by_id(interface_id(arm, "n"), body, api_version=VERSION)
        assert failure.value.status_code == 400
