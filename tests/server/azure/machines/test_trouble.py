"""Azure refuses, loses answers and throttles; the process dies; and each machine is made once, and goes whole."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from capipool.api.core import MachineDeployment
from capipool.machinery import objects
from capipool.testing.azure import Faults
from tests.server.azure.machines import world as worlds
from tests.server.azure.machines.world import NAME, Region
from tests.server.clouds.world import NS

MAKING = (
    *("token", "skus/read", "virtualMachines/read", "virtualMachines/write"),
    *("networkInterfaces/read", "networkInterfaces/write", "locations/operations/read"),
)
"""Every kind of call on the way to a machine that runs."""
ENDING = (
    *("virtualMachines/read", "virtualMachines/delete", "networkInterfaces/delete", "disks/delete"),
    "locations/operations/read",
)
"""Every kind of call on the way to none."""

Strike = Callable[[Faults, str], None]
TROUBLES: dict[str, Strike] = {
    "refused": lambda faults, action: faults.refuse(action, "InternalServerError", "try again", status=500, times=2),
    "throttled": lambda faults, action: faults.throttle(action, retry_after=1),
    "answers lost": lambda faults, action: faults.lose_answer(action, times=2),
    "requests lost": lambda faults, action: faults.lose_request(action, times=2),
}


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


async def gone(region: Region) -> None:
    """Delete the deployment, and wait until nothing is left of it."""
    await region.world.client.delete(MachineDeployment, NAME, NS)

    async def so() -> bool:
        return not await region.azure_machines()

    await region.world.until(so, why=region.described)
    assert (region.virtual_machines(), region.arm.state.interfaces) == ({}, {})


@pytest.mark.parametrize("strike", TROUBLES.values(), ids=TROUBLES.keys())
async def test_machines_come_and_go_whatever_call_fails(region: Region, strike: Strike) -> None:
    seldom = strike is TROUBLES["throttled"]  # each one costs a second
    for action in MAKING:
        if not seldom or action.startswith("virtualMachines"):
            strike(region.arm.faults, action)
    await region.begin(checked=False)
    writes = [r for r in region.arm.log.of("virtualMachines/write") if r.status in (0, 201)]
    assert len({r.path for r in writes}) == 2
    region.arm.faults.clear()
    for action in ENDING:
        if not seldom or action == "virtualMachines/delete":
            strike(region.arm.faults, action)
    await gone(region)


@pytest.mark.parametrize(
    ("code", "message", "status", "reason"),
    [
        ("OperationNotAllowed", "exceeding approved Total Regional Cores quota", 409, "QuotaExceeded"),
        ("SkuNotAvailable", "not in this zone", 409, "InsufficientCapacity"),
        ("AuthorizationFailed", "may not", 403, "PermissionDenied"),
    ],
)
async def test_what_azure_refuses_is_shown_with_its_code(
    region: Region, code: str, message: str, status: int, reason: str
) -> None:
    region.arm.faults.refuse("virtualMachines/write", code, message, status=status, times=1000)
    await region.apply(checked=False)
    obj = await region.until(lambda m: any(code in c.message for c in m.status.conditions))
    assert {c.type: c.reason for c in obj.status.conditions}["VMRunning"] == reason
    assert obj.status.failure_reason == ""  # it may become well


async def test_a_spec_that_azure_will_never_take_is_a_failure(region: Region) -> None:
    await region.apply(checked=False, edits=(("vmSize: Standard_D2s_v3", "vmSize: Standard_Nothing"),))
    obj = await region.until(lambda m: m.status.failure_reason != "")
    assert obj.status.failure_reason == "CreateError"
    assert "spec.vmSize" in obj.status.failure_message
    assert "Standard_Nothing" in obj.status.failure_message


async def test_an_operation_that_fails_is_shown_with_its_code_and_the_machine_stays_for_a_look(region: Region) -> None:
    region.arm.faults.fail("virtualMachines/write", "AllocationFailed", "no room", times=1)
    await region.apply(checked=False)
    obj = await region.until(lambda m: m.status.failure_reason != "")
    assert "AllocationFailed" in obj.status.failure_message
    assert obj.status.vm_state == "Failed"
    await gone(region)


async def test_a_restart_goes_on_with_what_was_begun(region: Region) -> None:
    region.arm.faults.hold("virtualMachines/*")
    await region.apply(checked=False)
    begun = await region.until(lambda m: bool(m.status.long_running_operation_states))
    assert [s.type for s in begun.status.long_running_operation_states] == ["PUT"]

    async def both() -> bool:
        return len(region.virtual_machines()) == 2

    await region.world.until(both, why=region.described)
    await region.world.restart()
    region.arm.release()
    await region.running(2)
    assert len(region.arm.log.of("virtualMachines/write")) == 2
    region.arm.faults.hold("virtualMachines/*")
    await region.world.client.delete(MachineDeployment, NAME, NS)
    await region.until(lambda m: any(s.type == "DELETE" for s in m.status.long_running_operation_states))
    await region.world.restart()
    region.arm.release()

    async def so() -> bool:
        return not await region.azure_machines()

    await region.world.until(so, why=region.described)
    assert len(region.arm.log.of("virtualMachines/delete")) == 2


async def test_a_restart_at_any_moment_makes_each_machine_once(region: Region) -> None:
    await region.apply(checked=False)
    for action in ("networkInterfaces/write", "virtualMachines/write", "virtualMachines/read"):

        async def reached(action: str = action) -> bool:
            return bool(region.arm.log.of(action))

        await region.world.until(reached, why=region.described)
        await region.world.restart()
    await region.running(2)
    made = [r.path for r in region.arm.log.of("virtualMachines/write") if r.status == 201]
    assert len(made) == len(set(made)) == 2


async def test_a_machine_that_is_deleted_while_it_is_made_goes_whole(region: Region) -> None:
    region.arm.faults.hold("virtualMachines/write")
    await region.apply(checked=False)
    await region.until(lambda m: bool(m.status.long_running_operation_states))
    await gone(region)


async def test_nothing_is_written_at_rest(region: Region) -> None:
    await region.begin()
    await region.until(lambda m: not m.status.long_running_operation_states)
    before = {m.metadata.name: m.metadata.resource_version for m in await region.azure_machines()}
    region.arm.log.clear()

    async def looked() -> bool:
        return len(region.arm.log.of("virtualMachines/read")) >= 6

    await region.world.until(looked, why=region.described)
    assert region.arm.log.mutating == []
    assert {r.action for r in region.arm.log.all} <= {"virtualMachines/read", "token"}
    assert {m.metadata.name: m.metadata.resource_version for m in await region.azure_machines()} == before


async def test_no_secret_reaches_a_status(region: Region) -> None:
    await region.begin()
    for obj in await region.azure_machines():
        told = str(objects.to_raw(obj))
        assert "replace-me" not in told
        assert "token-of-" not in told
