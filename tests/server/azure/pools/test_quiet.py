"""At rest nothing is written to Azure; a token is a write and rolls nothing; a change by others is mended once."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from capipool.machinery.objects import Raw
from capipool.providers.azure.pools import inventory
from capipool.sdk import Group, Pool
from tests.server.azure.pools import lab as labs
from tests.server.azure.pools.lab import AzureLab

SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555"
CONTRIBUTOR = "b24988ac-6180-42a0-ab88-20f7382dd24c"
FULL: Raw = {
    "additionalTags": {"team": "a"},
    "identity": "SystemAssigned",
    "systemAssignedIdentityRole": {
        "name": "6f1f2c1a-0000-4000-8000-000000000001",
        "scope": f"{SUBSCRIPTION}/",
        "definitionID": f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{CONTRIBUTOR}",
    },
    "template": {
        "dataDisks": [{"nameSuffix": "data", "diskSizeGB": 10, "cachingType": "ReadOnly"}],
        "networkInterfaces": [{"privateIPConfigs": 2}, {"subnetName": "control"}],
        "securityProfile": {"securityType": "TrustedLaunch", "uefiSettings": {"secureBootEnabled": True}},
        "spotVMOptions": {"maxPrice": "0.05", "evictionPolicy": "Delete"},
        "terminateNotificationTimeout": 5,
        "diagnostics": {"boot": {"storageAccountType": "Disabled"}},
        "vmExtensions": [
            {"name": "E", "publisher": "P", "version": "1.0", "settings": {"a": "b"}, "protectedSettings": {"c": "d"}}
        ],
        "sshPublicKey": base64.b64encode(b"ssh-rsa AAAA").decode(),
    },
}


@pytest.fixture(params=["Uniform", "Flexible"])
async def lab(request: pytest.FixtureRequest) -> AsyncIterator[AzureLab]:
    async with labs.running(spec=FULL | {"orchestrationMode": request.param}) as made:
        yield made


async def again(lab: AzureLab, pool: Pool[Any], revision: str = "r1", token: str = "first") -> Group:
    """One reconcile's worth of calls."""
    seen = await lab.until(pool, lambda g: True)
    await lab.provider.ensure(pool, lab.launch(revision, token), replicas=3, seen=seen)
    return await lab.until(pool, lambda g: True)


def with_zones(pool: Pool[Any], *zones: str) -> Pool[Any]:
    spec = msgspec.structs.replace(pool.machine_pool.spec, failure_domains=zones)
    return Pool(pool.object, msgspec.structs.replace(pool.machine_pool, spec=spec), pool.cluster)


async def test_ten_reconciles_at_rest_change_nothing(lab: AzureLab) -> None:
    pool = with_zones(lab.pool(), "1", "2")
    await lab.created(pool)
    await again(lab, pool)
    await lab.read("conformance")
    pool = with_zones(lab.pool(), "1", "2")
    await again(lab, pool)
    lab.arm.log.clear()
    for _ in range(10):
        await again(lab, pool)
    assert [str(r) for r in lab.arm.log.mutating] == []


async def test_a_process_that_starts_anew_finds_nothing_to_do(lab: AzureLab) -> None:
    await lab.created(lab.pool())
    await again(lab, lab.pool())
    await lab.read("conformance")
    lab.provider = lab.fresh()
    lab.arm.log.clear()
    await again(lab, lab.pool())
    assert [str(r) for r in lab.arm.log.mutating] == []


async def test_letters_of_another_case_in_answers_are_no_difference(lab: AzureLab) -> None:
    await lab.created(lab.pool())
    await again(lab, lab.pool())
    lab.arm.faults.group_case = str.upper
    await lab.read("conformance")
    lab.provider = lab.fresh()
    lab.arm.log.clear()
    group = await again(lab, lab.pool())
    assert [str(r) for r in lab.arm.log.mutating] == []
    assert all("/resourceGroups/rg/" in i.provider_id for i in group.instances)


async def test_a_fresh_token_is_one_write_of_the_custom_data_and_rolls_nothing(lab: AzureLab) -> None:
    pool = lab.pool()
    await lab.created(pool)
    await again(lab, pool)
    lab.arm.log.clear()
    group = await again(lab, pool, token="second")
    assert [r.method for r in lab.arm.log.mutating] == ["PATCH"]
    assert {i.revision for i in group.instances} == {group.revision} == {"r1"}
    system = lab.arm.scale_set("conformance").profile["osProfile"]
    assert b"second" in base64.b64decode(system["customData"])
    await again(lab, pool, token="second")
    assert len(lab.arm.log.mutating) == 1


