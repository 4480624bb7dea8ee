"""Scale sets as resources: created, read, listed, updated and deleted by Azure's own library."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing.azure import Arm
from tests.server.azure.arm import bodies
from tests.server.azure.arm.bodies import GROUP, NAME, make, profile, scale_set


async def code_of(awaitable: Any) -> tuple[int, str]:
    """The status and the code that a call fails with."""
    with pytest.raises(HttpResponseError) as failure:
        await awaitable
    assert failure.value.status_code is not None
    assert failure.value.error is not None
    return failure.value.status_code, failure.value.error.code


async def test_a_scale_set_is_made_and_reads_back(compute: ComputeManagementClient) -> None:
    made = await make(compute, {**scale_set(2), "zones": ["1", "2"]})
    assert made.provisioning_state == "Succeeded"
    assert made.id.endswith(f"/resourceGroups/{GROUP}/providers/Microsoft.Compute/virtualMachineScaleSets/{NAME}")
    assert (made.sku.name, made.sku.capacity, made.zones) == ("Standard_D2s_v3", 2, ["1", "2"])
    assert made.tags == {"Name": NAME}
    assert made.unique_id
    assert made.time_created is not None
    assert made.orchestration_mode == "Uniform"
    assert await compute.virtual_machine_scale_sets.get(GROUP, NAME) == made


async def test_secrets_go_in_and_never_come_out(arm: Arm, compute: ComputeManagementClient) -> None:
    extension = {"name": "e", "properties": {"publisher": "p", "type": "t", "protectedSettings": {"s": "hush"}}}
    body = scale_set(1)
    body["properties"]["virtualMachineProfile"]["osProfile"]["adminPassword"] = "hush"
    body["properties"]["virtualMachineProfile"]["extensionProfile"] = {"extensions": [extension]}
    made = await make(compute, body)
    machine = await compute.virtual_machine_scale_set_vms.get(GROUP, NAME, "0", expand="instanceView")
    for shown in (made, machine):
        assert "hush" not in str(shown.as_dict())
        assert bodies.CUSTOM_DATA not in str(shown.as_dict())
    assert arm.machine(NAME, "0").custom_data == bodies.CUSTOM_DATA


async def test_lists_show_the_group_and_the_subscription(arm: Arm, compute: ComputeManagementClient) -> None:
    for name in ("a", "b", "c"):
        await make(compute, scale_set(0), name)
    arm.faults.page_size = 2
    assert [s.name async for s in compute.virtual_machine_scale_sets.list(GROUP)] == ["a", "b", "c"]
    assert [s.name async for s in compute.virtual_machine_scale_sets.list_all()] == ["a", "b", "c"]
    assert [s.name async for s in compute.virtual_machine_scale_sets.list_by_location("eastus")] == ["a", "b", "c"]
    assert [s async for s in compute.virtual_machine_scale_sets.list_by_location("westeurope")] == []
    pages = [r for r in arm.log.of("virtualMachineScaleSets/read") if r.path.endswith("/virtualMachineScaleSets")]
    assert len(pages) == 7


async def test_a_put_without_a_profile_keeps_the_old_one(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    body = {"location": "eastus", "tags": {"Name": "n", "new": "1"}, "sku": {"name": "Standard_D2s_v3", "capacity": 2}}
    made = await make(compute, body)
    assert made.virtual_machine_profile.storage_profile.image_reference.version == bodies.MARKET["version"]
    assert made.tags == {"Name": "n", "new": "1"}
    assert [m.custom_data for m in arm.scale_set(NAME).live] == [bodies.CUSTOM_DATA] * 2


async def test_a_put_of_a_profile_without_network_keeps_the_network(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(0))
    changed = {k: v for k, v in profile(bodies.NEWER).items() if k != "networkProfile"}
    made = await make(compute, scale_set(0, virtualMachineProfile=changed))
    model = made.virtual_machine_profile
    assert model.storage_profile.image_reference.version == bodies.NEWER["version"]
    assert model.network_profile.network_interface_configurations[0].name == "mp-nic-0"


async def test_writing_back_what_was_read_changes_no_model(arm: Arm, compute: ComputeManagementClient) -> None:
    read = await make(compute, scale_set(1))
    await make(compute, read)
    assert arm.scale_set(NAME).model == 1
    assert (await bodies.rows(compute))[0].latest_model_applied


async def test_a_patch_changes_what_it_names(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    poller = await compute.virtual_machine_scale_sets.begin_update(GROUP, NAME, {"sku": {"capacity": 3}})
    patched = await poller.result()
    assert (patched.sku.capacity, patched.sku.name, patched.tags) == (3, "Standard_D2s_v3", {"Name": NAME})


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"location": "westeurope"}, (409, "InvalidResourceLocation")),
        ({"properties": {"orchestrationMode": "Flexible"}}, (409, "PropertyChangeNotAllowed")),
        ({"properties": {"platformFaultDomainCount": 3}}, (409, "PropertyChangeNotAllowed")),
        ({"zones": ["2"]}, (409, "PropertyChangeNotAllowed")),
        ({"sku": {"name": "Standard_Nothing", "capacity": 1}}, (400, "InvalidParameter")),
        ({"sku": {"name": "Standard_D2s_v3", "capacity": 1001}}, (400, "InvalidParameter")),
        ({"properties": {"upgradePolicy": {"mode": "Rolling"}}}, (400, "BadRequest")),
        ({"identity": {"type": "UserAssigned"}}, (400, "InvalidParameter")),
    ],
)
async def test_a_change_that_azure_refuses_changes_nothing(
    arm: Arm, compute: ComputeManagementClient, change: dict[str, Any], expected: tuple[int, str]
) -> None:
    before = await make(compute, {**scale_set(1), "zones": ["1"]})
    body = {"location": "eastus", **change}
    assert await code_of(make(compute, body)) == expected
    assert await compute.virtual_machine_scale_sets.get(GROUP, NAME) == before


@pytest.mark.parametrize(
    ("missing", "expected"),
    [
        (["location"], "LocationRequired"),
        (["sku"], "InvalidParameter"),
        (["properties", "virtualMachineProfile"], "InvalidParameter"),
        (["properties", "upgradePolicy"], "InvalidParameter"),
        (["properties", "virtualMachineProfile", "osProfile"], "InvalidParameter"),
    ],
)
async def test_a_scale_set_needs_its_fields(
    arm: Arm, compute: ComputeManagementClient, missing: list[str], expected: str
) -> None:
    body = scale_set()
    inner = body
    for key in missing[:-1]:
        inner = inner[key]
    del inner[missing[-1]]
    assert await code_of(make(compute, body)) == (400, expected)
    assert not arm.state.scale_sets


async def test_an_eviction_policy_needs_spot(compute: ComputeManagementClient) -> None:
    body = scale_set(virtualMachineProfile=profile(evictionPolicy="Delete"))
    assert await code_of(make(compute, body)) == (400, "InvalidParameter")


async def test_an_etag_that_is_not_the_newest_fails_the_write(compute: ComputeManagementClient) -> None:
    first = await make(compute, scale_set(0))
    await make(compute, scale_set(1))
    sets = compute.virtual_machine_scale_sets
    with pytest.raises(ResourceModifiedError):
        await sets.begin_create_or_update(
            GROUP, NAME, scale_set(2), etag=first.etag, match_condition=MatchConditions.IfNotModified
        )
    latest = (await sets.get(GROUP, NAME)).etag
    poller = await sets.begin_create_or_update(
        GROUP, NAME, scale_set(2), etag=latest, match_condition=MatchConditions.IfNotModified
    )
    assert (await poller.result()).sku.capacity == 2


async def test_a_create_can_insist_on_being_the_first(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(0))
    with pytest.raises(HttpResponseError) as failure:
        await compute.virtual_machine_scale_sets.begin_create_or_update(
            GROUP, NAME, scale_set(0), etag="*", match_condition=MatchConditions.IfMissing
        )
    assert failure.value.status_code == 412


async def test_deletion_takes_the_machines_and_is_done_again_for_free(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(2))
    await (await compute.virtual_machine_scale_sets.begin_delete(GROUP, NAME)).result()
    with pytest.raises(ResourceNotFoundError) as failure:
        await compute.virtual_machine_scale_sets.get(GROUP, NAME)
    assert failure.value.error is not None
    assert failure.value.error.code == "ResourceNotFound"
    await (await compute.virtual_machine_scale_sets.begin_delete(GROUP, NAME, force_deletion=True)).result()


async def test_a_deletion_leaves_a_state_that_shows(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    arm.faults.hold("virtualMachineScaleSets/delete")
    await compute.virtual_machine_scale_sets.begin_delete(GROUP, NAME)
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).provisioning_state == "Deleting"
    assert [row.provisioning_state for row in await bodies.rows(compute)] == ["Deleting"]
    assert await code_of(make(compute, scale_set(1))) == (409, "OperationNotAllowed")
    arm.release()
    assert not arm.state.scale_sets


async def test_identities_get_principals_that_stay(compute: ComputeManagementClient) -> None:
    user = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/u"
    both = {"type": "SystemAssigned, UserAssigned", "userAssignedIdentities": {user: {}}}
    made = await make(compute, {**scale_set(0), "identity": both})
    assert made.identity.principal_id
    assert made.identity.user_assigned_identities[user].client_id
    again = await make(compute, {**scale_set(1), "identity": {"type": "SystemAssigned"}})
    assert again.identity.principal_id == made.identity.principal_id
    assert again.identity.user_assigned_identities is None


async def test_defaults_that_azure_adds_are_added(compute: ComputeManagementClient) -> None:
    made = await make(compute, scale_set(0))
    assert made.single_placement_group
    assert made.platform_fault_domain_count == 5
    assert made.virtual_machine_profile.storage_profile.os_disk.caching == "ReadWrite"
    assert made.virtual_machine_profile.os_profile.linux_configuration.provision_vm_agent


async def test_the_instance_view_counts_states(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(3))
    arm.machine(NAME, "1").fail("VMExtensionProvisioningError")
    view = await compute.virtual_machine_scale_sets.get_instance_view(GROUP, NAME)
    counts = {s.code: s.count for s in view.virtual_machine.statuses_summary}
    assert counts == {"ProvisioningState/succeeded": 2, "ProvisioningState/failed": 1, "PowerState/running": 3}
    assert [s.code for s in view.statuses] == ["ProvisioningState/succeeded"]


async def test_automatic_repairs_are_suspended_and_resumed(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(0))
    for action, state in (("Suspend", "Suspended"), ("Resume", "Running")):
        poller = await compute.virtual_machine_scale_sets.begin_set_orchestration_service_state(
            GROUP, NAME, {"serviceName": "AutomaticRepairs", "action": action}
        )
        await poller.result()
        view = await compute.virtual_machine_scale_sets.get_instance_view(GROUP, NAME)
        assert view.orchestration_services[0].service_state == state
