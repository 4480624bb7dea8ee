"""What is remembered of a scale set is not judged against what is newer, and of what is gone nothing is."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from capipool.machinery.objects import Raw
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.calls import Caller
from capipool.providers.azure.pools.finding import PLACE
from capipool.providers.azure.pools.provider import AzurePoolProvider
from capipool.sdk import InstanceGroupNotFound, Pool
from capipool.testing.conformance.lab import live
from tests.server.azure.pools import lab as labs
from tests.server.azure.pools.lab import AzureLab

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
OURS = ("capipool.providers.azure.pools", "tests.server.azure", "builtins")
ROLE = "6f1f2c1a-0000-4000-8000-000000000001"
READER = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42"


@pytest.fixture
async def lab() -> AsyncIterator[AzureLab]:
    spec: Raw = {"identity": "SystemAssigned", "systemAssignedIdentityRole": {"name": ROLE}}
    async with labs.running(spec=spec | {"additionalTags": {"team": "a", "old": "b"}}) as made:
        yield made


async def again(lab: AzureLab, pool: Pool[Any], revision: str = "r1") -> None:
    """One reconcile's worth of calls."""
    seen = await lab.until(pool, lambda g: True)
    await lab.provider.ensure(pool, lab.launch(revision), replicas=3, seen=seen)
    await lab.until(pool, lambda g: True)


async def edited(lab: AzureLab, pool: Pool[Any], **spec: Any) -> Pool[Any]:
    """The pool as a person left it, with a new generation."""
    obj = await lab.read("conformance")
    patch: Raw = {"spec": spec}
    obj = await lab.client.patch(AzureMachinePool, obj.metadata.name, obj.metadata.namespace, patch=patch)
    return Pool(obj, pool.machine_pool, pool.cluster)


async def at_rest(lab: AzureLab) -> Pool[Any]:
    pool = lab.pool()
    await lab.created(pool)
    await again(lab, pool)
    pool = Pool(await lab.read("conformance"), pool.machine_pool, pool.cluster)
    await again(lab, pool)
    return pool


@pytest.mark.parametrize("capacity", [2, 5])
async def test_a_capacity_that_somebody_else_set_is_seen_with_the_instances_that_it_brought(
    lab: AzureLab, capacity: int
) -> None:
    pool = await at_rest(lab)
    caller, body = Caller(lab.arm.subscription), {"sku": {"name": "Standard_D2s_v3", "capacity": capacity}}
    await lab.calls.begin(caller, "virtual_machine_scale_sets.begin_update", "rg", "conformance", body)
    lab.arm.advance()
    group = await lab.provider.observe(pool)
    assert (group.desired, len(live(group))) == (capacity, capacity)


async def test_a_tag_that_is_taken_out_together_with_a_change_of_the_model_goes(lab: AzureLab) -> None:
    pool = await at_rest(lab)
    pool = await edited(lab, pool, additionalTags={"old": None, "new": "c"})
    for _ in range(3):
        await again(lab, pool, "r2")
        pool = Pool(await lab.read("conformance"), pool.machine_pool, pool.cluster)
    tags = lab.arm.scale_set("conformance").tags
    assert (tags.get("team"), tags.get("new"), tags.get("old")) == ("a", "c", None)


async def test_another_role_of_the_same_assignment_is_given_instead(lab: AzureLab) -> None:
    pool = await at_rest(lab)
    role = {"name": ROLE, "scope": f"/subscriptions/{SUBSCRIPTION}/", "definitionID": READER}
    pool = await edited(lab, pool, systemAssignedIdentityRole=role)
    await again(lab, pool)
    assert [r.role.rpartition("/")[2] for r in lab.arm.state.roles.values()] == [READER.rpartition("/")[2]]


async def test_a_pool_that_was_never_made_is_made_where_its_cluster_is_now(lab: AzureLab) -> None:
    pool = lab.pool()
    place = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/typo/providers/Microsoft.Compute/virtualMachineScaleSets/x"
    meta = msgspec.structs.replace(pool.object.metadata, annotations={PLACE: place})
    pool = Pool(msgspec.structs.replace(pool.object, metadata=meta), pool.machine_pool, pool.cluster)
    with pytest.raises(InstanceGroupNotFound):
        await lab.provider.observe(pool)
    await lab.provider.ensure(pool, lab.launch(), replicas=1, seen=None)
    assert lab.arm.scale_set("conformance").capacity == 1
    assert "/resourceGroups/rg/" in (await lab.read("conformance")).metadata.annotations[PLACE]


async def test_of_a_pool_that_is_gone_nothing_is_remembered(lab: AzureLab) -> None:
    pool = await at_rest(lab)
    obj = await lab.read("conformance")
    for _ in range(20):
        try:
            await lab.provider.delete(obj)
        except InstanceGroupNotFound:
            break
        lab.arm.advance()
    assert isinstance(lab.provider, AzurePoolProvider)
    assert {pool.key, obj.metadata.uid, "conformance"} <= remembered(lab.provider)
    lab.provider.gone(obj)
    assert pool.key not in remembered(lab.provider)
    assert obj.metadata.uid not in remembered(lab.provider)
    assert "conformance" not in remembered(lab.provider)


def remembered(it: Any, seen: set[int] | None = None) -> set[Any]:
    """The keys of all tables below an object."""
    seen = set() if seen is None else seen
    if id(it) in seen or not type(it).__module__.startswith(OURS):
        return set()
    seen.add(id(it))
    if isinstance(it, dict):
        flat = {part for key in it for part in (key if type(key) is tuple else (key,))}
        return flat.union(*(remembered(value, seen) for value in it.values()))
    if isinstance(it, set | frozenset):
        return set(it)
    inner = [getattr(it, name, None) for name in (*getattr(it, "__dict__", ()), *getattr(type(it), "__slots__", ()))]
    return set().union(*(remembered(value, seen) for value in inner))
