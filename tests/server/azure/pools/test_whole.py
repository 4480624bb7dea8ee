"""Upstream's manifest as it is: it runs, grows, shrinks, rolls, heals and goes, with real controllers."""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import AsyncIterator

import pytest

from capipool.api.builtin import Secret
from capipool.api.core import Machine, MachinePool
from capipool.machinery import objects
from capipool.machinery.objects import ObjectMeta
from capipool.providers.azure.api.cluster import AzureCluster
from capipool.providers.azure.api.machinepool import AzureMachinePool
from capipool.providers.azure.pools import rollouts
from capipool.sdk import Intervals
from tests.server.azure.pools import world as worlds
from tests.server.azure.pools.world import POOL, Region, condition
from tests.server.clouds.world import NS

FLEXIBLE = (("  location: eastus\n  strategy:", "  orchestrationMode: Flexible\n  location: eastus\n  strategy:"),)


TEMPLATE = "  template:\n    osDisk:\n      diskSizeGB: 30"
Edits = tuple[tuple[str, str], ...]
BOTH = pytest.mark.parametrize("edits", [(), FLEXIBLE], ids=["uniform", "flexible"])


@pytest.fixture
async def region() -> AsyncIterator[Region]:
    async with worlds.region() as made:
        yield made


@BOTH
async def test_upstreams_manifest_runs_as_it_is(region: Region, edits: Edits) -> None:
    await region.begin(edits=edits)
    pool = await region.until(lambda p: condition(p, "Ready") == ("True", ""))
    assert pool.status.ready
    assert (pool.status.replicas, pool.status.provisioning_state) == (3, "Succeeded")
    assert pool.status.infrastructure_machine_kind == "AzureMachinePoolMachine"
    root = f"azure:///subscriptions/{worlds.SUBSCRIPTION}/resourceGroups/{worlds.GROUP}/providers/Microsoft.Compute"
    assert pool.spec.provider_id == f"{root}/virtualMachineScaleSets/{POOL}"
    assert len(pool.spec.provider_id_list) == 3
    machines = await region.machines()
    assert [m.spec.provider_id for m in machines] == sorted(pool.spec.provider_id_list)
    assert all(m.status.ready and m.status.latest_model_applied for m in machines)
    files = await region.world.client.get(Secret, f"{POOL}-azure-json", NS)
    assert b'"vmType": "vmss"' in files.data["worker-node-azure.json"]
    assert b"aadClientSecret" not in files.data["worker-node-azure.json"]


@BOTH
async def test_a_pool_grows_and_shrinks_and_nobody_is_hit_that_need_not_be(region: Region, edits: Edits) -> None:
    await region.begin(edits=edits)
    before = region.names()
    await region.world.scale(POOL, 5)
    await region.world.running_pool(POOL, 5)
    assert before < region.names()
    await region.world.scale(POOL, 2)
    await region.world.running_pool(POOL, 2)
    assert region.scale_set().capacity == 2
    await region.objects(2)


@BOTH
async def test_a_change_of_the_model_replaces_every_instance(region: Region, edits: Edits) -> None:
    await region.begin(edits=edits)
    before = region.names()
    await region.patch({"template": {"osDisk": {"diskSizeGB": 50}}})
    await region.until(lambda p: condition(p, "Ready")[0] == "True" and not before & region.names())
    await region.world.running_pool(POOL, 3)
    assert len(region.names()) == 3
    sizes = {m.properties["storageProfile"]["osDisk"]["diskSizeGB"] for m in region.scale_set().live}
    assert sizes == {50}


async def test_an_upgrade_replaces_every_instance_with_one_of_the_other_image(region: Region) -> None:
    await region.begin()
    region.joiner.version = lambda _: "v1.32.0"
    await region.world.upgrade(POOL, "v1.32.0")
    await region.world.running_pool(POOL, 3, version="v1.32.0", seconds=60)
    pool = await region.until(lambda p: condition(p, "ScaleSetModelUpdated") == ("True", ""))
    gallery = pool.status.image and pool.status.image.compute_gallery
    assert gallery is not None
    assert gallery.version == "1.32.0"


@BOTH
async def test_azure_rolls_by_itself_where_it_is_told_to(region: Region, edits: Edits) -> None:
    health = "{name: ApplicationHealthLinux, publisher: Microsoft.ManagedServices, version: '1.0'}"
    before, after = TEMPLATE, TEMPLATE.replace("template:\n", f"template:\n    vmExtensions: [{health}]\n")
    await region.begin(edits=(*edits, (before, after)))
    await region.annotate({rollouts.ANNOTATION: "Native"})
    await region.patch({"template": {"osDisk": {"diskSizeGB": 50}}})

    def done() -> bool:
        return all(m.properties["storageProfile"]["osDisk"]["diskSizeGB"] == 50 for m in region.scale_set().live)

    await region.until(lambda p: done() and condition(p, "ScaleSetModelUpdated")[0] == "True", seconds=60)
    await region.world.running_pool(POOL, 3)
    assert region.scale_set().upgrade is not None
    await region.until(lambda _: region.scale_set().upgrade_mode == "Manual")


