"""Flexible scale sets: their machines are virtual machines with names of their own."""

from __future__ import annotations

import re

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing.azure import Arm, Power
from tests.server.azure.arm.bodies import GROUP, NAME, make, profile, rows, scale_set


def flexible(capacity: int, **fields: object) -> dict[str, object]:
    return scale_set(capacity, mode="Flexible", **fields)


async def test_machines_have_names_that_belong_to_the_set(compute: ComputeManagementClient) -> None:
    made = await make(compute, flexible(2))
    found = await rows(compute)
    for row in found:
        assert re.fullmatch(r"mp_[0-9a-f]{8}", row.name)
        assert row.instance_id == row.name
        assert row.id == f"{made.id}/virtualMachines/{row.name}"
    assert len({row.name for row in found}) == 2


async def test_a_machine_is_reached_as_a_virtual_machine(compute: ComputeManagementClient) -> None:
    made = await make(compute, {**flexible(1), "zones": ["3"]})
    [row] = await rows(compute)
    machine = await compute.virtual_machines.get(GROUP, row.name, expand="instanceView")
    assert machine.id.endswith(f"/providers/Microsoft.Compute/virtualMachines/{row.name}")
    assert machine.virtual_machine_scale_set.id == made.id
    assert machine.hardware_profile.vm_size == "Standard_D2s_v3"
    assert machine.zones == ["3"]
    assert machine.vm_id == row.vm_id
    assert [s.code for s in machine.instance_view.statuses] == ["ProvisioningState/succeeded", "PowerState/running"]


async def test_the_machines_of_one_set_are_listed(compute: ComputeManagementClient) -> None:
    made = await make(compute, flexible(2))
    await make(compute, flexible(1), "other")
    mine = compute.virtual_machines.list(GROUP, filter=f"'virtualMachineScaleSet/id' eq '{made.id}'")
    assert sorted([m.name async for m in mine]) == sorted(row.name for row in await rows(compute))
    assert len([m async for m in compute.virtual_machines.list_all()]) == 3


async def test_deleting_a_virtual_machine_lowers_the_capacity(compute: ComputeManagementClient) -> None:
    await make(compute, flexible(3))
    first, second, third = [row.name for row in await rows(compute)]
    await (await compute.virtual_machines.begin_delete(GROUP, first, force_deletion=True)).result()
    await (
        await compute.virtual_machine_scale_sets.begin_delete_instances(GROUP, NAME, {"instanceIds": [second]})
    ).result()
    assert [row.name for row in await rows(compute)] == [third]
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).sku.capacity == 1
    await (await compute.virtual_machines.begin_delete(GROUP, first)).result()


async def test_power_is_changed_by_the_machines_own_path(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, flexible(1))
    [row] = await rows(compute)
    await (await compute.virtual_machines.begin_deallocate(GROUP, row.name)).result()
    assert arm.machine(NAME, row.name).power is Power.DEALLOCATED
    await (await compute.virtual_machines.begin_start(GROUP, row.name)).result()
    assert arm.machine(NAME, row.name).power is Power.RUNNING


async def test_a_machine_is_not_reached_by_the_path_of_uniform_sets(compute: ComputeManagementClient) -> None:
    await make(compute, flexible(1))
    [row] = await rows(compute)
    with pytest.raises(HttpResponseError, match="Flexible") as failure:
        await compute.virtual_machine_scale_set_vms.get(GROUP, NAME, row.name)
    assert failure.value.status_code == 409


async def test_an_eviction_by_the_machines_own_path(compute: ComputeManagementClient) -> None:
    await make(compute, flexible(2, virtualMachineProfile=profile(priority="Spot", evictionPolicy="Delete")))
    gone = (await rows(compute))[0].name
    await compute.virtual_machines.simulate_eviction(GROUP, gone)
    assert gone not in [row.name for row in await rows(compute)]


async def test_a_set_without_a_profile_has_no_machines(compute: ComputeManagementClient) -> None:
    made = await make(
        compute, {"location": "eastus", "properties": {"orchestrationMode": "Flexible", "platformFaultDomainCount": 1}}
    )
    assert (made.orchestration_mode, made.virtual_machine_profile) == ("Flexible", None)
    assert await rows(compute) == []
