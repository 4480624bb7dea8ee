"""Operations are begun once, survive the process, fail with Azure's code, and hold nothing up that need not wait."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections.abc import AsyncIterator

import pytest

from capipool.providers.azure.calls import Caller
from capipool.providers.azure.operations import Operation
from capipool.sdk import (
    CloudUnavailable,
    GroupChanged,
    InstanceGroupNotFound,
    InstanceState,
    InsufficientCapacity,
    QuotaExceeded,
    Throttled,
)
from capipool.testing.azure import ScaleSet
from capipool.testing.conformance.lab import live
from tests.server.azure.pools import lab as labs
from tests.server.azure.pools.lab import AzureLab

WRITE = "virtualMachineScaleSets/write"


@pytest.fixture
async def lab() -> AsyncIterator[AzureLab]:
    async with labs.running() as made:
        yield made


async def test_a_process_that_starts_anew_asks_on_and_makes_nothing_twice(lab: AzureLab) -> None:
    pool = lab.pool()
    lab.arm.faults.hold(WRITE)
    await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=None)
    kept = (await lab.read("conformance")).status.long_running_operation_states
    assert [(o.type, o.service_name, o.name, o.resource_group) for o in kept] == [
        ("PUT", "scalesets", "conformance", "rg")
    ]
    decoded = Operation.decode(kept[0])
    assert decoded is not None
    assert "/operations/" in decoded.path
    lab.provider, pool = lab.fresh(), lab.pool()
    group = await lab.provider.observe(pool)
    assert group.operation == "an update"
    lab.arm.release()
    group = await lab.until(pool, lambda g: len(live(g)) == 2)
    assert lab.provider.status(pool, _report(group))["longRunningOperationStates"] is None
    assert len(lab.arm.log.of(WRITE)) == 1


async def test_without_the_answer_the_scale_set_itself_tells_that_it_is_busy(lab: AzureLab) -> None:
    pool = lab.pool()
    lab.arm.faults.hold(WRITE)
    lab.arm.faults.lose_answer(WRITE)
    with pytest.raises((CloudUnavailable, GroupChanged)):
        await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=None)
    group = await lab.provider.observe(pool)
    assert (group.operation, group.desired) == ("creation", 2)
    lab.arm.release()
    await lab.until(pool, lambda g: len(live(g)) == 2)
    assert len(lab.arm.state.scale_sets) == 1


async def test_azure_is_not_asked_for_an_operation_sooner_than_it_wants(lab: AzureLab) -> None:
    lab.arm.timing.retry_after = 60
    pool = lab.pool()
    lab.arm.faults.hold(WRITE)
    await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=None)
    for _ in range(5):
        await lab.provider.observe(pool)
    asked = [r for r in lab.arm.log.all if "/operations/" in r.path]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AllocationFailed", InsufficientCapacity),
        ("OverconstrainedZonalAllocationRequest", InsufficientCapacity),
        ("OperationNotAllowed", QuotaExceeded),
    ],
)
async def test_a_failure_carries_azures_code_and_is_not_repeated_at_full_speed(
    lab: AzureLab, code: str, error: type[Exception]
) -> None:
    pool = lab.pool()
    before = await lab.created(pool, replicas=1)
    lab.arm.faults.fail(WRITE, code, leaves_failed=False)
    await lab.provider.set_desired(pool, 3, seen=before)
    group = await lab.until(pool, lambda g: g.problem is not None)
    assert isinstance(group.problem, error)
    assert code in str(group.problem)
    count = len(lab.arm.log.of(WRITE))
    for _ in range(3):
        with pytest.raises(error, match=code):
            await lab.provider.set_desired(pool, 3, seen=group)
    assert len(lab.arm.log.of(WRITE)) == count
    assert group.problem.delay is not None
    assert group.problem.delay > dt.timedelta(seconds=20)


async def test_fewer_instances_may_be_had_while_more_are_refused(lab: AzureLab) -> None:
    pool = lab.pool()
    before = await lab.created(pool, replicas=2)
    lab.arm.faults.fail(WRITE, "AllocationFailed", leaves_failed=False)
    await lab.provider.set_desired(pool, 3, seen=before)
    group = await lab.until(pool, lambda g: g.problem is not None)
    await lab.provider.terminate(pool, live(group)[:1], decrement=True)
    await lab.until(pool, lambda g: g.desired == 1)


async def test_a_pool_is_deleted_while_it_is_being_made(lab: AzureLab) -> None:
    pool = lab.pool()
    lab.arm.faults.hold(WRITE)
    await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=None)
    await _deleted(lab, pool)
    assert not lab.arm.state.scale_sets


async def test_a_deletion_that_failed_is_tried_again_but_not_at_once(lab: AzureLab) -> None:
    pool = lab.pool()
    await lab.created(pool, replicas=1)
    lab.arm.faults.fail("virtualMachineScaleSets/delete", "InternalServerError")
    await lab.provider.delete(pool.object)
    with pytest.raises(Exception, match="InternalServerError"):
        await lab.provider.delete(pool.object)
    assert len(lab.arm.log.of("virtualMachineScaleSets/delete")) == 1
    lab.provider = lab.fresh()
    await _deleted(lab, pool)


async def test_a_scale_set_that_somebody_changed_meanwhile_is_looked_at_again(lab: AzureLab) -> None:
    pool = lab.pool()
    before = await lab.created(pool, replicas=1)
    lab.arm.scale_set("conformance").generation += 1
    with pytest.raises(GroupChanged):
        await lab.provider.ensure(pool, lab.launch("r2"), replicas=1, seen=before)
    assert (await lab.provider.observe(pool)).revision == "r1"


async def test_a_throttled_caller_is_closed_for_as_long_as_azure_says(lab: AzureLab) -> None:
    pool = lab.pool()
    await lab.created(pool, replicas=1)
    lab.arm.faults.throttle(retry_after=30)
    for _ in range(3):
        with pytest.raises(Throttled) as caught:
            await lab.provider.observe(pool)
        assert caught.value.delay is not None
        assert dt.timedelta(seconds=28) < caught.value.delay <= dt.timedelta(seconds=30)
    assert sum(r.status == 429 for r in lab.arm.log.all) == 1


async def test_more_calls_than_the_limit_are_put_off_instead_of_waited_for(lab: AzureLab) -> None:
    calls = labs.calls(lab.arm)
    calls._rate, calls._burst = 2.0, 4
    caller = Caller(lab.arm.subscription)
    results = await asyncio.gather(
        *(calls.pages(caller, "virtual_machine_scale_sets.list", "rg") for _ in range(20)), return_exceptions=True
    )
    await calls.close()
    assert sum(isinstance(r, Throttled) for r in results) >= 10
    assert sum(isinstance(r, list) for r in results) >= 4


async def test_what_is_to_be_replaced_is_noted_before_anything_is_deleted(lab: AzureLab) -> None:
    """A process that dies between the deletion and the putting back of the capacity loses no instance."""
    pool = lab.pool()
    victim, *_ = live(await lab.created(pool, replicas=3))
    lab.arm.faults.lose_answer("virtualMachineScaleSets/delete/action")
    with pytest.raises(Exception, match="did not carry out"):
        await lab.provider.terminate(pool, [victim], decrement=False)
    await lab.read("conformance")
    lab.provider, pool = lab.fresh(), lab.pool()
    group = await lab.provider.observe(pool)
    assert group.desired == 3
    await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=group)
    group = await lab.until(pool, lambda g: len(live(g)) == 3)
    assert victim not in live(group)
    await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=group)
    assert lab.provider._pending.of(pool.object) == ()  # type: ignore[attr-defined]


async def test_what_azure_did_not_launch_is_asked_for_again_once_a_minute(
    lab: AzureLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = lab.pool()
    await lab.created(pool, replicas=2)
    group = await lab.until(pool, lambda g: all(i.state is InstanceState.RUNNING for i in g.instances))
    await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=group)
    monkeypatch.setattr(ScaleSet, "capacity", property(lambda _: 3))
    lab.arm.log.clear()
    for _ in range(4):
        group = await lab.until(pool, lambda g: True)
        await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=group)
        lab.provider._inventory._rest.clear()  # type: ignore[attr-defined]
    assert [r.method for r in lab.arm.log.mutating] == ["PATCH"]
    lab.clock.ahead += dt.timedelta(minutes=2)
    await lab.provider.ensure(pool, lab.launch(), replicas=2, seen=await lab.until(pool, lambda g: True))
    assert [r.method for r in lab.arm.log.mutating] == ["PATCH", "PATCH"]


async def test_a_windows_pool_has_a_password_that_is_made_once_and_that_nobody_knows() -> None:
    async with labs.running(spec={"template": {"osDisk": {"osType": "Windows"}}}) as lab:
        pool = lab.pool()
        before = await lab.created(pool, replicas=1)
        system = lab.arm.scale_set("win-mance").profile["osProfile"]
        password = system["adminPassword"]
        assert len(password) > 20
        assert system["computerNamePrefix"] == "win-mance"
        await lab.provider.ensure(pool, lab.launch("r2"), replicas=1, seen=before)
        await lab.until(pool, lambda g: g.revision == "r2")
        assert lab.arm.scale_set("win-mance").profile["osProfile"]["adminPassword"] == password
        assert password not in str(await lab.read("conformance"))


async def test_an_identity_that_changes_gets_another_client_and_older_ones_are_closed(
    lab: AzureLab,
) -> None:
    calls = labs.calls(lab.arm)
    versions = [Caller(lab.arm.subscription, identity=f"default/who@{number}") for number in range(3)]
    for caller in versions:
        await calls.pages(caller, "virtual_machine_scale_sets.list", "rg")
    assert list(calls._clients) == versions[2:]
    assert list(calls._open) == versions[1:]
    await calls.close()
    assert not calls._open


async def _deleted(lab: AzureLab, pool: object) -> None:
    for _ in range(50):
        try:
            await lab.provider.delete(pool.object)  # type: ignore[attr-defined]
        except InstanceGroupNotFound:
            return
        await lab.pause()
    raise AssertionError("the scale set is still there")


def _report(group: object) -> object:
    from capipool.sdk import Report

    return Report(now=dt.datetime(2026, 1, 1, tzinfo=dt.UTC), generation=1, group=group)  # type: ignore[arg-type]
