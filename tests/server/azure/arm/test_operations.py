"""Long-running operations: how clients follow, resume and supersede them, and how they fail."""

from __future__ import annotations

import datetime as dt

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing import azure, virtual
from capipool.testing.azure import Arm, Timing
from tests.server.azure.arm.bodies import GROUP, NAME, ids, make, rows, scale_set

WRITE = "virtualMachineScaleSets/write"


async def test_a_token_resumes_an_operation_without_a_second_put(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.hold()
    sets = compute.virtual_machine_scale_sets
    poller = await sets.begin_create_or_update(GROUP, NAME, scale_set(1))
    token = poller.continuation_token()
    del poller
    arm.release()
    resumed = await sets.begin_create_or_update(GROUP, NAME, scale_set(1), continuation_token=token)
    assert (await resumed.result()).provisioning_state == "Succeeded"
    assert len([r for r in arm.log.all if r.method == "PUT"]) == 1


async def test_an_operation_takes_as_many_looks_as_it_is_told(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.timing.polls = 3
    await make(compute, scale_set(1))
    assert len(arm.log.of("locations/operations/read")) == 4


async def test_looks_at_the_resource_count_too(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.timing.polls = 2
    sets = compute.virtual_machine_scale_sets
    await sets.begin_create_or_update(GROUP, NAME, scale_set(1))
    states = [(await sets.get(GROUP, NAME)).provisioning_state for _ in range(3)]
    assert states == ["Creating", "Creating", "Succeeded"]


async def test_time_is_the_clocks() -> None:
    class Hand:
        moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

        def now(self) -> dt.datetime:
            return self.moment

    hand, timing = Hand(), Timing(boot=dt.timedelta(minutes=2), delete=dt.timedelta(minutes=1))
    async with (
        azure.serve(clock=hand, timing=timing) as arm,
        ComputeManagementClient(arm.credential(), arm.subscription, **arm.client_options()) as compute,
    ):
        sets = compute.virtual_machine_scale_sets
        await sets.begin_create_or_update(GROUP, NAME, scale_set(1))
        hand.moment += dt.timedelta(seconds=119)
        assert (await rows(compute))[0].provisioning_state == "Creating"
        hand.moment += dt.timedelta(seconds=1)
        assert (await rows(compute))[0].provisioning_state == "Succeeded"
        await sets.begin_delete(GROUP, NAME)
        assert (await rows(compute))[0].provisioning_state == "Deleting"
        hand.moment += dt.timedelta(minutes=1)
        assert [s async for s in sets.list(GROUP)] == []


def test_hours_pass_on_virtual_time() -> None:
    async def history() -> None:
        clock = virtual.clock()
        timing = Timing(boot=dt.timedelta(hours=1), retry_after=60)
        async with (
            azure.serve(clock=clock, timing=timing) as arm,
            ComputeManagementClient(arm.credential(), arm.subscription, **arm.client_options(keep=True)) as compute,
        ):
            await make(compute, scale_set(2))
            assert clock.now() - virtual.START == dt.timedelta(hours=1)

    virtual.run(history())


@pytest.mark.parametrize("code", ["AllocationFailed", "OverconstrainedZonalAllocationRequest", "ZonalAllocationFailed"])
async def test_a_failed_allocation_leaves_failed_machines(
    arm: Arm, compute: ComputeManagementClient, code: str
) -> None:
    await make(compute, scale_set(1))
    arm.faults.fail(WRITE, code)
    with pytest.raises(HttpResponseError, match="Allocation failed") as failure:
        await make(compute, scale_set(2))
    assert failure.value.error is not None
    assert failure.value.error.code == code
    found = await rows(compute, expand="instanceView")
    assert [row.provisioning_state for row in found] == ["Succeeded", "Failed"]
    assert [s.code for s in found[1].instance_view.statuses] == [f"ProvisioningState/failed/{code}"]
    view = await compute.virtual_machine_scale_sets.get_instance_view(GROUP, NAME)
    assert view.statuses[0].code == f"ProvisioningState/failed/{code}"
    made = await compute.virtual_machine_scale_sets.get(GROUP, NAME)
    assert (made.provisioning_state, made.sku.capacity) == ("Failed", 2)
    assert arm.faults.struck


async def test_a_failed_allocation_can_leave_nothing(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    arm.faults.fail(WRITE, "AllocationFailed", leaves_failed=False)
    with pytest.raises(HttpResponseError):
        await make(compute, scale_set(3))
    assert await ids(compute) == ["0"]
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).sku.capacity == 1
    assert (await make(compute, scale_set(2))).provisioning_state == "Succeeded"


async def test_one_machine_that_does_not_boot_fails_the_operation(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.fail_boot("OSProvisioningTimedOut")
    with pytest.raises(HttpResponseError) as failure:
        await make(compute, scale_set(2))
    assert failure.value.error is not None
    assert failure.value.error.code == "OSProvisioningTimedOut"
    assert sorted(row.provisioning_state for row in await rows(compute)) == ["Failed", "Succeeded"]


@pytest.mark.parametrize("code", ["OperationNotAllowed", "SkuNotAvailable"])
async def test_quota_and_skus_are_refused_at_once(arm: Arm, compute: ComputeManagementClient, code: str) -> None:
    arm.faults.refuse(WRITE, code)
    with pytest.raises(ResourceExistsError) as failure:
        await make(compute, scale_set(1))
    assert failure.value.status_code == 409
    assert failure.value.error is not None
    assert failure.value.error.code == code
    assert not arm.state.scale_sets


async def test_a_deletion_can_fail_and_be_tried_again(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    arm.faults.fail("virtualMachineScaleSets/delete", "InternalServerError")
    with pytest.raises(HttpResponseError):
        await (await compute.virtual_machine_scale_sets.begin_delete(GROUP, NAME)).result()
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).provisioning_state == "Failed"
    await (await compute.virtual_machine_scale_sets.begin_delete(GROUP, NAME)).result()
    assert not arm.state.scale_sets


async def test_an_operation_can_be_canceled(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.cancel(WRITE)
    with pytest.raises(HttpResponseError, match="preempted"):
        await make(compute, scale_set(0))


async def test_a_newer_put_preempts_the_pending_one(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.hold(WRITE)
    sets = compute.virtual_machine_scale_sets
    first = await sets.begin_create_or_update(GROUP, NAME, scale_set(1))
    second = await sets.begin_create_or_update(GROUP, NAME, scale_set(3))
    arm.release()
    with pytest.raises(HttpResponseError) as failure:
        await first.result()
    assert failure.value.error is not None
    assert failure.value.error.code == "OperationPreempted"
    assert (await second.result()).sku.capacity == 3
    assert await ids(compute) == ["0", "1", "2"]
    assert {row.provisioning_state for row in await rows(compute)} == {"Succeeded"}


async def test_a_deletion_preempts_a_pending_put(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.hold(WRITE)
    sets = compute.virtual_machine_scale_sets
    put = await sets.begin_create_or_update(GROUP, NAME, scale_set(2))
    await (await sets.begin_delete(GROUP, NAME)).result()
    with pytest.raises(HttpResponseError):
        await put.result()
    assert not arm.state.scale_sets


async def test_machines_are_deleted_while_a_put_is_pending(arm: Arm, compute: ComputeManagementClient) -> None:
    arm.faults.hold(WRITE)
    put = await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, scale_set(3))
    await (await compute.virtual_machine_scale_set_vms.begin_delete(GROUP, NAME, "1")).result()
    arm.release()
    assert (await put.result()).sku.capacity == 2
    assert await ids(compute) == ["0", "2"]


async def test_a_machine_that_is_busy_answers_conflict(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(1))
    arm.faults.hold("virtualMachineScaleSets/virtualMachines/*")
    await compute.virtual_machine_scale_set_vms.begin_deallocate(GROUP, NAME, "0")
    with pytest.raises(ResourceExistsError) as failure:
        await compute.virtual_machine_scale_set_vms.begin_start(GROUP, NAME, "0")
    assert failure.value.error is not None
    assert failure.value.error.code == "Conflict"