async def test_tags_reach_the_scale_set_and_replace_nobody(region: Region) -> None:
    await region.begin()
    before = region.names()
    await region.patch({"additionalTags": {"team": "a", "temporary": "b"}})
    await region.until(lambda _: region.scale_set().tags.get("temporary") == "b")
    await region.patch({"additionalTags": {"temporary": None}})
    await region.until(lambda _: "temporary" not in region.scale_set().tags)
    assert region.scale_set().tags["team"] == "a"
    assert region.names() == before


async def test_a_machine_that_failed_is_replaced(region: Region) -> None:
    await region.begin()
    victim = min(region.names())
    region.arm.faults.fail_boot("VMExtensionProvisioningError", "the extension failed")
    await region.world.scale(POOL, 4)
    await region.until(lambda p: condition(p, "Ready")[1] == "InstanceFailed")
    failed = next(m for m in region.scale_set().live if m.provisioning == "Failed")
    failed.created -= dt.timedelta(minutes=1)
    await region.world.running_pool(POOL, 4)
    assert failed.name not in region.names()
    assert victim in region.names()


@pytest.mark.parametrize("policy", ["Deallocate", "Delete"])
async def test_an_evicted_machine_is_replaced_whether_azure_keeps_it_or_not(region: Region, policy: str) -> None:
    spot = TEMPLATE.replace("template:\n", f"template:\n    spotVMOptions: {{evictionPolicy: {policy}}}\n")
    await region.begin(edits=((TEMPLATE, spot),))
    victim = min(region.scale_set().live, key=lambda m: m.name)
    victim.created -= dt.timedelta(minutes=1)
    await region.evict(victim)
    await region.until(lambda _: victim.name not in region.names())
    await region.world.running_pool(POOL, 3)


async def test_a_machine_that_somebody_deletes_is_replaced_after_its_drain(region: Region) -> None:
    await region.begin()
    first, *_ = await region.machines()
    owner = first.metadata.owner_references
    name = next(o.name for o in owner if o.kind == "Machine") if any(o.kind == "Machine" for o in owner) else ""
    machines = await region.world.client.list(Machine, NS)
    machine = next(m for m in machines if m.spec.infrastructure_ref.name == first.metadata.name)
    assert name in ("", machine.metadata.name)
    await region.world.client.delete(Machine, machine.metadata.name, NS)

    async def gone() -> bool:
        return first.metadata.name not in {m.metadata.name for m in await region.machines()}

    await region.world.until(gone)
    await region.world.running_pool(POOL, 3)


@BOTH
async def test_a_pool_that_is_deleted_is_drained_and_leaves_nothing(region: Region, edits: Edits) -> None:
    await region.begin(edits=edits)
    await region.world.client.delete(MachinePool, POOL, NS)

    async def gone() -> bool:
        left = [*await region.world.client.list(AzureMachinePool, NS), *await region.world.client.list(MachinePool, NS)]
        return not left and not await region.machines()

    await region.world.until(gone)
    assert not region.arm.state.scale_sets
    assert [r.action for r in region.arm.log.mutating].count("virtualMachineScaleSets/delete") == 1


async def test_the_files_of_the_cloud_provider_follow_the_identity_and_come_back_when_deleted(region: Region) -> None:
    where = ("  type: WorkloadIdentity", "  type: ServicePrincipal\n  clientSecret: {name: login, namespace: default}")
    meta = ObjectMeta(name="login", namespace=NS)
    await region.world.client.create(objects.new(Secret, metadata=meta, data={"clientSecret": b"first-password"}))
    await region.begin(edits=(where,))
    name = f"{POOL}-azure-json"

    async def content() -> bytes:
        for secret in await region.world.client.list(Secret, NS):
            if secret.metadata.name == name:
                return secret.data["worker-node-azure.json"]
        return b""

    async def holds(password: bytes) -> bool:
        return password in await content()

    assert await holds(b"first-password")
    data = {"clientSecret": base64.b64encode(b"second-password").decode()}
    await region.world.client.patch(Secret, "login", NS, patch={"data": data})
    await region.world.until(lambda: holds(b"second-password"))
    await region.world.client.delete(Secret, name, NS)
    await region.world.until(lambda: holds(b"second-password"))


async def test_a_change_of_the_clusters_facts_reaches_its_pools_at_once() -> None:
    seldom = Intervals(converging=worlds.FAST.converging, rest=dt.timedelta(hours=1))
    async with worlds.region(intervals=seldom) as region:
        await region.begin()
        await region.until(lambda p: condition(p, "Ready") == ("True", ""))
        await region.world.patch(AzureCluster, "demo", {"spec": {"additionalTags": {"team": "b"}}})
        await region.until(lambda _: region.scale_set().tags.get("team") == "b")
