"""At rest nothing is written to AWS, a fresh token rolls nothing, and a refresh is started once and superseded."""

from __future__ import annotations

import dataclasses
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from capipool.machinery.objects import Raw
from capipool.providers.aws.api.machinepool import LifecycleHook, RefreshPreferences, SuspendProcesses
from capipool.providers.aws.api.shared import InstanceMetadataOptions, ResourceReference
from capipool.sdk import Group, InvalidConfiguration, Pool
from tests.server.aws.lab import AWSLab, laboratory

READS = ("describe_", "get_")


@pytest.fixture
async def lab() -> AsyncIterator[AWSLab]:
    async with laboratory() as made:
        yield made


def counted(lab: AWSLab) -> list[str]:
    """The calls that change something, from now on."""
    calls: Any = lab.calls
    inner, written = calls.call, list[str]()

    async def call(region: str, service: str, operation: str, **parameters: Any) -> Raw:
        if not operation.startswith(READS):
            written.append(operation)
        answer: Raw = await inner(region, service, operation, **parameters)
        return answer

    calls.call = call
    return written


def full(pool: Pool[Any]) -> Pool[Any]:
    """The pool with options that the group must show."""
    spec = msgspec.structs.replace(
        pool.object.spec,
        capacity_rebalance=True,
        default_cool_down="2m",
        additional_tags={"team": "a"},
        aws_launch_template=msgspec.structs.replace(
            pool.object.spec.aws_launch_template,
            instance_metadata_options=InstanceMetadataOptions(http_tokens="required"),
        ),
        suspend_processes=SuspendProcesses(all=True),
        provider_id="",
    )
    return Pool(msgspec.structs.replace(pool.object, spec=spec), pool.machine_pool, pool.cluster)


async def again(lab: AWSLab, pool: Pool[Any], revision: str = "r1", token: str = "first") -> Group:
    seen = await lab.provider.observe(pool)
    await lab.provider.ensure(pool, lab.launch(revision, token), replicas=3, seen=seen)
    return await lab.provider.observe(pool)


async def test_ten_reconciles_at_rest_change_nothing(lab: AWSLab) -> None:
    pool = full(lab.pool())
    await lab.created(pool)
    await again(lab, pool)
    written = counted(lab)
    for _ in range(10):
        await again(lab, pool)
    assert written == []


async def test_a_fresh_token_is_a_new_version_and_rolls_nothing(lab: AWSLab) -> None:
    pool = full(lab.pool())
    await lab.created(pool)
    await again(lab, pool)
    written = counted(lab)
    group = await again(lab, pool, token="second")
    assert written == ["create_launch_template_version", "update_auto_scaling_group"]
    assert {i.revision for i in group.instances} == {group.revision} == {"r1"}


async def test_a_refresh_is_started_once_and_superseded_by_a_newer_revision(lab: AWSLab) -> None:
    plain = lab.pool()
    spec = msgspec.structs.replace(plain.object.spec, refresh_preferences=RefreshPreferences())
    pool = Pool(msgspec.structs.replace(plain.object, spec=spec), plain.machine_pool, plain.cluster)
    await lab.created(pool)
    lab.cloud.scaling.refreshes_stand = True
    written = counted(lab)
    rolls: Any = lab.provider

    async def roll(revision: str) -> None:
        group = await again(lab, pool, revision)
        await rolls.roll(pool, lab.launch(revision), seen=group)

    for _ in range(3):
        await roll("r2")
    assert written.count("start_instance_refresh") == 1
    await roll("r3")
    assert written[-1] == "cancel_instance_refresh"
    await roll("r3")
    assert written[-1] == "start_instance_refresh"
    assert (await lab.provider.observe(pool)).rollout.startswith("instance refresh InProgress")


async def test_what_the_spec_names_and_is_not_there_is_told_by_its_field_and_no_change_of_the_group(
    lab: AWSLab,
) -> None:
    pool = lab.pool()
    await lab.created(pool)
    elsewhere = msgspec.structs.replace(pool.object.spec, subnets=(ResourceReference(id="subnet-0123456789abcdef0"),))
    wrong = dataclasses.replace(pool, object=msgspec.structs.replace(pool.object, spec=elsewhere))
    with pytest.raises(
        InvalidConfiguration, match=r"^spec\.subnets: The subnet ID 'subnet-0123456789abcdef0' does not exist"
    ):
        await again(lab, wrong)
    fresh = lab.pool("first")
    with pytest.raises(InvalidConfiguration, match=r"^spec\.subnets: "):
        await lab.created(dataclasses.replace(wrong, object=msgspec.structs.replace(fresh.object, spec=elsewhere)))


async def test_one_that_is_not_in_service_keeps_no_other_from_being_protected(lab: AWSLab) -> None:
    pool = lab.pool()
    await lab.created(pool)
    group = await again(lab, pool)
    ids = [i.id for i in group.instances]
    state = lab.cloud.scaling.autoscaling_groups["conformance"].instance_states[0]
    state.lifecycle_state = "Pending:Wait"
    provider: Any = lab.provider
    await provider.protect(pool, ids, protected=True)
    assert lab.protected() == set(ids) - {state.instance.id}
    await provider.protect(pool, ids, protected=False)
    assert lab.protected() == set()


async def test_a_group_has_its_hooks_from_its_first_instance_on(lab: AWSLab) -> None:
    pool = lab.pool()
    hook = LifecycleHook(name="mine", lifecycle_transition="autoscaling:EC2_INSTANCE_LAUNCHING", heartbeat_timeout="5m")
    spec = msgspec.structs.replace(pool.object.spec, lifecycle_hooks=(hook,))
    pool = dataclasses.replace(pool, object=msgspec.structs.replace(pool.object, spec=spec))
    written = counted(lab)
    await lab.created(pool)
    await again(lab, pool)
    found = lab.cloud.groups.describe_lifecycle_hooks(AutoScalingGroupName="conformance")["LifecycleHooks"]
    assert [(h["LifecycleHookName"], h["HeartbeatTimeout"]) for h in found] == [("mine", 300)]
    assert "put_lifecycle_hook" not in written
