"""The machines of Uniform scale sets: how they come, go, are told apart, and what can be done to them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing.azure import Arm, Power
from tests.server.azure.arm import bodies
from tests.server.azure.arm.bodies import GROUP, NAME, ids, make, profile, rows, scale_set

NEWER = scale_set(3, virtualMachineProfile=profile(bodies.NEWER))


async def capacity(compute: ComputeManagementClient) -> int:
    found = await compute.virtual_machine_scale_sets.get(GROUP, NAME)
    assert found.sku is not None
    assert found.sku.capacity is not None
    return found.sku.capacity


async def test_machines_boot_while_the_operation_goes_on(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.hold()
    poller = await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, scale_set(2))
    booting = await rows(compute, expand="instanceView")
    assert [row.provisioning_state for row in booting] == ["Creating", "Creating"]
    assert [[s.code for s in row.instance_view.statuses] for row in booting] == [["ProvisioningState/creating"]] * 2
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).provisioning_state == "Creating"
    arm.release()
    await poller.result()
    running = await rows(compute, expand="instanceView")
    codes = ["ProvisioningState/succeeded", "PowerState/running"]
    assert [[s.code for s in row.instance_view.statuses] for row in running] == [codes] * 2


async def test_a_machine_shows_what_clients_read(compute: ComputeManagementClient) -> None:
    body = {**scale_set(1, virtualMachineProfile=profile({**bodies.MARKET, "version": "latest"})), "zones": ["2"]}
    made = await make(compute, body)
    [row] = await rows(compute)
    assert row.id == f"{made.id}/virtualMachines/0"
    assert (row.name, row.instance_id, row.zones, row.location) == ("mp_0", "0", ["2"], "eastus")
    assert row.sku.name == "Standard_D2s_v3"
    assert row.latest_model_applied
    assert row.vm_id
    assert row.os_profile.computer_name == "mp000000"
    assert row.storage_profile.image_reference.version == "latest"
    assert row.storage_profile.image_reference.exact_version == "131.1.20240920"
    assert row.instance_view is None
    assert (await compute.virtual_machine_scale_set_vms.get(GROUP, NAME, "0")).vm_id == row.vm_id


async def test_instance_ids_only_grow(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(3))
    await (await compute.virtual_machine_scale_set_vms.begin_delete(GROUP, NAME, "2")).result()
    await make(compute, scale_set(4))
    assert await ids(compute) == ["0", "1", "3", "4"]


async def test_deleting_machines_lowers_the_capacity_at_once(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(4))
    arm.faults.hold("virtualMachineScaleSets/delete/action")
    poller = await compute.virtual_machine_scale_sets.begin_delete_instances(
        GROUP, NAME, {"instanceIds": ["0", "2"]}, force_deletion=True
    )
    assert await capacity(compute) == 2
    assert {r.instance_id: r.provisioning_state for r in await rows(compute)} == {
        "0": "Deleting",
        "1": "Succeeded",
        "2": "Deleting",
        "3": "Succeeded",
    }
    arm.release()
    await poller.result()
    assert await ids(compute) == ["1", "3"]


async def test_deleting_what_is_gone_or_going_is_no_error(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(2))
    await (await compute.virtual_machine_scale_set_vms.begin_delete(GROUP, NAME, "9")).result()
    arm.faults.hold("virtualMachineScaleSets/virtualMachines/delete")
    first = await compute.virtual_machine_scale_set_vms.begin_delete(GROUP, NAME, "1")
    second = await compute.virtual_machine_scale_set_vms.begin_delete(GROUP, NAME, "1")
    arm.release()
    await first.result()
    await second.result()
    assert await ids(compute) == ["0"]


async def test_deleting_many_of_which_one_is_unknown_deletes_none(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(2))
    with pytest.raises(HttpResponseError, match="instanceId 9 is not an active") as failure:
        await compute.virtual_machine_scale_sets.begin_delete_instances(GROUP, NAME, {"instanceIds": ["0", "9"]})
    assert failure.value.status_code == 400
    assert await ids(compute) == ["0", "1"]


async def test_new_machines_go_to_the_emptiest_zone(compute: ComputeManagementClient) -> None:
    await make(compute, {**scale_set(5), "zones": ["1", "2", "3"]})
    assert Counter(row.zones[0] for row in await rows(compute)) == {"1": 2, "2": 2, "3": 1}


@pytest.mark.parametrize(
    ("policy", "left"),
    [
        ({}, ["0", "1"]),
        ({"rules": ["NewestVM"]}, ["0", "1"]),
        ({"rules": ["OldestVM"]}, ["2", "3"]),
        ({"rules": ["OldestVM"], "prioritizeUnhealthyVMs": True}, ["1", "2"]),
    ],
)
async def test_a_lower_capacity_removes_by_the_policy(
    arm: Arm, compute: ComputeManagementClient, policy: dict[str, Any], left: list[str]
) -> None:
    await make(compute, scale_set(4, scaleInPolicy=policy))
    if policy.get("prioritizeUnhealthyVMs"):
        arm.machine(NAME, "3").fail()
    await make(compute, scale_set(2, scaleInPolicy=policy))
    assert await ids(compute) == left


async def test_a_lower_capacity_keeps_zones_in_balance(compute: ComputeManagementClient) -> None:
    body = {**scale_set(4), "zones": ["1", "2"]}
    await make(compute, body)
    await (await compute.virtual_machine_scale_set_vms.begin_delete(GROUP, NAME, "3")).result()
    await make(compute, {**scale_set(2), "zones": ["1", "2"]})
    assert {row.instance_id: row.zones[0] for row in await rows(compute)} == {"0": "1", "1": "2"}


async def test_a_protected_machine_is_spared(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(3))
    poller = await compute.virtual_machine_scale_set_vms.begin_update(
        GROUP, NAME, "2", {"location": "eastus", "properties": {"protectionPolicy": {"protectFromScaleIn": True}}}
    )
    assert (await poller.result()).protection_policy.protect_from_scale_in
    await make(compute, scale_set(1))
    assert await ids(compute) == ["2"]


async def test_manual_mode_leaves_machines_behind_the_model(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(2))
    await make(compute, NEWER)
    assert [row.latest_model_applied for row in await rows(compute)] == [False, False, True]
    stale = [row.instance_id for row in await rows(compute, filter="properties/latestModelApplied eq false")]
    assert stale == ["0", "1"]


@pytest.mark.parametrize(("wanted", "current"), [(["0"], [True, False, True]), (["*"], [True, True, True])])
async def test_machines_are_brought_to_the_model_when_asked(
    arm: Arm, compute: ComputeManagementClient, wanted: list[str], current: list[bool]
) -> None:
    await make(compute, scale_set(2))
    await make(compute, NEWER)
    poller = await compute.virtual_machine_scale_sets.begin_update_instances(GROUP, NAME, {"instanceIds": wanted})
    await poller.result()
    found = await rows(compute)
    assert [row.latest_model_applied for row in found] == current
    assert found[0].storage_profile.image_reference.version == bodies.NEWER["version"]
    assert arm.machine(NAME, "0").boots == 2


async def test_automatic_mode_brings_all_to_the_model(compute: ComputeManagementClient) -> None:
    automatic = {"upgradePolicy": {"mode": "Automatic"}}
    await make(compute, scale_set(3, **automatic))
    await make(compute, scale_set(3, virtualMachineProfile=profile(bodies.NEWER), **automatic))
    found = await rows(compute)
    assert all(row.latest_model_applied for row in found)
    assert {row.storage_profile.image_reference.version for row in found} == {bodies.NEWER["version"]}


async def test_tags_and_capacity_are_no_change_of_the_model(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    await make(compute, {**scale_set(2), "tags": {"other": "tag"}})
    assert all(row.latest_model_applied for row in await rows(compute))


async def test_new_custom_data_reaches_new_machines_only(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    body = scale_set(2)
    body["properties"]["virtualMachineProfile"]["osProfile"]["customData"] = "bmV3"
    await make(compute, body)
    assert [arm.machine(NAME, i).custom_data for i in ("0", "1")] == [bodies.CUSTOM_DATA, "bmV3"]
    sets, members = compute.virtual_machine_scale_sets, compute.virtual_machine_scale_set_vms
    await (await members.begin_reimage(GROUP, NAME, "0")).result()
    await (await sets.begin_update_instances(GROUP, NAME, {"instanceIds": ["0"]})).result()
    assert arm.machine(NAME, "0").custom_data == bodies.CUSTOM_DATA
    await (await members.begin_reimage(GROUP, NAME, "0")).result()
    assert arm.machine(NAME, "0").custom_data == "bmV3"


@pytest.mark.parametrize(
    ("method", "given", "power"),
    [
        ("begin_deallocate", {}, Power.DEALLOCATED),
        ("begin_power_off", {"skip_shutdown": True}, Power.STOPPED),
        ("begin_start", {}, Power.RUNNING),
        ("begin_restart", {}, Power.RUNNING),
        ("begin_redeploy", {}, Power.RUNNING),
        ("begin_perform_maintenance", {}, Power.RUNNING),
        ("begin_reimage", {}, Power.RUNNING),
        ("begin_reimage_all", {}, Power.RUNNING),
    ],
)
async def test_power_and_disks_of_one_machine(
    arm: Arm, compute: ComputeManagementClient, method: str, given: dict[str, Any], power: Power
) -> None:
    await make(compute, scale_set(2))
    await (await getattr(compute.virtual_machine_scale_set_vms, method)(GROUP, NAME, "1", **given)).result()
    view = await compute.virtual_machine_scale_set_vms.get_instance_view(GROUP, NAME, "1")
    assert f"PowerState/{power.value}" in [s.code for s in view.statuses]
    assert arm.machine(NAME, "0").power is Power.RUNNING
    assert arm.machine(NAME, "1").boots == (2 if "reimage" in method else 1)


@pytest.mark.parametrize(
    ("method", "given", "power"),
    [
        ("begin_deallocate", {}, Power.DEALLOCATED),
        ("begin_power_off", {}, Power.STOPPED),
        ("begin_start", {}, Power.RUNNING),
        ("begin_restart", {}, Power.RUNNING),
        ("begin_redeploy", {}, Power.RUNNING),
        ("begin_perform_maintenance", {}, Power.RUNNING),
        ("begin_reapply", {}, Power.RUNNING),
        ("begin_reimage", {}, Power.RUNNING),
        ("begin_reimage_all", {}, Power.RUNNING),
    ],
)
async def test_power_and_disks_of_many_machines(
    arm: Arm, compute: ComputeManagementClient, method: str, given: dict[str, Any], power: Power
) -> None:
    await make(compute, scale_set(2))
    await (await getattr(compute.virtual_machine_scale_sets, method)(GROUP, NAME, **given)).result()
    assert {machine.power for machine in arm.scale_set(NAME).live} == {power}


async def test_protection_from_actions_spares_a_machine_that_is_not_named(
    arm: Arm, compute: ComputeManagementClient
) -> None:
    await make(compute, scale_set(2))
    arm.machine(NAME, "0").protection = {"protectFromScaleSetActions": True}
    await (await compute.virtual_machine_scale_sets.begin_deallocate(GROUP, NAME)).result()
    assert [m.power for m in arm.scale_set(NAME).live] == [Power.RUNNING, Power.DEALLOCATED]


@pytest.mark.parametrize(
    ("policy", "left"), [("Deallocate", ["PowerState/running", "PowerState/deallocated"]), ("Delete", None)]
)
async def test_an_eviction_follows_the_policy(
    arm: Arm, compute: ComputeManagementClient, policy: str, left: list[str] | None
) -> None:
    spot = profile(priority="Spot", evictionPolicy=policy)
    await make(compute, scale_set(2, virtualMachineProfile=spot))
    await compute.virtual_machine_scale_set_vms.simulate_eviction(GROUP, NAME, "1")
    found = await rows(compute, expand="instanceView")
    if left is None:
        assert [row.instance_id for row in found] == ["0"]
        assert await capacity(compute) == 1
    else:
        assert [row.instance_view.statuses[1].code for row in found] == left
        assert {row.provisioning_state for row in found} == {"Succeeded"}


async def test_only_spot_machines_can_be_evicted(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    with pytest.raises(HttpResponseError, match="only on Azure Spot") as failure:
        await compute.virtual_machine_scale_set_vms.simulate_eviction(GROUP, NAME, "0")
    assert failure.value.status_code == 409


async def test_extensions_run_on_every_machine(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1, virtualMachineProfile=profile(extensionProfile={"extensions": [bodies.HEALTH]})))
    extension = await compute.virtual_machine_scale_set_vm_extensions.get(GROUP, NAME, "0", "health")
    assert extension.provisioning_state == "Succeeded"
    [row] = await rows(compute, expand="instanceView")
    assert [e.name for e in row.resources] == ["health"]
    assert row.instance_view.vm_health.status.code == "HealthState/healthy"
    assert [e.name for e in row.instance_view.extensions] == ["health"]


async def test_a_failed_machine_says_why(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    arm.machine(NAME, "0").fail("VMExtensionProvisioningError", "script failed")
    [row] = await rows(compute, expand="instanceView")
    assert row.provisioning_state == "Failed"
    first = row.instance_view.statuses[0]
    assert (first.code, first.message) == ("ProvisioningState/failed/VMExtensionProvisioningError", "script failed")
    failed = "startswith(instanceView/statuses/code, 'ProvisioningState/failed')"
    assert len(await rows(compute, filter=failed)) == 1


async def test_a_machine_of_a_set_that_is_not_there_misses_its_parent(compute: ComputeManagementClient) -> None:
    members = compute.virtual_machine_scale_set_vms
    for call in (members.get(GROUP, "none", "0"), members.begin_delete(GROUP, "none", "0"), rows(compute, "none")):
        with pytest.raises(ResourceNotFoundError) as failure:
            await call
        assert failure.value.error is not None
        assert failure.value.error.code == "ParentResourceNotFound"


async def test_an_extension_is_put_into_the_model(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    extensions = compute.virtual_machine_scale_set_extensions
    secret = {**bodies.HEALTH["properties"], "protectedSettings": {"s": "hush"}}
    poller = await extensions.begin_create_or_update(GROUP, NAME, "health", {"properties": secret})
    assert (await poller.result()).provisioning_state == "Succeeded"
    assert "hush" not in str((await extensions.get(GROUP, NAME, "health")).as_dict())
    assert [e.name async for e in extensions.list(GROUP, NAME)] == ["health"]
    assert not (await rows(compute))[0].latest_model_applied
    await (await extensions.begin_delete(GROUP, NAME, "health")).result()
    assert [e async for e in extensions.list(GROUP, NAME)] == []
    with pytest.raises(ResourceNotFoundError):
        await extensions.get(GROUP, NAME, "health")


async def test_automatic_mode_spares_protected_machines(arm: Arm, compute: ComputeManagementClient) -> None:
    automatic = {"upgradePolicy": {"mode": "Automatic"}}
    await make(compute, scale_set(2, **automatic))
    arm.machine(NAME, "0").protection = {"protectFromScaleSetActions": True}
    await make(compute, scale_set(2, virtualMachineProfile=profile(bodies.NEWER), **automatic))
    assert [row.latest_model_applied for row in await rows(compute)] == [False, True]


async def test_a_machine_that_is_not_there_is_not_found(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    with pytest.raises(ResourceNotFoundError):
        await compute.virtual_machine_scale_set_vms.get(GROUP, NAME, "7")
