"""Whatever fails or dies at whichever call: a machine has one instance in its life, and none when it is gone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from capipool.api.core import Machine
from capipool.machinery import errors
from capipool.providers.aws import tags
from capipool.providers.aws.machines import marks
from capipool.sdk.errors import CloudUnavailable, InsufficientCapacity, PermissionDenied, QuotaExceeded, Throttled
from tests.server.aws.machines.bed import NAME, NS, Bed, in_a_bed
from tests.server.aws.machines.gaps import forget_terminated
from tests.server.aws.machines.watching import READS

LAUNCH = ("describe_images", "describe_instance_types", "describe_security_groups", "describe_subnets", "run_instances")
KEEP = ("describe_instances", "create_tags", "delete_tags", "modify_network_interface_attribute")
END = ("terminate_instances",)
CALLS = (*LAUNCH, *KEEP, *END)
FAILURES: dict[str, tuple[Callable[[], Exception], tuple[str, ...], tuple[bool, ...]]] = {
    "throttled": (lambda: Throttled("it"), CALLS, (False,)),
    "denied": (lambda: PermissionDenied("do it"), CALLS, (False,)),
    "timeout": (lambda: CloudUnavailable("it", detail="ReadTimeoutError"), CALLS, (False, True)),
    "capacity": (lambda: InsufficientCapacity(wanted=1), ("run_instances",), (False,)),
    "quota": (lambda: QuotaExceeded("VcpuLimitExceeded"), ("run_instances",), (False,)),
    "api": (lambda: errors.ServiceUnavailable("away"), ("write",), (False, True)),
}
"""What is raised, at which calls, and whether before or after they are done."""


class Once:
    """Strikes at the nth call of an operation, once. What it does there is its own affair."""

    def __init__(self, operation: str, *, after: bool, nth: int = 1) -> None:
        self.at = (operation, after)
        self._left = nth
        self.struck = asyncio.Event()

    async def __call__(self, operation: str, done: bool) -> None:
        if (operation, done) != self.at or self.struck.is_set():
            return
        self._left -= 1
        if self._left == 0:
            self.struck.set()
            await self.strike()

    async def strike(self) -> None:
        """Die here: never come back."""
        await asyncio.Event().wait()


class Raising(Once):
    """Raises."""

    def __init__(self, operation: str, error: Exception, *, after: bool, nth: int = 1) -> None:
        super().__init__(operation, after=after, nth=nth)
        self._error = error

    async def strike(self) -> None:
        raise self._error


async def live(bed: Bed, fault: Once, *, dies: bool) -> None:
    """A machine's whole life with one fault in it."""
    forget_terminated()
    assert bed.states() == []
    bed.calls.fault = fault
    reaper = asyncio.create_task(_restart(bed, fault)) if dies else None
    await bed.machine(
        ami={},
        additionalTags={"old": "1"},
        subnet={"filters": [{"name": "subnet-id", "values": [bed.facts["subnet"]]}]},
        additionalSecurityGroups=[{"filters": [{"name": "group-id", "values": [bed.facts["group"]]}]}],
    )
    await bed.ready()
    other = bed.facts["other"] = bed.facts.get("other") or bed.group("other")
    patch = {"additionalTags": {"old": None, "new": "1"}, "additionalSecurityGroups": [{"id": other}]}
    await bed.patch({"spec": patch})
    await bed.until(lambda: _is_right(bed, other), step=20)
    assert bed.states() == ["running"]
    await bed.delete()
    assert bed.states() == ["terminated"]
    assert fault.struck.is_set(), f"nothing made the call {fault.at}"
    if reaper is not None:
        await reaper
    await bed.client.delete(Machine, NAME, NS)
    await asyncio.sleep(700)  # what was looked up is forgotten


async def _restart(bed: Bed, fault: Once) -> None:
    await fault.struck.wait()
    await asyncio.sleep(1)
    await bed.restart()


async def _is_right(bed: Bed, other: str) -> bool:
    if marks.applied_groups(await bed.obj()) != {bed.facts["group"], other}:
        return False
    (instance,) = bed.instances()
    groups = {g["GroupId"] for g in instance["NetworkInterfaces"][0]["Groups"]}
    found = tags.from_aws(instance["Tags"])
    return "new" in found and "old" not in found and groups == {bed.facts["group"], other}


@pytest.mark.parametrize("kind", FAILURES)
def test_a_failure_at_any_call_makes_no_second_instance_and_leaves_none(kind: str) -> None:
    make, operations, moments = FAILURES[kind]

    async def test(bed: Bed) -> None:
        for operation in operations:
            for after in moments:
                if after and operation.startswith(READS):
                    continue  # no other than before
                for nth in range(1, 6 if operation == "write" else 2):
                    await live(bed, Raising(operation, make(), after=after, nth=nth), dies=False)

    in_a_bed(test)()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_call_makes_no_second_instance_and_leaves_none(after: bool) -> None:
    async def test(bed: Bed) -> None:
        for operation in ("run_instances", "describe_instances", "create_tags", "terminate_instances"):
            await live(bed, Once(operation, after=after), dies=True)

    in_a_bed(test)()


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
def test_death_at_any_write_makes_no_second_instance_and_leaves_none(after: bool) -> None:
    async def test(bed: Bed) -> None:
        for nth in range(1, 7):
            await live(bed, Once("write", after=after, nth=nth), dies=True)

    in_a_bed(test)()
