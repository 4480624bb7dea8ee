"""Rollouts by Azure itself, by nobody, and where somebody else owns the number; tokens for pools others grow."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from capipool.providers.azure.pools import inventory, rollouts
from capipool.sdk import DeletePolicy, Group, InvalidConfiguration, Pool, RolloutMode
from capipool.testing.conformance.lab import live
from tests.server.azure.pools import lab as labs
from tests.server.azure.pools import world as worlds
from tests.server.azure.pools.lab import AzureLab
from tests.server.azure.pools.world import POOL, Region

HEALTH = {"name": "ApplicationHealthLinux", "publisher": "Microsoft.ManagedServices", "version": "1.0"}


@pytest.fixture(params=["Uniform", "Flexible"])
async def lab(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AzureLab]:
    monkeypatch.setattr(inventory, "RESTING", 0.0)
    spec = {"orchestrationMode": request.param, "template": {"vmExtensions": [HEALTH]}}
    async with labs.running(spec=spec) as made:
        yield made


def annotated(pool: Pool[Any], mode: str) -> Pool[Any]:
    meta = pool.object.metadata
    annotations = {**meta.annotations, rollouts.ANNOTATION: mode}
    obj = msgspec.structs.replace(pool.object, metadata=msgspec.structs.replace(meta, annotations=annotations))
    return Pool(obj, pool.machine_pool, pool.cluster)


async def step(lab: AzureLab, pool: Pool[Any], revision: str, token: str = "first") -> Group:
    """One pass of a reconciler: also has the cloud roll where something is outdated."""
    seen = await lab.provider.observe(pool)
    if not seen.operation:
        await lab.provider.ensure(pool, lab.launch(revision, token), replicas=3, seen=seen)
        if any(i.revision not in ("", revision) for i in seen.instances):
            await lab.provider.roll(pool, lab.launch(revision, token), seen=seen)
    return await lab.provider.observe(pool)


async def rolled(lab: AzureLab, pool: Pool[Any], revision: str) -> Group:
    for _ in range(60):
        group = await step(lab, pool, revision)
        if {i.revision for i in group.instances} == {revision} and not group.operation and not group.rollout:
            return group
        await lab.pause()
    raise AssertionError(f"not rolled: {group}")


async def test_azure_rolls_by_itself_and_a_token_afterwards_rolls_nothing(lab: AzureLab) -> None:
    pool = annotated(lab.pool(), "Native")
    await lab.created(pool)
    await step(lab, pool, "r1")
    lab.arm.timing.upgrade = dt.timedelta(seconds=0.1)
    texts = set()
    for _ in range(5):
        texts.add((await step(lab, pool, "r2")).rollout)
    assert any(text.startswith("rolling upgrade RollingForward") for text in texts)
    group = await rolled(lab, pool, "r2")
    assert len(live(group)) == 3
    await step(lab, pool, "r2")
    await step(lab, pool, "r2")
    assert lab.arm.scale_set("conformance").upgrade_mode == "Manual"
    upgrade, names = lab.arm.scale_set("conformance").upgrade, set(live(group))
    for _ in range(3):
        group = await step(lab, pool, "r2", token="second")
    assert {i.revision for i in group.instances} == {"r2"}
    assert set(live(group)) == names
    assert lab.arm.scale_set("conformance").upgrade is upgrade
    assert b"second" in base64.b64decode(lab.arm.scale_set("conformance").profile["osProfile"]["customData"])


async def test_a_newer_revision_supersedes_a_roll_that_is_under_way(lab: AzureLab) -> None:
    pool = annotated(lab.pool(), "Native")
    await lab.created(pool)
    await step(lab, pool, "r1")
    lab.arm.timing.upgrade = dt.timedelta(seconds=0.2)
    for _ in range(3):
        await step(lab, pool, "r2")
    first = lab.arm.scale_set("conformance").upgrade
    assert first is not None
    group = await rolled(lab, pool, "r3")
    assert lab.arm.scale_set("conformance").upgrade is not first
    assert group.revision == "r3"


async def test_on_delete_nothing_is_replaced_and_new_instances_are_new(lab: AzureLab) -> None:
    pool = annotated(lab.pool(), "OnDelete")
    assert lab.provider.strategy(pool).mode is RolloutMode.ON_DELETE
    before = await lab.created(pool, replicas=2)
    await lab.provider.ensure(pool, lab.launch("r2"), replicas=2, seen=before)
    group = await lab.until(pool, lambda g: g.revision == "r2")
    assert set(live(group)) == set(live(before))


async def test_a_pool_that_says_nothing_of_its_health_is_not_rolled_by_azure() -> None:
    async with labs.running() as lab:
        with pytest.raises(InvalidConfiguration, match="ApplicationHealthLinux"):
            lab.provider.strategy(annotated(lab.pool(), "Native"))


async def test_upstreams_strategy_is_the_engines(lab: AzureLab) -> None:
    found = lab.provider.strategy(lab.pool())
    assert (found.max_surge, found.max_unavailable, found.delete_policy) == (1, 0, DeletePolicy.OLDEST)
    assert found.drain_on_delete


async def test_tokens_are_fresh_in_pools_that_others_grow(lab: AzureLab) -> None:
    """The copy is renewed when the token is, not only when we launch: who raises the capacity gets the fresh one."""
    pool = lab.pool()
    before = await lab.created(pool, replicas=1)
    await lab.provider.ensure(pool, lab.launch(token="second"), replicas=1, seen=before)
    await lab.until(pool, lambda g: True)
    scale_set = lab.arm.scale_set("conformance")
    about = (scale_set.group, scale_set.name, {"sku": {"name": scale_set.sku["name"], "capacity": 2}})
    caller = lab.provider._finding.place(pool).caller  # type: ignore[attr-defined]
    await lab.calls.begin(caller, "virtual_machine_scale_sets.begin_update", *about)
    group = await lab.until(pool, lambda g: len(live(g)) == 2)
    newest = max(lab.arm.scale_set("conformance").live, key=lambda m: m.created)
    assert b"second" in base64.b64decode(newest.custom_data)
    assert {i.revision for i in group.instances} == {"r1"}


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


async def test_where_somebody_else_scales_the_spec_follows_and_a_rollout_still_works(region: Region) -> None:
    external = (
        (
            "  name: demo-mp-0\n  namespace: default\nspec:\n  clusterName",
            "  name: demo-mp-0\n  namespace: default\n"
            "  annotations:\n    cluster.x-k8s.io/replicas-managed-by: somebody\nspec:\n  clusterName",
        ),
    )
    await region.begin(edits=external)
    about = (worlds.GROUP, POOL, {"sku": {"name": "Standard_D2s_v3", "capacity": 4}})
    caller = labs.Caller(worlds.SUBSCRIPTION)
    await region.calls.begin(caller, "virtual_machine_scale_sets.begin_update", *about)
    await region.world.running_pool(POOL, 4)

    async def follows() -> bool:
        return (await region.world.pool(POOL)).spec.replicas == 4

    await region.world.until(follows)
    before = region.names()
    await region.patch({"template": {"osDisk": {"diskSizeGB": 50}}})
    await region.until(lambda _: not before & region.names() and region.scale_set().capacity == 4, seconds=60)
    await region.world.running_pool(POOL, 4)
