"""Pools as users have them, with every controller running: drains, owners of replicas, zero, deletion, scopes."""

from __future__ import annotations

import asyncio
import datetime as dt
from pathlib import Path

import pytest

from capipool.api.builtin import Node, Pod
from capipool.api.core import Cluster, MachinePool
from capipool.app import gates
from capipool.app.embedded import Embedded
from capipool.app.settings import Settings
from capipool.machinery import codec, errors, objects
from capipool.machinery.objects import Raw
from capipool.providers.dev.api.cloud import DevScalingGroup
from capipool.providers.dev.api.machinepool import DevMachinePool
from capipool.testing import virtual
from capipool.testing.embedded import embedded
from tests.server.machinepool.whole import BUDGETS, NS, POOL, QUICKSTART, Whole, condition, in_a_whole

WATCH_LABEL = "cluster.x-k8s.io/watch-filter"
MANAGED_BY = "cluster.x-k8s.io/replicas-managed-by"


@in_a_whole
async def test_scale_in_waits_for_a_budget_names_pod_and_budget_and_goes_on_when_it_allows(whole: Whole) -> None:
    await whole.begin(replicas=2)
    await whole.run_pods("web")
    await whole.protect("web", minAvailable=2)
    await whole.client.update_scale(MachinePool, POOL, NS, replicas=1)
    await whole.until_told("ScalingDown", "PodDisruptionBudget web")
    await asyncio.sleep(3600)
    pool = await whole.pool()
    status, reason, message = condition(pool, "ScalingDown")
    assert (status, reason, pool.status.phase) == ("True", "ScalingDown", "ScalingDown")
    assert "Scaling down from 2 to 1 replicas waits for:" in message
    assert "default/web-" in message
    assert "PodDisruptionBudget web does not allow its eviction now (needs 2 healthy Pods and has 2)" in message
    assert len(await whole.workload.list(Node)) == 2
    assert "PodDisruptionBudget web does not allow" in await whole.described()
    await whole.workload.delete(BUDGETS, "web", NS)
    await whole.at_rest(1)
    assert len(await whole.workload.list(Pod, NS)) == 1
    assert condition(await whole.pool(), "ScalingDown")[:2] == ("False", "NotScalingDown")


@in_a_whole
async def test_the_drain_timeout_ends_the_wait_for_a_budget(whole: Whole) -> None:
    await whole.begin(replicas=2, deletion={"nodeDrainTimeoutSeconds": 300})
    await whole.run_pods("web")
    await whole.protect("web", maxUnavailable=0)
    await whole.client.update_scale(MachinePool, POOL, NS, replicas=1)
    await asyncio.sleep(240)
    assert len(await whole.workload.list(Node)) == 2
    await asyncio.sleep(120)
    await whole.at_rest(1)


@in_a_whole
async def test_where_somebody_else_owns_replicas_the_spec_follows_and_nobody_fights(whole: Whole) -> None:
    await whole.begin(replicas=2)
    await whole.annotate(MANAGED_BY, "cloud-autoscaler")
    seen: set[str] = set()
    whole.running.caches.of(MachinePool).subscribe(lambda _, new: seen.add(new.status.phase) if new else None)
    for wanted in (5, 1, 0, 3):
        seen.clear()
        await whole.client.patch(DevScalingGroup, POOL, NS, patch={"spec": {"replicas": wanted}})
        await whole.at_rest(wanted)
        await asyncio.sleep(600)
        assert (await whole.group()).spec.replicas == wanted
        assert (await whole.pool()).spec.replicas == wanted
        assert seen <= {"Scaling", "Running"}, seen
        assert "Scaling" in seen
    await whole.patch({"spec": {"replicas": 9}})
    await asyncio.sleep(60)
    await whole.at_rest(3)
    assert (await whole.pool()).spec.replicas == 3
    await whole.annotate(MANAGED_BY, None)
    await whole.patch({"spec": {"replicas": 2}})
    await whole.at_rest(2)
    await asyncio.sleep(60)
    assert (await whole.group()).spec.replicas == 2


@in_a_whole
async def test_gitops_applies_again_and_again_beside_an_autoscaler_on_the_scale_subresource(whole: Whole) -> None:
    raws = list(codec.decode_yaml(QUICKSTART.read_text()))
    raw = next(r for r in raws if r["kind"] == "MachinePool")
    del raw["spec"]["replicas"]
    limits = {f"cluster.x-k8s.io/cluster-api-autoscaler-node-group-{end}-size": n for end, n in _RANGE.items()}
    raw["metadata"]["annotations"] = limits
    for each in raws:
        await whole.client.apply(each, field_manager="gitops")
    await whole.at_rest(3)
    for wanted in (5, 3):
        await whole.client.update_scale(MachinePool, POOL, NS, replicas=wanted)
        for version in ("v1.34.0", "v1.34.1"):
            raw["spec"]["template"]["spec"]["version"] = version
            await whole.client.apply(raw, field_manager="gitops")
            assert (await whole.pool()).spec.replicas == wanted
        await whole.at_rest(wanted)


_RANGE = {"min": "3", "max": "6"}


