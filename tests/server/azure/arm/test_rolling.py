"""Rolling upgrades: in batches, in place or with surge, with progress that shows, and limits that stop them."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.compute.aio import ComputeManagementClient

from capipool.testing.azure import Arm
from tests.server.azure.arm import bodies
from tests.server.azure.arm.bodies import GROUP, NAME, ids, make, profile, rows, scale_set


def rolling(capacity: int, image: dict[str, Any], **policy: Any) -> dict[str, Any]:
    """A scale set that rolls, with the health extension that this needs."""
    limits = {"maxBatchInstancePercent": 50, "maxUnhealthyInstancePercent": 100, **policy}
    return scale_set(
        capacity,
        upgradePolicy={"mode": "Rolling", "rollingUpgradePolicy": limits},
        virtualMachineProfile=profile(image, extensionProfile={"extensions": [bodies.HEALTH]}),
    )


async def latest(compute: ComputeManagementClient) -> Any:
    return await compute.virtual_machine_scale_set_rolling_upgrades.get_latest(GROUP, NAME)


async def progress(compute: ComputeManagementClient) -> tuple[str, int, int, int]:
    """The code, and how many are done, in progress and pending."""
    found = await latest(compute)
    count = found.progress
    return (
        found.running_status.code,
        count.successful_instance_count,
        count.in_progress_instance_count,
        count.pending_instance_count,
    )


async def test_a_model_change_rolls_in_batches_that_show(compute: ComputeManagementClient) -> None:
    await make(compute, rolling(4, bodies.MARKET))
    sets = compute.virtual_machine_scale_sets
    poller = await sets.begin_create_or_update(GROUP, NAME, rolling(4, bodies.NEWER))
    seen = [await progress(compute) for _ in range(5)]
    assert seen == [
        ("RollingForward", 0, 2, 2),
        ("RollingForward", 2, 2, 0),
        ("Completed", 4, 0, 0),
        ("Completed", 4, 0, 0),
        ("Completed", 4, 0, 0),
    ]
    assert (await poller.result()).provisioning_state == "Succeeded"
    found = await rows(compute)
    assert [row.instance_id for row in found] == ["0", "1", "2", "3"]
    assert {row.storage_profile.image_reference.version for row in found} == {bodies.NEWER["version"]}


async def test_with_surge_new_machines_take_the_old_ones_places(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, rolling(2, bodies.MARKET, maxSurge=True))
    poller = await compute.virtual_machine_scale_sets.begin_create_or_update(
        GROUP, NAME, rolling(2, bodies.NEWER, maxSurge=True)
    )
    sizes = {len(await ids(compute)) for _ in range(4)}
    await poller.result()
    assert 3 in sizes
    assert sizes <= {2, 3}
    assert await ids(compute) == ["2", "3"]
    assert all(row.latest_model_applied for row in await rows(compute))


async def test_a_roll_waits_for_its_pause(arm: Arm, compute: ComputeManagementClient) -> None:
    pause = {"pauseTimeBetweenBatches": "PT1H"}
    await make(compute, rolling(2, bodies.MARKET, **pause))
    await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, rolling(2, bodies.NEWER, **pause))
    for _ in range(5):
        state = await progress(compute)
    assert state == ("RollingForward", 1, 0, 1)
    policy = (await latest(compute)).policy
    assert (policy.max_batch_instance_percent, policy.pause_time_between_batches) == (50, "PT3600S")


async def test_an_approved_roll_does_not_wait(arm: Arm, compute: ComputeManagementClient) -> None:
    pause = {"pauseTimeBetweenBatches": "PT1H"}
    await make(compute, rolling(2, bodies.MARKET, **pause))
    sets = compute.virtual_machine_scale_sets
    with pytest.raises(HttpResponseError, match="no Rolling Upgrade in progress"):
        await sets.begin_approve_rolling_upgrade(GROUP, NAME)
    poller = await sets.begin_create_or_update(GROUP, NAME, rolling(2, bodies.NEWER, **pause))
    for _ in range(3):
        assert (await progress(compute))[0] == "RollingForward"
    await (await sets.begin_approve_rolling_upgrade(GROUP, NAME)).result()
    await poller.result()
    assert await progress(compute) == ("Completed", 2, 0, 0)


async def test_a_roll_that_breaks_machines_stops(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, rolling(4, bodies.MARKET))
    arm.faults.fail_boot("OSProvisioningTimedOut", times=2)
    with pytest.raises(HttpResponseError) as failure:
        await make(compute, rolling(4, bodies.NEWER))
    code = "MaxUnhealthyUpgradedInstancePercentExceededInRollingUpgrade"
    assert failure.value.error is not None
    assert failure.value.error.code == code
    found = await latest(compute)
    assert (found.running_status.code, found.error.code) == ("Faulted", code)
    assert found.progress.failed_instance_count == 2
    assert [row.latest_model_applied for row in await rows(compute)] == [True, True, False, False]
    assert (await compute.virtual_machine_scale_sets.get(GROUP, NAME)).provisioning_state == "Failed"


async def test_a_roll_does_not_begin_among_the_unhealthy(arm: Arm, compute: ComputeManagementClient) -> None:
    limit = {"maxUnhealthyInstancePercent": 50}
    await make(compute, rolling(2, bodies.MARKET, **limit))
    for instance in ("0", "1"):
        arm.machine(NAME, instance).health = "Unhealthy"
    with pytest.raises(HttpResponseError) as failure:
        await make(compute, rolling(2, bodies.NEWER, **limit))
    assert failure.value.error is not None
    assert failure.value.error.code == "MaxUnhealthyInstancePercentExceededBeforeRollingUpgrade"
    assert not any(row.latest_model_applied for row in await rows(compute))


async def test_a_roll_is_cancelled_between_batches(arm: Arm, compute: ComputeManagementClient) -> None:
    slowly = {"maxBatchInstancePercent": 25}
    await make(compute, rolling(4, bodies.MARKET, **slowly))
    newer = rolling(4, bodies.NEWER, **slowly)
    poller = await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, newer)
    assert await progress(compute) == ("RollingForward", 0, 1, 3)
    rolls = compute.virtual_machine_scale_set_rolling_upgrades
    await (await rolls.begin_cancel(GROUP, NAME)).result()
    with pytest.raises(HttpResponseError, match="preempted"):
        await poller.result()
    assert (await latest(compute)).running_status.code == "Cancelled"
    assert [row.latest_model_applied for row in await rows(compute)].count(True) == 2
    with pytest.raises(HttpResponseError, match="no Rolling Upgrade in progress"):
        await rolls.begin_cancel(GROUP, NAME)


@pytest.mark.parametrize("method", ["begin_start_os_upgrade", "begin_start_extension_upgrade"])
async def test_a_roll_is_started_by_hand_in_manual_mode(compute: ComputeManagementClient, method: str) -> None:
    await make(compute, scale_set(3))
    await make(compute, scale_set(3, virtualMachineProfile=profile(bodies.NEWER)))
    await (await getattr(compute.virtual_machine_scale_set_rolling_upgrades, method)(GROUP, NAME)).result()
    assert all(row.latest_model_applied for row in await rows(compute))


async def test_a_second_roll_is_refused_while_one_goes_on(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(3))
    await make(compute, scale_set(3, virtualMachineProfile=profile(bodies.NEWER)))
    rolls = compute.virtual_machine_scale_set_rolling_upgrades
    await rolls.begin_start_os_upgrade(GROUP, NAME)
    with pytest.raises(HttpResponseError, match="in progress") as failure:
        await rolls.begin_start_os_upgrade(GROUP, NAME)
    assert failure.value.status_code == 409


async def test_a_change_of_size_goes_on_with_the_roll(compute: ComputeManagementClient) -> None:
    await make(compute, rolling(4, bodies.MARKET))
    sets = compute.virtual_machine_scale_sets
    await sets.begin_create_or_update(GROUP, NAME, rolling(4, bodies.NEWER))
    assert (await progress(compute))[0] == "RollingForward"
    await (await sets.begin_update(GROUP, NAME, {"sku": {"capacity": 5}})).result()
    assert [row.latest_model_applied for row in await rows(compute)] == [True] * 5
    assert (await progress(compute))[0] == "Completed"


async def test_a_newer_model_takes_over_the_roll(compute: ComputeManagementClient) -> None:
    await make(compute, rolling(4, bodies.MARKET))
    await compute.virtual_machine_scale_sets.begin_create_or_update(GROUP, NAME, rolling(4, bodies.NEWER))
    await progress(compute)
    await make(compute, rolling(4, {**bodies.NEWER, "version": "130.3.20240717"}))
    assert {row.storage_profile.image_reference.version for row in await rows(compute)} == {"130.3.20240717"}


async def test_protected_machines_are_not_rolled(arm: Arm, compute: ComputeManagementClient) -> None:
    await make(compute, rolling(2, bodies.MARKET))
    arm.machine(NAME, "1").protection = {"protectFromScaleSetActions": True}
    await make(compute, rolling(2, bodies.NEWER))
    assert [row.latest_model_applied for row in await rows(compute)] == [True, False]


async def test_without_a_roll_there_is_none_to_show(compute: ComputeManagementClient) -> None:
    await make(compute, scale_set(0))
    with pytest.raises(ResourceNotFoundError):
        await latest(compute)


@pytest.mark.parametrize(
    "policy",
    [
        {"maxBatchInstancePercent": 4},
        {"maxBatchInstancePercent": 60, "maxUnhealthyInstancePercent": 50},
        {"pauseTimeBetweenBatches": "soon"},
    ],
)
async def test_limits_that_make_no_sense_are_refused(compute: ComputeManagementClient, policy: dict[str, Any]) -> None:
    with pytest.raises(HttpResponseError) as failure:
        await make(compute, rolling(1, bodies.MARKET, **policy))
    assert failure.value.status_code == 400