async def test_a_token_in_the_middle_of_a_rollout_loses_neither_old_nor_new(lab: AzureLab) -> None:
    pool = lab.pool()
    old = {i.id for i in (await lab.created(pool, replicas=2)).instances}
    group = await again(lab, pool, "r2")
    await lab.provider.set_desired(pool, 3, seen=group)
    await lab.until(pool, lambda g: len(g.instances) == 3)
    group = await again(lab, pool, "r2", token="second")
    assert {i.id for i in group.instances if i.revision == "r1"} == old
    assert group.revision == "r2"
    assert sum(i.revision == "r2" for i in group.instances) == 1


async def test_a_model_that_somebody_changed_by_hand_is_put_back_and_counts_as_no_new_revision(
    lab: AzureLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inventory, "RESTING", 0.0)  # else it takes until the minute is over
    pool = lab.pool()
    await lab.created(pool)
    await again(lab, pool)
    there = lab.arm.scale_set("conformance")
    there.properties["virtualMachineProfile"]["diagnosticsProfile"] = {"bootDiagnostics": {"enabled": True}}
    lab.arm.log.clear()
    group = await again(lab, pool)
    assert [r.method for r in lab.arm.log.mutating] == ["PUT"]
    assert there.properties["virtualMachineProfile"]["diagnosticsProfile"] == {"bootDiagnostics": {"enabled": False}}
    assert {i.revision for i in group.instances} == {"r1"}


async def test_what_azure_does_not_take_over_is_asked_for_once(lab: AzureLab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inventory, "RESTING", 0.0)
    pool = lab.pool()
    await lab.created(pool)
    await again(lab, pool)
    lab.arm.log.clear()
    for _ in range(4):
        lab.arm.scale_set("conformance").properties["virtualMachineProfile"]["securityProfile"]["securityType"] = (
            "Other"
        )
        await again(lab, pool)
    assert [r.method for r in lab.arm.log.mutating] == ["PUT"]


async def test_the_role_is_given_once_and_taken_back_at_the_end(lab: AzureLab) -> None:
    pool = lab.pool()
    await lab.created(pool)
    await again(lab, pool)
    pool = Pool(await lab.read("conformance"), pool.machine_pool, pool.cluster)
    await again(lab, pool)
    given = [r for r in lab.arm.log.mutating if "roleAssignments" in r.path]
    assert [r.method for r in given] == ["PUT"]
    await lab.provider.delete(pool.object)
    taken = [r for r in lab.arm.log.mutating if "roleAssignments" in r.path]
    assert [r.method for r in taken] == ["PUT", "DELETE"]


async def test_a_role_that_may_not_be_given_is_told_and_holds_nothing_else_up(lab: AzureLab) -> None:
    pool = lab.pool()
    lab.arm.faults.refuse("roleAssignments/write", "AuthorizationFailed", times=10)
    await lab.created(pool)
    group = await again(lab, pool)
    assert "AuthorizationFailed" in str(group.problem)
    await lab.provider.set_desired(pool, 4, seen=group)
    await lab.until(pool, lambda g: len(g.instances) == 4)
    await again(lab, pool)
    assert sum(r.method == "PUT" for r in lab.arm.log.of("roleAssignments/write")) == 1
    lab.arm.faults.clear()
    lab.clock.ahead += dt.timedelta(minutes=5)
    assert (await again(lab, pool)).problem is None


async def test_no_secret_is_in_any_tag_status_or_annotation(lab: AzureLab) -> None:
    pool = lab.pool()
    await lab.created(pool)
    await again(lab, pool, token="s3cr3t")
    shown = f"{await lab.read('conformance')}{lab.arm.scale_set('conformance').tags}"
    for secret in ("s3cr3t", base64.b64encode(b"#cloud-config\n# r1 s3cr3t\n").decode()):
        assert secret not in shown


async def test_pools_at_rest_share_one_list_of_scale_sets_and_each_asks_for_its_instances_alone(lab: AzureLab) -> None:
    """What a minute costs: one GET for the scale sets of a resource group, and one for the instances of each pool."""
    pools = [lab.pool(name) for name in labs.NAMES]
    for pool in pools:
        await lab.created(pool, replicas=1)
        await again(lab, pool)
    lab.arm.log.clear()
    lab.provider._inventory._rooms.clear()  # type: ignore[attr-defined]  # a minute is over
    for pool in pools:
        await again_once(lab, pool)
    assert len(lab.arm.log.of("virtualMachineScaleSets/read")) == 1
    assert len(lab.arm.log.all) == 1 + len(pools)


async def again_once(lab: AzureLab, pool: Pool[Any]) -> None:
    seen = await lab.provider.observe(pool)
    await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=seen)