@in_a_whole
async def test_zero_is_a_normal_state_to_which_a_pool_goes_and_from_which_it_comes_back(whole: Whole) -> None:
    await whole.begin(replicas=2)
    await whole.client.update_scale(MachinePool, POOL, NS, replicas=0)
    await whole.at_rest(0)
    await asyncio.sleep(600)
    pool = await whole.pool()
    status = pool.status
    assert (status.phase, status.replicas, status.ready_replicas, status.node_refs) == ("Running", 0, 0, ())
    assert (pool.spec.provider_id_list, status.versions) == ((), ())
    told = {c.type: c.status for c in status.conditions}
    good = {"Available", "BootstrapConfigReady", "InfrastructureReady", "MachinesReady", "MachinesUpToDate"}
    assert {type_ for type_, status in told.items() if status == "True"} == good
    assert [c for c in status.conditions if c.status == "True" and c.message] == []
    assert await whole.workload.list(Node) == []
    assert "Running  0/0 ready" in await whole.described()
    assert "(" not in await whole.described()
    await whole.client.update_scale(MachinePool, POOL, NS, replicas=2)
    await whole.at_rest(2)


@in_a_whole
async def test_replicas_of_an_older_revision_are_not_up_to_date_though_their_kubelet_is(whole: Whole) -> None:
    await whole.begin(replicas=2)
    assert (await whole.pool()).status.up_to_date_replicas == 2
    startup = {"vm": {"provisioning": {"startupDuration": "60s"}}}
    await whole.client.patch(DevMachinePool, POOL, NS, patch={"spec": {"backend": {"inMemory": startup}}})
    await asyncio.sleep(10)
    pool = await whole.pool()
    assert pool.status.up_to_date_replicas == 1  # the first new instance starts, beside two that are to go
    assert condition(pool, "MachinesUpToDate")[:2] == ("False", "NotUpToDate")
    assert [(v.version, v.replicas) for v in pool.status.versions] == [("v1.34.0", 2)]
    await asyncio.sleep(600)
    await whole.at_rest(2)
    assert (await whole.pool()).status.up_to_date_replicas == 2


@in_a_whole
async def test_describe_names_what_holds_a_deletion(whole: Whole) -> None:
    await whole.begin(replicas=1)
    held = {"metadata": {"finalizers": ["example.org/backup"]}}
    dev = await whole.client.get(DevMachinePool, POOL, NS)
    held["metadata"]["finalizers"] += dev.metadata.finalizers
    await whole.client.patch(DevMachinePool, POOL, NS, patch=held)
    await whole.client.delete(MachinePool, POOL, NS)
    await whole.until_told("Deleting", "example.org/backup")
    assert condition(await whole.pool(), "Deleting")[1] == "WaitingForInfrastructureDeletion"
    assert (await whole.pool()).status.phase == "Deleting"
    assert "it waits for example.org/backup" in await whole.described()
    await whole.client.patch(DevMachinePool, POOL, NS, patch={"metadata": {"finalizers": None}})

    async def gone() -> bool:
        return await whole.gone(MachinePool)

    await whole.until(gone)
    assert await whole.workload.list(Node) == []


@pytest.mark.parametrize("how", ["namespace", "watch filter"])
def test_controllers_that_see_a_part_leave_the_rest_to_others(how: str) -> None:
    scope = {"namespace": "elsewhere"} if how == "namespace" else {"watch_filter": "mine"}

    async def main() -> None:
        async with embedded(clock=virtual.clock(), seed=5, **scope) as running:
            whole = Whole(running)
            raws = list(codec.decode_yaml(QUICKSTART.read_text()))
            for raw in raws:
                await running.client.apply(raw)
            await asyncio.sleep(600)
            for raw in raws:
                found = await running.client.get(await running.client.resources.of(raw), raw["metadata"]["name"], NS)
                assert (found.status, found.metadata.finalizers) == ({}, ()), found.kind
            await _make_ours(running, raws, how)
            if how == "watch filter":
                await whole.at_rest(3)
            else:
                await asyncio.sleep(60)
                pool = await running.client.get(MachinePool, POOL, "elsewhere")
                assert (pool.status.phase, pool.status.ready_replicas) == ("Running", 3)

    virtual.run(main(), limit=dt.timedelta(days=1))


async def _make_ours(running: Embedded, raws: list[Raw], how: str) -> None:
    if how == "namespace":
        space: Raw = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "elsewhere"}}
        await running.client.apply(space)
    for raw in raws:
        extra = {"namespace": "elsewhere"} if how == "namespace" else {"labels": {WATCH_LABEL: "mine"}}
        await running.client.apply({**raw, "metadata": raw["metadata"] | extra})


async def test_with_the_gate_off_existing_pools_stay_as_they_are_and_new_ones_are_refused(tmp_path: Path) -> None:
    async with Embedded(Settings(data_dir=tmp_path, controllers=False)) as running:
        for raw in codec.decode_yaml(QUICKSTART.read_text()):
            await running.client.apply(raw)
        before = objects.to_raw(await running.client.get(MachinePool, POOL, NS))
    off = dict(gates.DEFAULTS) | {"MachinePool": False}
    async with Embedded(Settings(data_dir=tmp_path, gates=off)) as running:
        await _until_provisioned(running)
        assert objects.to_raw(await running.client.get(MachinePool, POOL, NS)) == before
        new = {**before, "metadata": {"name": "new", "namespace": NS}}
        with pytest.raises(errors.Forbidden, match="feature gate MachinePool is off"):
            await running.client.create(objects.from_raw(MachinePool, new))
        await running.client.patch(MachinePool, POOL, NS, patch={"spec": {"replicas": 2}})
        await running.client.delete(MachinePool, POOL, NS)
        with pytest.raises(errors.NotFound):
            await running.client.get(MachinePool, POOL, NS)


async def _until_provisioned(running: Embedded) -> None:
    """The Cluster's controller works, so that a pool's would have."""
    async with asyncio.timeout(20):
        while True:
            cluster = await running.client.get(Cluster, "quickstart", NS)
            if cluster.status.initialization.infrastructure_provisioned:
                break
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.5)
